//! When an HTTP/1.1 connection may carry another request, and when what it carries is not believed.

use std::sync::atomic::Ordering;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::dispatch::Dispatch as _;

use crate::support::{Authority, at, call, echo, exchange, listener, pools, read_request, serve};

/// A server that gives each request of a connection the same answer. Counts the connections.
async fn answering(
    answer: &'static [u8],
) -> (std::net::SocketAddr, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    serve(move |mut stream, _| async move {
        while read_request(&mut stream).await.is_some() {
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn answers_with_an_end_of_their_own_leave_the_connection_to_the_next() {
    for (answer, connections) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"[..], 1),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nx: y\r\n\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 1),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", 3),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 3),
        // What follows an answer unasked is nobody's.
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
            3,
        ),
    ] {
        let (address, opened) = answering(answer).await;
        let (pools, origin) = (pools(), at("http", address));
        for _ in 0..3 {
            assert_eq!(exchange(&pools, call(&origin)).await.unwrap(), (200, "ok".into()));
        }
        assert_eq!(opened.load(Ordering::SeqCst), connections, "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn an_answer_that_comes_between_two_requests_is_nobodys() {
    let (sent, mut when_sent) = mpsc::channel(1);
    let (address, opened) = serve(move |mut stream, _| {
        let sent = sent.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            sent.send(()).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await.unwrap();
            sent.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let (pools, origin) = (pools(), at("http", address));
    let elsewhere = at("http", serve(|stream, _| echo(stream)).await.0);
    for round in 1..=3 {
        assert_eq!(exchange(&pools, call(&origin)).await.unwrap().1, "ok");
        when_sent.recv().await.unwrap();
        when_sent.recv().await.unwrap();
        // Waiting for anything else, the runtime hears of what came.
        exchange(&pools, call(&elsewhere)).await.unwrap();
        assert_eq!(opened.load(Ordering::SeqCst), round);
    }
}

#[tokio::test]
async fn a_head_request_has_an_answer_without_body() {
    let (address, opened) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await;
    let (pools, origin) = (pools(), at("http", address));
    for _ in 0..2 {
        let mut call = call(&origin);
        call.method = Method::HEAD;
        assert_eq!(exchange(&pools, call).await.unwrap(), (200, "".into()));
    }
    assert_eq!(opened.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_two_readers_could_read_differently_is_malformed() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nx: y\r\n z\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: y\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: y\rz\r\n\r\n",
    ] {
        let (address, _) = answering(answer).await;
        let error = exchange(&pools(), call(&at("http", address))).await.unwrap_err();
        assert_eq!(error.cause, Cause::Malformed, "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn chunks_that_are_none_break_the_body_after_what_was_good() {
    let (address, opened) =
        answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ngood\r\nxyz\r\n").await;
    let (pools, origin) = (pools(), at("http", address));
    for _ in 0..2 {
        let mut response = pools.dispatch(call(&origin)).await.unwrap();
        assert_eq!(response.body.next().await.unwrap().unwrap(), "good");
        assert!(response.body.next().await.unwrap().is_err());
        assert!(response.body.next().await.is_none());
    }
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_request_is_written_on_while_its_answer_is_read() {
    const LENGTH: usize = 16 << 20;
    let (listener, address) = listener().await;
    let (pools, origin) = (pools(), at("http", address));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        let mut read = 1;
        let mut buffer = vec![0; 64 * 1024];
        while read < LENGTH {
            read += stream.read(&mut buffer).await.unwrap();
        }
        stream.write_all(b"4\r\ndone\r\n0\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    };
    let exchanged = async {
        let mut call = call(&origin);
        call.body = bytes::Bytes::from(vec![b' '; LENGTH]).into();
        exchange(&pools, call).await.unwrap()
    };
    tokio::select! {
        () = server => panic!("the server waits"),
        answered = exchanged => assert_eq!(answered, (200, "done".into())),
    }
}

#[tokio::test]
async fn tls_carries_http_1_and_keeps_the_connection() {
    let authority = Authority::new(&["http/1.1"]);
    let acceptor = authority.acceptor.clone();
    let (address, opened) = serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            while let Some(request) = read_request(&mut stream).await {
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{request}\r\n0\r\n\r\n",
                    request.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    })
    .await;
    let (pools, origin) = (pools(), authority.origin(address));
    let body = bytes::Bytes::from(vec![b' '; 300_000]);
    for _ in 0..3 {
        let mut call = call(&origin);
        call.body = body.clone().into();
        let (status, request) = exchange(&pools, call).await.unwrap();
        assert_eq!(status, 200);
        assert!(request.ends_with(&body));
    }
    assert_eq!(opened.load(Ordering::SeqCst), 1);
}
