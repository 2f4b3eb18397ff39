//! What went wrong, typed.

use tokio::io::AsyncWriteExt as _;
use trunkline_domain::Secret;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::auth;

use crate::support::{Authority, at, call, exchange, listener, origin, pools, read_request, serve};

async fn cause_of_answer(answer: &'static [u8]) -> Cause {
    let (address, _) = serve(move |mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(answer).await.unwrap();
    })
    .await;
    exchange(&pools(), call(&at("http", address))).await.unwrap_err().cause
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    assert_eq!(cause_of_answer(b"hello, this is no HTTP at all\r\n\r\n").await, Cause::Malformed);
    assert_eq!(cause_of_answer(b"HTTP/1.1 two OK\r\n\r\n").await, Cause::Malformed);
    assert_eq!(cause_of_answer(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n").await, Cause::Malformed);
    assert_eq!(cause_of_answer(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").await, Cause::Malformed);
}

#[tokio::test]
async fn a_connection_closed_before_the_head_is_cut() {
    assert_eq!(cause_of_answer(b"").await, Cause::Cut);
    assert_eq!(cause_of_answer(b"HTTP/1.1 200").await, Cause::Cut);
}

#[tokio::test]
async fn a_connection_reset_before_the_head_is_cut() {
    let (address, _) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    assert_eq!(exchange(&pools(), call(&at("http", address))).await.unwrap_err().cause, Cause::Cut);
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_a_failed_connection() {
    let (listener, address) = listener().await;
    drop(listener);
    let error = exchange(&pools(), call(&at("http", address))).await.unwrap_err();
    assert_eq!(error.cause, Cause::ConnectFailed);
    assert!(error.message.contains(&address.to_string()), "{}", error.message);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_dns_failure() {
    let error = exchange(&pools(), call(&origin("https://provider.invalid"))).await.unwrap_err();
    assert_eq!(error.cause, Cause::DnsFailed);
}

#[tokio::test]
async fn garbage_where_http2_was_agreed_is_malformed() {
    let authority = Authority::new(&["h2"]);
    let acceptor = authority.acceptor.clone();
    let (address, _) = serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            // Held open, so that the bytes and not the end are what the client meets.
            std::future::pending::<()>().await;
        }
    })
    .await;
    assert_eq!(
        exchange(&pools(), call(&authority.origin(address))).await.unwrap_err().cause,
        Cause::Malformed
    );
}

#[tokio::test]
async fn an_origin_inside_the_process_is_not_for_the_pools() {
    let error = exchange(&pools(), call(&origin("in-process://sandbox"))).await.unwrap_err();
    assert_eq!(error.cause, Cause::Internal);
}

#[tokio::test]
async fn no_failure_shows_a_credential_or_a_body() {
    let (closed, address) = listener().await;
    drop(closed);
    let (garbage, _) = serve(|mut stream, _| async move {
        let request = read_request(&mut stream).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
    })
    .await;
    let (no_tls, _) = serve(|mut stream, _| async move { stream.write_all(b"canary").await.unwrap() }).await;
    for origin in [at("http", address), at("http", garbage), at("https", no_tls), origin("http://x.invalid")]
    {
        let mut call = call(&origin);
        call.path = "/chat?key=canary".to_owned();
        call.authorization = Some(auth::bearer(&Secret::new("canary".to_owned())).unwrap());
        call.body = bytes::Bytes::from_static(b"canary").into();
        assert!(!format!("{:?}", call.authorization).contains("canary"));
        let error = exchange(&pools(), call).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}
