//! HTTP/2: streams sharing connections, more connections when there are many, and streams the server did not process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response, Version};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_rustls::server::TlsStream;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::dispatch::Dispatch as _;
use trunkline_upstream::pool::{PoolLimits, PoolOptions, Pools};

use crate::support::{Authority, call, exchange, options, pools, serve, whole};

type Answer = SendResponse<Bytes>;

/// A server that hands every stream to `handle`, with the ordinal of its connection.
async fn serve_h2<F>(
    authority: &Authority,
    handle: impl Fn(Request<RecvStream>, Answer, usize) -> F + Clone + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let acceptor = authority.acceptor.clone();
    serve(move |stream, ordinal| {
        let (acceptor, handle) = (acceptor.clone(), handle.clone());
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let mut connection: Connection<TlsStream<TcpStream>, Bytes> =
                h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, answer))) = connection.accept().await {
                tokio::spawn(handle(request, answer, ordinal));
            }
        }
    })
    .await
}

async fn read(request: Request<RecvStream>) -> Vec<u8> {
    let mut body = request.into_body();
    let mut all = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        body.flow_control().release_capacity(piece.len()).unwrap();
        all.extend_from_slice(&piece);
    }
    all
}

fn answer_with(mut answer: Answer, body: impl Into<Bytes>) {
    let mut stream = answer.send_response(Response::new(()), false).unwrap();
    stream.send_data(body.into(), true).unwrap();
}

fn limited(limits: PoolLimits) -> Pools {
    Pools::new(PoolOptions { limits, ..options() })
}

#[tokio::test]
async fn a_request_is_written_as_asked() {
    let authority = Authority::new(&["h2", "http/1.1"]);
    let (address, _) = serve_h2(&authority, |request, answer, _| async move {
        let (head, headers) = (format!("{} {}", request.method(), request.uri()), request.headers().clone());
        assert_eq!(request.version(), Version::HTTP_2);
        let body = String::from_utf8(read(request).await).unwrap();
        answer_with(
            answer,
            format!("{head} {:?} {:?} {body}", headers["content-length"], headers.get("host")),
        );
    })
    .await;
    let (status, body) = exchange(&pools(), call(&authority.origin(address))).await.unwrap();
    assert_eq!((status, body), (200, format!("POST https://{address}/chat \"2\" None {{}}").into()));
}

#[tokio::test]
async fn streams_share_a_connection_and_a_burst_opens_only_one() {
    let authority = Authority::new(&["h2"]);
    let (release, released) = watch::channel(());
    let (address, connections) = serve_h2(&authority, move |request, answer, _| {
        let mut released = released.clone();
        async move {
            read(request).await;
            released.changed().await.unwrap();
            answer_with(answer, "ok");
        }
    })
    .await;
    let (pools, origin) = (Arc::new(pools()), authority.origin(address));
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (pools, call) = (Arc::clone(&pools), call(&origin));
            tokio::spawn(async move { exchange(&pools, call).await.unwrap().1 })
        })
        .collect();
    // All streams are open at the same time.
    while release.receiver_count() < 21 {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    for call in calls {
        assert_eq!(call.await.unwrap(), "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn more_streams_than_the_limit_open_another_connection() {
    let authority = Authority::new(&["h2"]);
    let (address, connections) = serve_h2(&authority, |request, mut answer, ordinal| async move {
        read(request).await;
        let mut stream = answer.send_response(Response::new(()), false).unwrap();
        stream.send_data(Bytes::from(ordinal.to_string()), false).unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let limits = PoolLimits { streams_per_connection: 2, connections_per_origin: 2, ..PoolLimits::default() };
    let (pools, origin) = (limited(limits), authority.origin(address));
    let mut open = Vec::new();
    for expected in [1, 1, 2, 2, 2, 2] {
        open.push(pools.dispatch(call(&origin)).await.unwrap());
        assert_eq!(connections.load(Ordering::SeqCst), expected, "{} open", open.len());
    }
    let mut used = Vec::new();
    for response in &mut open {
        used.push(response.body.next().await.unwrap().unwrap());
    }
    assert_eq!(used[..4], ["0", "0", "1", "1"]);
    // Beyond the limit of connections the least loaded one takes more.
    used.sort();
    assert_eq!(used, ["0", "0", "0", "1", "1", "1"]);
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_with_its_whole_body() {
    let authority = Authority::new(&["h2"]);
    let (address, connections) = serve_h2(&authority, |request, mut answer, ordinal| async move {
        if ordinal == 0 {
            answer.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        let body = read(request).await;
        answer_with(answer, body);
    })
    .await;
    let (_, body) = exchange(&pools(), call(&authority.origin(address))).await.unwrap();
    assert_eq!(body, "{}");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_server_that_refuses_every_stream_is_left_alone_after_a_few() {
    let authority = Authority::new(&["h2"]);
    let (address, connections) =
        serve_h2(&authority, |_, mut answer, _| async move { answer.send_reset(Reason::REFUSED_STREAM) })
            .await;
    let error = exchange(&pools(), call(&authority.origin(address))).await.unwrap_err();
    assert_eq!(error.cause, Cause::ConnectFailed);
    assert_eq!(connections.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_stream_left_out_by_goaway_is_sent_again() {
    let authority = Authority::new(&["h2"]);
    let acceptor = authority.acceptor.clone();
    let (address, connections) = serve(move |stream, ordinal| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            if ordinal == 0 {
                return go_away_before_reading(stream).await;
            }
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, answer))) = connection.accept().await {
                answer_with(answer, "second");
            }
        }
    })
    .await;
    let (_, body) = exchange(&pools(), call(&authority.origin(address))).await.unwrap();
    assert_eq!(body, "second");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

/// SETTINGS, and once the client has spoken, a GOAWAY whose last processed stream is 0 (RFC 9113 §6.8).
async fn go_away_before_reading(mut stream: TlsStream<TcpStream>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut seen = Vec::new();
    // Until a HEADERS frame of stream 1 has begun: type 1, stream identifier 1.
    while !seen.windows(8).any(|window| window[0] == 1 && window[2..6] == [0, 0, 0, 1]) {
        if stream.read_buf(&mut seen).await.unwrap() == 0 {
            return;
        }
    }
    stream.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
    while stream.read_buf(&mut seen).await.is_ok_and(|count| count > 0) {}
}

#[tokio::test]
async fn a_reset_that_says_nothing_is_not_repeated() {
    let authority = Authority::new(&["h2"]);
    let (address, connections) =
        serve_h2(&authority, |_, mut answer, _| async move { answer.send_reset(Reason::INTERNAL_ERROR) })
            .await;
    let error = exchange(&pools(), call(&authority.origin(address))).await.unwrap_err();
    assert_eq!(error.cause, Cause::Cut);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn dropping_a_body_resets_its_stream_and_no_other() {
    let authority = Authority::new(&["h2"]);
    let (reset, mut when_reset) = mpsc::channel(1);
    let (address, connections) = serve_h2(&authority, move |request, mut answer, _| {
        let reset = reset.clone();
        async move {
            if read(request).await != b"{}" {
                return answer_with(answer, "other");
            }
            let mut stream = answer.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(b"half"), false).unwrap();
            let reason = std::future::poll_fn(|context| stream.poll_reset(context)).await.unwrap();
            reset.send(reason).await.unwrap();
        }
    })
    .await;
    let (pools, origin) = (pools(), authority.origin(address));
    let mut response = pools.dispatch(call(&origin)).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "half");
    drop(response);
    assert_eq!(when_reset.recv().await.unwrap(), Reason::CANCEL);
    let mut other = call(&origin);
    other.body = Bytes::from_static(b"other").into();
    assert_eq!(whole(pools.dispatch(other).await.unwrap()).await, "other");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_body_reset_midway_is_an_error() {
    let authority = Authority::new(&["h2"]);
    let (half_read, when_half_read) = watch::channel(());
    let (address, _) = serve_h2(&authority, move |request, mut answer, _| {
        let mut when_half_read = when_half_read.clone();
        async move {
            read(request).await;
            let mut stream = answer.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(b"half"), false).unwrap();
            when_half_read.changed().await.unwrap();
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
    })
    .await;
    let mut response = pools().dispatch(call(&authority.origin(address))).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "half");
    half_read.send(()).unwrap();
    assert!(response.body.next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_stream_given_up_midway_with_no_error_does_not_end_well() {
    let authority = Authority::new(&["h2"]);
    let (half_read, when_half_read) = watch::channel(());
    let (address, _) = serve_h2(&authority, move |request, mut answer, _| {
        let mut when_half_read = when_half_read.clone();
        async move {
            read(request).await;
            let mut stream = answer.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(b"half"), false).unwrap();
            when_half_read.changed().await.unwrap();
            stream.send_reset(Reason::NO_ERROR);
        }
    })
    .await;
    let mut response = pools().dispatch(call(&authority.origin(address))).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "half");
    half_read.send(()).unwrap();
    let error = response.body.next().await.expect("it ended as if it were whole").unwrap_err();
    assert!(error.to_string().contains("before its end"), "{error}");
}

#[tokio::test]
async fn a_whole_answer_ends_well_though_the_upload_is_given_up_with_no_error() {
    let authority = Authority::new(&["h2"]);
    let (address, _) = serve_h2(&authority, |request, mut answer, _| async move {
        let mut stream = answer.send_response(Response::new(()), false).unwrap();
        stream.send_data(Bytes::from_static(b"too long"), true).unwrap();
        // Never read; dropped, it is reset with NO_ERROR (RFC 9113 §8.1).
        drop(request);
    })
    .await;
    let mut long = call(&authority.origin(address));
    long.body = Bytes::from(vec![b'x'; 4 << 20]).into();
    assert_eq!(exchange(&pools(), long).await.unwrap().1, "too long");
}

#[tokio::test]
async fn readers_who_stop_do_not_hold_up_others_on_the_connection() {
    let authority = Authority::new(&["h2"]);
    let (address, connections) = serve_h2(&authority, |request, answer, _| async move {
        let body = read(request).await;
        answer_with(answer, vec![b'x'; if body == b"{}" { 4 << 20 } else { 4096 }]);
    })
    .await;
    let (pools, origin) = (pools(), authority.origin(address));
    let mut stopped = Vec::new();
    for _ in 0..40 {
        stopped.push(pools.dispatch(call(&origin)).await.unwrap());
    }
    let mut other = call(&origin);
    other.body = Bytes::from_static(b"short").into();
    assert_eq!(whole(pools.dispatch(other).await.unwrap()).await.len(), 4096);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_origin_that_chooses_http1_is_spoken_to_so() {
    let authority = Authority::new(&["http/1.1"]);
    let acceptor = authority.acceptor.clone();
    let (address, connections) = serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            use tokio::io::AsyncWriteExt as _;
            let mut stream = acceptor.accept(stream).await.unwrap();
            while let Some(request) = crate::support::read_request(&mut stream).await {
                assert!(request.starts_with("POST /chat HTTP/1.1\r\n"));
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
        }
    })
    .await;
    let (pools, origin) = (pools(), authority.origin(address));
    for _ in 0..3 {
        assert_eq!(exchange(&pools, call(&origin)).await.unwrap().1, "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
