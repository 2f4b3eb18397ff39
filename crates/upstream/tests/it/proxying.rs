//! Calls through an HTTP proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::connect::proxy::ProxyConfig;
use trunkline_upstream::origin::Origin;

use crate::support::{Authority, call, echo, exchange, pools, read_request, serve};

fn through(proxy: SocketAddr, no_proxy: &str) -> Arc<ProxyConfig> {
    Arc::new(ProxyConfig::parse(&format!("http://user:canary@{proxy}"), no_proxy).unwrap())
}

/// A proxy that answers `CONNECT` with this status line and, when it is a success, joins the client with `target`.
async fn tunnel(status: &'static str, target: SocketAddr) -> (SocketAddr, mpsc::Receiver<String>) {
    let (seen, requests) = mpsc::channel(8);
    let (address, _) = serve(move |mut stream, _| {
        let seen = seen.clone();
        async move {
            seen.send(read_request(&mut stream).await.unwrap()).await.unwrap();
            stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
            if status.starts_with("200") {
                let mut onwards = TcpStream::connect(target).await.unwrap();
                copy_bidirectional(&mut stream, &mut onwards).await.ok();
            }
        }
    })
    .await;
    (address, requests)
}

#[tokio::test]
async fn an_http_origin_is_asked_for_in_absolute_form() {
    let (proxy, connections) = serve(|stream, _| echo(stream)).await;
    let origin = Origin::parse("http://provider.example:8080/v1").unwrap().with_proxy(through(proxy, ""));
    let (pools, origin) = (pools(), Arc::new(origin));
    for _ in 0..2 {
        let (_, request) = exchange(&pools, call(&origin)).await.unwrap();
        let request = String::from_utf8(request.to_vec()).unwrap();
        assert!(request.starts_with("POST http://provider.example:8080/v1/chat HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("host: provider.example:8080\r\n"), "{request}");
        assert!(request.contains("proxy-authorization: Basic dXNlcjpjYW5hcnk=\r\n"), "{request}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_https_origin_is_reached_through_a_tunnel_that_sees_no_request() {
    let authority = Authority::new(&["http/1.1"]);
    let acceptor = authority.acceptor.clone();
    let (target, _) = serve(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let request = read_request(&mut stream).await.unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{request}", request.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let (proxy, mut requests) = tunnel("200 Connection established", target).await;
    let origin = Origin::parse("https://provider.example:9443").unwrap().with_roots(authority.roots());
    let origin = Arc::new(origin.with_proxy(through(proxy, "")));
    let answered = exchange(&pools(), call(&origin)).await;
    let connect = requests.recv().await.unwrap();
    assert!(connect.starts_with("CONNECT provider.example:9443 HTTP/1.1\r\n"), "{connect}");
    assert!(connect.contains("proxy-authorization: Basic dXNlcjpjYW5hcnk=\r\n"), "{connect}");
    let (_, request) = answered.unwrap();
    let request = String::from_utf8(request.to_vec()).unwrap();
    assert!(
        request.starts_with("POST /chat HTTP/1.1\r\n") && !request.contains("proxy-authorization"),
        "{request}"
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_is_a_connection_failure_without_the_credential() {
    let (proxy, _requests) =
        tunnel("407 Proxy Authentication Required", "127.0.0.1:1".parse().unwrap()).await;
    let origin = Origin::parse("https://provider.example").unwrap().with_proxy(through(proxy, ""));
    let error = exchange(&pools(), call(&Arc::new(origin))).await.unwrap_err();
    assert_eq!(error.cause, Cause::ConnectFailed);
    assert!(error.message.contains("407"), "{}", error.message);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("canary") && !shown.contains("dXNlcjpjYW5hcnk"), "{shown}");
}

#[tokio::test]
async fn exceptions_go_straight() {
    let (address, connections) = serve(|stream, _| echo(stream)).await;
    let nobody = "127.0.0.1:1".parse().unwrap();
    let pools = crate::support::pools_resolving_to(&["127.0.0.1"]);
    let origin = Origin::parse(&format!("http://inside.example:{}", address.port())).unwrap();
    let origin = Arc::new(origin.with_proxy(through(nobody, "other.example,.example")));
    assert_eq!(exchange(&pools, call(&origin)).await.unwrap().0, 200);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
