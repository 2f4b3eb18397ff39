//! Certificates that are good, and those that are not.

use std::sync::Arc;

use trunkline_domain::attempt::Cause;
use trunkline_upstream::connect::tls::{Authorities, RootStore, RootStoreError};
use trunkline_upstream::dispatch::DispatchError;
use trunkline_upstream::origin::Origin;
use trunkline_upstream::pool::{PoolOptions, Pools};

use crate::support::{Authority, Validity, at, call, exchange, options, pools, serve};

/// A TLS server that only shakes hands.
async fn shake(authority: &Authority) -> std::net::SocketAddr {
    let acceptor = authority.acceptor.clone();
    let handshake = move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            // Fails in most tests here, on the client's side.
            acceptor.accept(stream).await.ok();
        }
    };
    serve(handshake).await.0
}

async fn refused(origin: Origin) -> DispatchError {
    exchange(&pools(), call(&Arc::new(origin))).await.unwrap_err()
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let address = shake(&Authority::new(&["h2"])).await;
    let error = exchange(&pools(), call(&at("https", address))).await.unwrap_err();
    assert_eq!(error.cause, Cause::TlsFailed);
    assert!(error.message.contains("UnknownIssuer"), "{}", error.message);
}

#[tokio::test]
async fn another_private_authority_is_refused() {
    let address = shake(&Authority::new(&["h2"])).await;
    let origin =
        Origin::parse(&format!("https://{address}")).unwrap().with_roots(Authority::new(&[]).roots());
    assert_eq!(refused(origin).await.cause, Cause::TlsFailed);
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::issuing(&["h2"], Validity::Expired);
    let address = shake(&authority).await;
    let error = exchange(&pools(), call(&authority.origin(address))).await.unwrap_err();
    assert_eq!(error.cause, Cause::TlsFailed);
    assert!(error.message.contains("expired"), "{}", error.message);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new(&["h2"]);
    let address = shake(&authority).await;
    let pools = Pools::new(PoolOptions {
        resolver: Arc::new(crate::support::Fixed(vec![address.ip()])),
        ..options()
    });
    let origin = Origin::parse(&format!("https://other.example:{}", address.port())).unwrap();
    let origin = Arc::new(origin.with_roots(authority.roots()));
    assert_eq!(exchange(&pools, call(&origin)).await.unwrap_err().cause, Cause::TlsFailed);
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_failure() {
    let (plain, _) = serve(|mut stream, _| async move {
        use tokio::io::AsyncWriteExt as _;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    })
    .await;
    assert_eq!(exchange(&pools(), call(&at("https", plain))).await.unwrap_err().cause, Cause::TlsFailed);
}

#[test]
fn a_bundle_that_is_none_is_refused() {
    assert!(matches!(RootStore::new(&[Authorities::Pem(b"nothing")]), Err(RootStoreError::Pem(_))));
    assert!(matches!(RootStore::new(&[]), Err(RootStoreError::Empty)));
}

#[test]
fn equal_bundles_are_equal_whatever_their_order() {
    let (one, other) = (Authority::new(&[]), Authority::new(&[]));
    assert_eq!(one.roots(), one.roots());
    assert_ne!(one.roots(), other.roots());
    let bundled = RootStore::new(&[Authorities::Bundled]).unwrap();
    assert_eq!(bundled, RootStore::new(&[Authorities::Bundled, Authorities::Bundled]).unwrap());
}
