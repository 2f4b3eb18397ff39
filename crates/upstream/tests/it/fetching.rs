//! The second door.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderMap;
use tokio::io::AsyncWriteExt as _;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::fetch::{BODY_MAX, Fetch, fetch};

use crate::support::{LONG, at, echo, pools, read_request, serve};

fn listing(address: SocketAddr) -> Fetch {
    Fetch {
        method: http::Method::GET,
        origin: at("http", address),
        path: "/models".to_owned(),
        headers: HeaderMap::new(),
        authorization: None,
        deadline: LONG,
        body_max: BODY_MAX,
    }
}

#[tokio::test]
async fn a_listing_is_read_whole_and_nothing_is_sent() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let response = fetch(&pools(), listing(address)).await.unwrap();
    let request = String::from_utf8(response.body.to_vec()).unwrap();
    assert_eq!(response.status, 200);
    assert!(request.starts_with("GET /models HTTP/1.1\r\n") && request.ends_with("\r\n\r\n"), "{request}");
    assert!(!request.contains("content-length") && !request.contains("transfer-encoding"), "{request}");
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_refused() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let error = fetch(&pools(), Fetch { body_max: 10, ..listing(address) }).await.unwrap_err();
    assert_eq!(error.cause, Cause::Malformed);
}

#[tokio::test]
async fn a_body_cut_short_is_refused() {
    let (address, _) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    })
    .await;
    assert_eq!(fetch(&pools(), listing(address)).await.unwrap_err().cause, Cause::Cut);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_ends_at_the_deadline() {
    let (address, _) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let fetching = Fetch { deadline: Duration::from_secs(2), ..listing(address) };
    assert_eq!(fetch(&pools(), fetching).await.unwrap_err().cause, Cause::TotalTimeout);
}
