//! Where names may lead, and several addresses of one name.

use trunkline_domain::attempt::Cause;

use crate::support::{call, echo, exchange, origin, pools, pools_resolving_to, serve};

#[tokio::test]
async fn a_name_that_leads_to_the_metadata_service_is_refused() {
    for address in ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254"] {
        let pools = pools_resolving_to(&[address]);
        let error = exchange(&pools, call(&origin("http://rebound.example:9"))).await.unwrap_err();
        assert_eq!(error.cause, Cause::ConnectFailed);
        assert!(error.message.contains("not connected to"), "{}", error.message);
    }
}

#[tokio::test]
async fn only_the_allowed_addresses_of_a_name_are_tried() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let pools = pools_resolving_to(&["169.254.169.254", "fe80::1", "127.0.0.1"]);
    let origin = origin(format!("http://mixed.example:{}", address.port()));
    assert_eq!(exchange(&pools, call(&origin)).await.unwrap().0, 200);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let pools = pools_resolving_to(&["::1", "127.0.0.1"]);
    let origin = origin(format!("http://both.example:{}", address.port()));
    assert_eq!(exchange(&pools, call(&origin)).await.unwrap().0, 200);
}

#[tokio::test]
async fn localhost_is_found_without_a_name_server() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let origin = origin(format!("http://localhost:{}", address.port()));
    assert_eq!(exchange(&pools(), call(&origin)).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_name_without_addresses_is_a_dns_failure() {
    let error = exchange(&pools_resolving_to(&[]), call(&origin("http://none.example"))).await.unwrap_err();
    assert_eq!(error.cause, Cause::DnsFailed);
}
