//! Bodies in both directions: exact bytes, back-pressure, ends that are none.

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use trunkline_upstream::dispatch::Dispatch as _;
use trunkline_wire::envelope::Envelope;
use trunkline_wire::splice::{Edit, EditValue, splice};

use crate::support::{at, call, echo, exchange, listener, pools, read_request, serve};

#[tokio::test]
async fn a_spliced_body_arrives_byte_for_byte_with_its_exact_length() {
    let (address, _) = serve(|stream, _| echo(stream)).await;
    let filler = "x".repeat(700_000);
    let sent = format!(r#"{{"model": "alias", "text" : "{filler}", "n":1}}"#);
    let envelope = Envelope::parse(Bytes::from(sent)).unwrap();
    let edits = [Edit::replace("model", EditValue::string("real")), Edit::remove("n")];
    let mut call = call(&at("http", address));
    call.body = splice(&envelope, &edits);
    assert!(call.body.segments().len() > 1);
    let expected = call.body.to_bytes();
    let (_, request) = exchange(&pools(), call).await.unwrap();
    let length = format!("content-length: {}\r\n", expected.len());
    assert!(String::from_utf8_lossy(&request).contains(&length));
    assert!(request.ends_with(&expected));
}

#[tokio::test]
async fn each_piece_is_there_before_the_next_is_sent() {
    let (listener, address) = listener().await;
    let (pools, origin) = (pools(), at("http", address));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        stream
    };
    let (mut stream, response) = tokio::join!(server, pools.dispatch(call(&origin)));
    let mut response = response.unwrap();
    for piece in ["data: one\n\n", "data: two\n\n"] {
        stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.unwrap();
        assert_eq!(response.body.next().await.unwrap().unwrap(), piece);
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(response.body.next().await.is_none());
}

#[tokio::test]
async fn a_body_cut_short_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n9\r\nno",
    ] {
        let (address, _) = serve(move |mut stream, _| async move {
            read_request(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let mut response = pools().dispatch(call(&at("http", address))).await.unwrap();
        let mut broke = false;
        while let Some(piece) = response.body.next().await {
            broke = piece.is_err();
            if broke {
                break;
            }
        }
        assert!(broke, "{answer}");
    }
}

#[tokio::test]
async fn a_body_without_length_ends_with_its_connection() {
    let (address, _) = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nall of it").await.unwrap();
    })
    .await;
    assert_eq!(exchange(&pools(), call(&at("http", address))).await.unwrap().1, "all of it");
}

/// Writes until the socket takes no more; how much that was.
fn write_until_full(stream: &TcpStream) -> usize {
    let piece = [b'x'; 16 * 1024];
    let mut written = 0;
    loop {
        match stream.try_write(&piece) {
            Ok(count) => written += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return written,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_reader_who_stops_stops_the_server() {
    const WHOLE: usize = 256 << 20;
    const TURNS: usize = 5_000;
    let (listener, address) = listener().await;
    let (pools, origin) = (pools(), at("http", address));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {WHOLE}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        stream
    };
    let (stream, response) = tokio::join!(server, pools.dispatch(call(&origin)));
    let mut response = response.unwrap();
    // Nobody reads: the socket stays full, however often all that can run here is let run.
    let (mut written, mut full_turns) = (0, 0);
    while full_turns < TURNS {
        let more = write_until_full(&stream);
        written += more;
        full_turns = if more == 0 { full_turns + 1 } else { 0 };
        assert!(written < WHOLE, "everything was taken although nobody reads");
        tokio::task::yield_now().await;
    }
    let mut read = 0;
    while read < written {
        read += response.body.next().await.unwrap().unwrap().len();
    }
    stream.writable().await.unwrap();
    assert!(write_until_full(&stream) > 0);
}
