//! What the gateway listens on and speaks: HTTP/1.1, HTTP/2, TLS, Unix sockets, IPv6; and clients that misbehave.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::{Gateway, USUAL, chat, directory, exchange};

const CHAT: &str = "/v1/chat/completions";

/// Two requests at once over one HTTP/2 connection.
async fn two_over_h2<S>(gateway: &Gateway, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    let ask = || {
        let mut sender = sender.clone();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://gateway{CHAT}"))
            .version(Version::HTTP_2)
            .header("authorization", format!("Bearer {}", gateway.key))
            .body(Full::<Bytes>::from(chat("sandbox/echo-small").to_string()))
            .unwrap();
        async move {
            let response = sender.send_request(request).await.unwrap();
            assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
            response.into_body().collect().await.unwrap().to_bytes()
        }
    };
    let (one, two) = tokio::join!(ask(), ask());
    assert!(!one.is_empty() && !two.is_empty());
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    let gateway = Gateway::start("");
    two_over_h2(&gateway, TcpStream::connect(gateway.address()).await.unwrap()).await;
}

/// A self-signed certificate for 127.0.0.1, written where a configuration finds it; its DER.
pub(crate) fn certificate(directory: &Path) -> rustls_pki_types::CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(directory.join("certificate.pem"), certificate.pem()).unwrap();
    certificate.der().clone()
}

/// A connection that trusts exactly one certificate.
pub(crate) async fn tls(
    gateway: &Gateway,
    trusted: &rustls_pki_types::CertificateDer<'static>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(gateway.address()).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn tls_speaks_both_versions_and_takes_a_new_certificate_but_not_a_broken_one() {
    let directory = directory("[server.tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n");
    let first = certificate(directory.path());
    let gateway = Gateway::start_in(&directory, &USUAL);
    two_over_h2(&gateway, tls(&gateway, &first, "h2").await.unwrap()).await;
    let get = || gateway.request(Method::GET, "/healthz").body(Full::default()).unwrap();
    let answer = exchange(tls(&gateway, &first, "http/1.1").await.unwrap(), get()).await;
    assert_eq!(answer.status, 200);

    std::fs::write(gateway.directory.path().join("certificate.pem"), "nonsense").unwrap();
    gateway.logged("the last good one stays").await;
    assert!(tls(&gateway, &first, "http/1.1").await.is_ok());

    let second = certificate(gateway.directory.path());
    gateway.logged("another TLS certificate is in use").await;
    assert!(tls(&gateway, &second, "http/1.1").await.is_ok());
    assert!(tls(&gateway, &first, "http/1.1").await.is_err());
}

/// Flags that leave it to the configuration where callers connect.
pub(crate) const AS_CONFIGURED: [&str; 2] = ["--data-dir", "data"];

#[tokio::test]
async fn a_unix_socket_is_its_owners_and_replaces_a_stale_one() {
    let directory = directory("[server]\nlisten = \"unix:gateway.sock\"\nadmin_listen = \"127.0.0.1:0\"\n");
    // A socket nobody answers at, as a killed process leaves it.
    drop(std::os::unix::net::UnixListener::bind(directory.path().join("gateway.sock")).unwrap());
    let gateway = Gateway::start_in(&directory, &AS_CONFIGURED);
    assert_eq!(gateway.listen, "unix:gateway.sock");
    let path = gateway.directory.path().join("gateway.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let request = gateway.request(Method::GET, "/v1/models").body(Full::default()).unwrap();
    assert_eq!(exchange(UnixStream::connect(&path).await.unwrap(), request).await.status, 200);
}

#[tokio::test]
async fn ipv6_and_names_are_listened_on() {
    for host in ["[::1]", "localhost", "[::]"] {
        let directory =
            directory(&format!("[server]\nlisten = \"{host}:0\"\nadmin_listen = \"127.0.0.1:0\"\n"));
        let gateway = Gateway::start_in(&directory, &AS_CONFIGURED);
        let port = gateway.listen.rsplit_once(':').unwrap().1.to_owned();
        let addresses: &[&str] = if host == "[::1]" { &["[::1]"] } else { &["[::1]", "127.0.0.1"] };
        for address in addresses {
            let stream = TcpStream::connect(format!("{address}:{port}")).await.unwrap();
            let request = gateway.request(Method::GET, "/healthz").body(Full::default()).unwrap();
            assert_eq!(exchange(stream, request).await.status, 200, "{host} at {address}");
        }
    }
}

#[tokio::test]
async fn a_client_that_dribbles_its_head_is_cut() {
    let gateway = Gateway::start("[server.limits]\nheader_read_timeout_ms = 200\n");
    for start in ["", "P", "PRI * HTT", "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // The end of the stream, or a reset: nothing more comes either way.
        stream.read_to_end(&mut rest).await.ok();
        assert!(rest.is_empty(), "{start:?}: {}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test]
async fn headers_beyond_the_cap_are_refused() {
    let gateway = Gateway::start("[server.limits]\nheader_bytes_max = 8192\n");
    let request = gateway.request(Method::GET, "/v1/models").header("x-long", "x".repeat(10_000));
    assert_eq!(gateway.send(request.body(Full::default()).unwrap()).await.status, 431);
    let mut many = gateway.request(Method::GET, "/v1/models");
    for number in 0..200 {
        many = many.header(format!("x-{number}"), "1");
    }
    assert_eq!(gateway.send(many.body(Full::default()).unwrap()).await.status, 431);
}
