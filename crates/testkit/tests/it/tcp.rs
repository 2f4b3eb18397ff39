//! The same provider over real loopback TCP.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trunkline_testkit::fake_provider::script::{After, End};
use trunkline_testkit::fake_provider::{Ending, FakeProvider, Script, Server};

use crate::{chat, scripted, streamed};

async fn listen(provider: &FakeProvider) -> Server {
    provider.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}

async fn request(server: &Server, body: &Value, more_headers: &str) -> TcpStream {
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: fake\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{more_headers}\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

/// What comes until the provider closes the connection, and how it does.
async fn read(mut socket: TcpStream) -> (String, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let error = socket.read_to_end(&mut bytes).await.err();
    (String::from_utf8_lossy(&bytes).into_owned(), error.map(|error| error.kind()))
}

/// Reads until `text` has come.
async fn read_until(socket: &mut TcpStream, text: &str) {
    let mut seen = String::new();
    while !seen.contains(text) {
        let mut bytes = [0; 4096];
        let count = socket.read(&mut bytes).await.unwrap();
        assert!(count > 0, "closed before {text:?} came: {seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

#[tokio::test]
async fn answers_have_a_length_or_are_chunked_and_connections_are_kept() {
    let provider = scripted(&[]);
    let server = listen(&provider).await;
    assert_eq!(server.base_url(), format!("http://{}/v1", server.address()));
    let mut socket = request(&server, &chat(), "").await;
    read_until(&mut socket, "\"total_tokens\":12").await;
    let body = streamed().to_string();
    let again = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: fake\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(again.as_bytes()).await.unwrap();
    read_until(&mut socket, "data: [DONE]\n\n\r\n0\r\n\r\n").await;
    assert_eq!(provider.violations(), Vec::<String>::new());
    assert!(provider.ended(2).await.iter().all(|seen| seen.ending == Ending::Finished));
}

#[tokio::test]
async fn a_cut_body_ends_the_connection_before_its_length() {
    let provider = scripted(&[Script::default().ending(End::Cut(After::Bytes(40)))]);
    let server = listen(&provider).await;
    let (answer, error) = read(request(&server, &chat(), "").await).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!((body.len(), error), (40, None));
    assert!(head.contains("content-length: ") && !head.contains("content-length: 40\r\n"), "{head}");
    assert_eq!(provider.ended(1).await[0].ending, Ending::Cut);
}

#[tokio::test]
async fn a_cut_stream_ends_without_the_last_chunk() {
    let provider = scripted(&[Script::default().ending(End::Cut(After::Pieces(3)))]);
    let server = listen(&provider).await;
    let (answer, _) = read(request(&server, &streamed(), "").await).await;
    assert_eq!(answer.matches("data: ").count(), 3, "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let provider = scripted(&[Script::default().ending(End::Reset(After::Pieces(0)))]);
    let server = listen(&provider).await;
    let (_, error) = read(request(&server, &streamed(), "").await).await;
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_provider_that_closes_sends_nothing() {
    let provider = scripted(&[Script::closes()]);
    let server = listen(&provider).await;
    let (answer, _) = read(request(&server, &chat(), "").await).await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_caller_that_leaves_is_noticed_even_by_a_provider_that_is_silent() {
    let provider = scripted(&[Script::hangs(), Script::role_then_silence()]);
    let server = listen(&provider).await;
    drop(request(&server, &chat(), "").await);
    assert_eq!(provider.ended(1).await[0].ending, Ending::ClientClosed);

    let mut socket = request(&server, &streamed(), "").await;
    read_until(&mut socket, "\"role\":\"assistant\"").await;
    drop(socket);
    assert_eq!(provider.ended(2).await[1].ending, Ending::ClientClosed);
}

#[tokio::test]
async fn a_body_without_a_length_is_refused() {
    let provider = scripted(&[]);
    let server = listen(&provider).await;
    let body = chat().to_string();
    let text = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: fake\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    read_until(&mut socket, "HTTP/1.1 400").await;
    assert!(provider.violations()[0].contains("content-length"));
}

#[tokio::test]
async fn hop_by_hop_headers_are_refused() {
    let provider = scripted(&[]);
    let server = listen(&provider).await;
    let mut socket = request(&server, &chat(), "te: trailers\r\nkeep-alive: timeout=5\r\n").await;
    read_until(&mut socket, "HTTP/1.1 400").await;
    assert_eq!(provider.violations().len(), 2);
}
