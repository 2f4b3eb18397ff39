//! Bodies: too large, too many, too slow.

use http::Method;
use http_body_util::Full;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{Fake, Gateway, chat};
use trunkline_testkit::fake_provider::Script;

const CHAT: &str = "/v1/chat/completions";

/// Everything a connection says until it closes.
async fn all(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_body_over_the_cap_is_refused_before_it_is_read() {
    let gateway = Gateway::start("[server.limits]\nbody_bytes_max = 4096\n");
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\ncontent-length: 5000\r\n\r\n",
        gateway.key
    );
    // Not one byte of the body is sent.
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(all(&mut stream).await.starts_with("HTTP/1.1 413"));

    let mut chunked = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n",
        gateway.key
    );
    let body = format!("1388\r\n{}\r\n0\r\n\r\n", "x".repeat(5_000));
    chunked.write_all((head + &body).as_bytes()).await.unwrap();
    assert!(all(&mut chunked).await.starts_with("HTTP/1.1 413"));

    let fits = gateway.request(Method::POST, CHAT).body(Full::from(chat("sandbox/echo-small").to_string()));
    assert_eq!(gateway.send(fits.unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_wrong_key_with_a_large_body_still_gets_its_answer() {
    let gateway = Gateway::start("");
    let request = http::Request::post(CHAT).header("host", "x").header("authorization", "Bearer sk-tl-wrong");
    let body = Full::from(vec![b'x'; 8 << 20]);
    assert_eq!(gateway.send(request.body(body).unwrap()).await.status, 401);
}

#[tokio::test]
async fn all_bodies_together_have_a_budget() {
    let fake = Fake::with(&[Script::hangs()]).await;
    let limits = "[server.limits]\nbody_bytes_max = 65536\nbodies_bytes_max = 65536\n\n";
    let gateway = Gateway::start(&(limits.to_owned() + &fake.account("one", 0)));
    let mut large = chat("acme/m");
    large["metadata"] = json!({ "padding": "x".repeat(50_000) });
    // The first body is held as long as its provider is asked.
    let _client = gateway.open(CHAT, &large).await;
    fake.asked().await;
    let refused = gateway.post(CHAT, &large).await;
    assert_eq!((refused.status, &*refused.code()), (503, "overloaded"));
    assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), (Some("1"), Some("1000")));
    assert_eq!(gateway.post(CHAT, &chat("sandbox/echo-small")).await.status, 200);
}
