//! The two deadlines of a dispatch, with the clock paused: time passes only when nothing else can happen.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::time::Instant;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::dispatch::Dispatch as _;

use crate::support::{LONG, at, call, exchange, listener, pools, read_request, serve};

const DEADLINE: Duration = Duration::from_secs(7);

#[tokio::test(start_paused = true)]
async fn a_listener_that_takes_no_connection_ends_at_the_connect_deadline() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let listener = socket.listen(1).unwrap();
    // The kernel completes handshakes until the backlog is full, then it drops them.
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let connecting = TcpSocket::new_v4().unwrap().connect(address);
        waiting.push(tokio::spawn(connecting));
        tokio::task::yield_now().await;
    }
    let mut call = call(&at("http", address));
    call.connect_timeout = DEADLINE;
    let began = Instant::now();
    let error = exchange(&pools(), call).await.unwrap_err();
    assert_eq!(error.cause, Cause::ConnectTimeout);
    assert!(began.elapsed() >= DEADLINE && began.elapsed() < LONG);
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn a_silent_tls_server_ends_at_the_connect_deadline() {
    let (listener, address) = listener().await;
    let mut call = call(&at("https", address));
    call.connect_timeout = DEADLINE;
    let error = exchange(&pools(), call).await.unwrap_err();
    assert_eq!(error.cause, Cause::ConnectTimeout);
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_ends_at_the_headers_deadline() {
    let (address, _) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut call = call(&at("http", address));
    call.headers_timeout = DEADLINE;
    let began = Instant::now();
    let error = exchange(&pools(), call).await.unwrap_err();
    assert_eq!(error.cause, Cause::HeadersTimeout);
    assert!(began.elapsed() >= DEADLINE && began.elapsed() < DEADLINE * 2, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_no_head() {
    let (address, _) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let mut call = call(&at("http", address));
    call.headers_timeout = DEADLINE;
    assert_eq!(exchange(&pools(), call).await.unwrap_err().cause, Cause::HeadersTimeout);
}

#[tokio::test(start_paused = true)]
async fn the_headers_deadline_does_not_bound_the_body() {
    let (address, _) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await.unwrap();
        tokio::time::sleep(DEADLINE * 3).await;
        stream.write_all(b"late").await.unwrap();
    })
    .await;
    let mut call = call(&at("http", address));
    call.headers_timeout = DEADLINE;
    let pools = pools();
    let mut response = pools.dispatch(call).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "late");
}
