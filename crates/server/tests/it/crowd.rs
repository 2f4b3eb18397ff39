//! Clients that take more than their part of the door: floods of reset streams, and more connections than there may be.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{Gateway, chat};

const CHAT: &str = "/v1/chat/completions";

/// RFC 9113 §7: a peer that generates excessive load.
const ENHANCE_YOUR_CALM: u32 = 11;
/// RFC 9113 §6.8.
const GOAWAY: u8 = 7;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// HTTP/2 with `count` requests, each reset right behind its head (CVE-2023-44487).
fn rapid_resets(count: u32) -> Vec<u8> {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const END_STREAM_AND_HEADERS: u8 = 5;
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    // RFC 7541: `:method: GET`, `:scheme: http`, `:path: /`, and `:authority: g` spelled out.
    const HEAD: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 1, b'g'];
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    for number in 0..count {
        let stream = 2 * number + 1;
        bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, stream, &HEAD));
        bytes.extend(frame(RST_STREAM, 0, stream, &CANCEL));
    }
    bytes
}

/// Floods one connection with resets; the error code it was ended with.
async fn flood(gateway: &Gateway) -> Option<u32> {
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    // It may be ended in the middle.
    let writing =
        tokio::spawn(async move { writing.write_all(&rapid_resets(5_000)).await.ok().map(|()| writing) });
    let mut said = Vec::new();
    reading.read_to_end(&mut said).await.ok();
    writing.await.unwrap();
    let mut rest = said.as_slice();
    while let [a, b, c, kind, _, _, _, _, _, payload @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == GOAWAY {
            return payload.get(4..8).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
        }
        rest = payload.get(length..).unwrap_or_default();
    }
    None
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_own_connection_and_nobody_elses_request() {
    let gateway = Gateway::start("");
    let mut codes = Vec::new();
    let floods = async {
        loop {
            codes.push(flood(&gateway).await);
        }
    };
    let others = async {
        for _ in 0..5 {
            let answer = gateway.post(CHAT, &chat("sandbox/echo-small")).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    };
    tokio::select! {
        () = floods => {}
        () = others => {}
    }
    // A connection may be reset before its last words are read, but not every time.
    assert!(codes.contains(&Some(ENHANCE_YOUR_CALM)), "{codes:?}");
    assert_eq!(gateway.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_most_wait_until_one_has_ended() {
    let gateway = Gateway::start("[server.limits]\nconnections_max = 2\n");
    let healthz = b"GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n";
    let mut seated = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        stream.write_all(healthz).await.unwrap();
        seated.push(stream);
    }
    // The system connects it, and nobody reads what it asks.
    let mut third = TcpStream::connect(gateway.address()).await.unwrap();
    third.write_all(healthz).await.unwrap();
    for stream in &mut seated {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    assert_eq!(third.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(seated.pop());
    let mut answer = [0; 12];
    third.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}
