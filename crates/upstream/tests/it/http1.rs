//! HTTP/1.1: what is written, and when a connection serves again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use trunkline_domain::Secret;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::auth;
use trunkline_upstream::dispatch::Dispatch as _;
use trunkline_upstream::origin::{Origin, PoolClass};
use trunkline_upstream::pool::{PoolLimits, PoolOptions, Pools};

use crate::support::{
    at, call, echo, exchange, listener, options, origin, pools, read_request, serve, whole,
};

#[tokio::test]
async fn a_request_is_written_as_asked() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let origin = origin(format!("http://{address}/v1/"));
    let mut call = call(&origin);
    call.path = "/chat?beta=true".to_owned();
    call.headers.insert("x-custom", HeaderValue::from_static("yes"));
    call.headers.insert(HOST, HeaderValue::from_static("evil.example"));
    call.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("999"));
    call.authorization = Some(auth::bearer(&Secret::new("sk-test".to_owned())).unwrap());
    let (status, request) = exchange(&pools(), call).await.unwrap();
    let request = String::from_utf8(request.to_vec()).unwrap();
    assert_eq!(status, 200);
    assert!(request.starts_with("POST /v1/chat?beta=true HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
    let mut lines: Vec<_> = request.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    let host = format!("host: {address}");
    let expected = [
        "accept-encoding: identity",
        "authorization: Bearer sk-test",
        "content-length: 2",
        &host,
        "x-custom: yes",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn the_callers_own_encodings_are_kept() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let mut call = call(&at("http", address));
    call.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let (_, request) = exchange(&pools(), call).await.unwrap();
    let request = String::from_utf8(request.to_vec()).unwrap();
    assert!(request.contains("accept-encoding: gzip\r\n") && !request.contains("identity"), "{request}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_one_after_another_share_a_connection() {
    let (address, connections) = serve(|stream, _| echo(stream)).await;
    let (pools, origin) = (pools(), at("http", address));
    for _ in 0..50 {
        assert_eq!(exchange(&pools, call(&origin)).await.unwrap().0, 200);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn calls_at_the_same_time_do_not_share() {
    let (address, connections) = serve(|stream, _| echo(stream)).await;
    let (pools, origin) = (pools(), at("http", address));
    let first = pools.dispatch(call(&origin)).await.unwrap();
    let second = pools.dispatch(call(&origin)).await.unwrap();
    whole(first).await;
    whole(second).await;
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    exchange(&pools, call(&origin)).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn classes_do_not_share() {
    let (address, connections) = serve(|stream, _| echo(stream)).await;
    let pools = pools();
    for (class, expected) in [("a", 1), ("b", 2), ("a", 2), ("b", 2)] {
        let origin = Origin::parse(&format!("http://{address}")).unwrap().with_class(PoolClass::new(class));
        exchange(&pools, call(&std::sync::Arc::new(origin))).await.unwrap();
        assert_eq!(connections.load(Ordering::SeqCst), expected, "{class}");
    }
}

#[tokio::test]
async fn a_warm_connection_is_used_and_carries_no_request() {
    let (address, connections) = serve(|stream, _| echo(stream)).await;
    let (pools, origin) = (pools(), at("http", address));
    pools.warm(&origin, Duration::from_secs(5)).await.unwrap();
    pools.warm(&origin, Duration::from_secs(5)).await.unwrap();
    let (_, request) = exchange(&pools, call(&origin)).await.unwrap();
    assert!(request.starts_with(b"POST /chat"));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_the_server_closed_is_replaced_unnoticed() {
    let (closed, mut when_closed) = mpsc::channel(1);
    let (address, connections) = serve(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            drop(stream);
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let (pools, origin) = (pools(), at("http", address));
    for round in 1..=5 {
        assert_eq!(exchange(&pools, call(&origin)).await.unwrap().1, "ok");
        when_closed.recv().await.unwrap();
        assert_eq!(connections.load(Ordering::SeqCst), round);
    }
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_not_repeated() {
    let (address, connections) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        read_request(&mut stream).await;
    })
    .await;
    let (pools, origin) = (pools(), at("http", address));
    exchange(&pools, call(&origin)).await.unwrap();
    let error = exchange(&pools, call(&origin)).await.unwrap_err();
    assert_eq!(error.cause, Cause::Cut);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_expired_connection_is_not_used() {
    let (address, connections) = serve(|stream, _| echo(stream)).await;
    let limits = PoolLimits { idle_timeout: Duration::ZERO, ..PoolLimits::default() };
    let (pools, origin) = (Pools::new(PoolOptions { limits, ..options() }), at("http", address));
    exchange(&pools, call(&origin)).await.unwrap();
    exchange(&pools, call(&origin)).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn idle_connections_beyond_the_limit_are_closed() {
    let (gone, mut when_gone) = mpsc::channel(8);
    let (address, _) = serve(move |stream, _| {
        let gone = gone.clone();
        async move {
            echo(stream).await;
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let limits = PoolLimits { idle_per_origin: 1, ..PoolLimits::default() };
    let (pools, origin) = (Pools::new(PoolOptions { limits, ..options() }), at("http", address));
    let first = pools.dispatch(call(&origin)).await.unwrap();
    let second = pools.dispatch(call(&origin)).await.unwrap();
    whole(first).await;
    whole(second).await;
    when_gone.recv().await.unwrap();
    assert!(when_gone.try_recv().is_err());
}

#[tokio::test]
async fn dropping_a_body_closes_its_connection() {
    let (listener, address) = listener().await;
    let (pools, origin) = (pools(), at("http", address));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
        stream
    };
    let (mut stream, response) = tokio::join!(server, pools.dispatch(call(&origin)));
    let mut response = response.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "half");
    drop(response);
    // The server is silent from now on: only the client's end of the connection can end this.
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn dropping_the_call_closes_its_connection() {
    let (listener, address) = listener().await;
    let (pools, origin) = (pools(), at("http", address));
    let mut stream = {
        let calling = pools.dispatch(call(&origin));
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream
        };
        tokio::select! {
            _ = calling => panic!("the server never answers"),
            stream = server => stream,
        }
    };
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_redirect_is_handed_back() {
    let (address, connections) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        let answer =
            b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let response = pools().dispatch(call(&at("http", address))).await.unwrap();
    assert_eq!((response.status, response.address), (307, Some(address)));
    assert_eq!(response.headers["location"], "http://127.0.0.1:1/");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_early_answer_is_read_although_the_upload_is_not() {
    let (address, connections) = serve(|mut stream, _| async move {
        stream.read_u8().await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig").await.unwrap();
        // Keeps the connection open without reading on.
        std::future::pending::<()>().await;
    })
    .await;
    let (pools, origin) = (pools(), at("http", address));
    for round in 1..=2 {
        let mut call = call(&origin);
        call.body = bytes::Bytes::from(vec![b' '; 32 << 20]).into();
        let (status, body) = exchange(&pools, call).await.unwrap();
        assert_eq!((status, body.as_ref()), (413, b"big".as_slice()));
        // It waits for the rest of a request that nobody sends: not a connection for the next.
        assert_eq!(connections.load(Ordering::SeqCst), round);
    }
}

#[tokio::test]
async fn ipv6_works_where_the_machine_has_it() {
    let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else { return };
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    let (_, request) = exchange(&pools(), call(&at("http", address))).await.unwrap();
    assert!(String::from_utf8_lossy(&request).contains(&format!("host: [::1]:{}\r\n", address.port())));
}

#[tokio::test(start_paused = true)]
async fn an_unused_connection_is_closed_without_another_call() {
    let (gone, mut when_gone) = mpsc::channel(1);
    let (address, _) = serve(move |stream, _| {
        let gone = gone.clone();
        async move {
            echo(stream).await;
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let (pools, origin) = (pools(), at("http", address));
    exchange(&pools, call(&origin)).await.unwrap();
    let began = Instant::now();
    when_gone.recv().await.unwrap();
    assert!(began.elapsed() >= PoolLimits::default().idle_timeout);
}

/// A server that says when it is connected to.
async fn telling() -> (std::net::SocketAddr, mpsc::Receiver<()>) {
    let (accepted, when_accepted) = mpsc::channel(64);
    let (address, _) = serve(move |stream, _| {
        let accepted = accepted.clone();
        async move {
            accepted.send(()).await.unwrap();
            echo(stream).await;
        }
    })
    .await;
    (address, when_accepted)
}

#[tokio::test]
async fn warming_up_connects_to_each_origin_and_waits_for_none() {
    let (address, mut accepted) = telling().await;
    let nobody = listener().await.1;
    let pools = pools();
    // Nobody listens at the second one any more.
    pools.warm_up(&[at("http", address), at("http", nobody), at("http", address)]);
    accepted.recv().await.unwrap();
    let (_, request) = exchange(&pools, call(&at("http", address))).await.unwrap();
    assert!(request.starts_with(b"POST /chat"));
}

#[tokio::test(start_paused = true)]
async fn an_origin_called_lately_is_never_without_a_connection_and_is_left_alone_later() {
    let (address, mut accepted) = telling().await;
    let limits = PoolLimits::default();
    let (pools, origin) = (pools(), at("http", address));
    exchange(&pools, call(&origin)).await.unwrap();
    let called = Instant::now();
    accepted.recv().await.unwrap();
    accepted.recv().await.unwrap();
    assert!(called.elapsed() < limits.idle_timeout, "before the first one ended");
    while tokio::time::timeout(limits.idle_timeout, accepted.recv()).await.is_ok() {}
    assert!(called.elapsed() >= limits.keep_warm);
    assert!(called.elapsed() < limits.keep_warm + 3 * limits.idle_timeout);
    tokio::time::timeout(Duration::from_hours(1), accepted.recv())
        .await
        .expect_err("nobody calls, nobody connects");
}
