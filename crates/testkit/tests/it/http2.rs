//! The same provider over TLS and HTTP/2, seen by a client that shows frames.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::Request;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trunkline_testkit::fake_provider::script::{After, End, ErrorCode, Sign};
use trunkline_testkit::fake_provider::{Certificate, Ending, FakeProvider, Script, Server, Validity};

use crate::{chat, scripted, streamed};

const MIDWAY: After = After::Pieces(3);

async fn listen(provider: &FakeProvider, certificate: &Certificate) -> Server {
    provider.listen_http2(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), certificate).await.unwrap()
}

async fn shake_hands(server: &Server, certificate: &Certificate) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()).unwrap();
    let mut config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

async fn connect(server: &Server, certificate: &Certificate) -> SendRequest<Bytes> {
    let stream = shake_hands(server, certificate).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    client
}

/// What came: the body so far, and the error that ended it.
#[derive(Debug)]
struct Came {
    body: String,
    error: Option<h2::Error>,
}

impl Came {
    fn reason(&self) -> Option<Reason> {
        self.error.as_ref()?.reason()
    }

    fn left_out(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.is_go_away() && error.is_remote())
    }
}

async fn ask(client: &SendRequest<Bytes>, body: &Value) -> Result<String, Came> {
    let mut came = Came { body: String::new(), error: None };
    let asking = async {
        let body = body.to_string();
        let request = Request::post("https://fake/v1/chat/completions")
            .header("content-type", "application/json")
            .header("content-length", body.len());
        let mut client = client.clone().ready().await?;
        let (response, mut upload) = client.send_request(request.body(()).unwrap(), false)?;
        upload.send_data(body.into(), true)?;
        let mut body = response.await?.into_body();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            body.flow_control().release_capacity(piece.len())?;
            came.body.push_str(&String::from_utf8_lossy(&piece));
        }
        Ok(())
    };
    match asking.await {
        Ok(()) => Ok(came.body),
        Err(error) => Err(Came { error: Some(error), ..came }),
    }
}

/// One call over a connection of its own, and how it ended at the provider.
async fn meets(script: Script) -> (Result<String, Came>, Vec<Ending>) {
    let (provider, certificate) = (scripted(&[script]), Certificate::new(Validity::Valid).unwrap());
    let server = listen(&provider, &certificate).await;
    let came = ask(&connect(&server, &certificate).await, &streamed()).await;
    assert_eq!(provider.violations(), Vec::<String>::new());
    (came, provider.log().iter().map(|seen| seen.ending).collect())
}

fn midway(sign: Sign) -> Script {
    Script::default().ending(End::Sign(sign, MIDWAY))
}

#[tokio::test]
async fn answers_come_over_one_connection() {
    let (provider, certificate) = (scripted(&[]), Certificate::new(Validity::Valid).unwrap());
    let server = listen(&provider, &certificate).await;
    assert_eq!(server.base_url(), format!("https://{}/v1", server.address()));
    let client = connect(&server, &certificate).await;
    let (chat, streamed) = (chat(), streamed());
    let (buffered, streamed) = tokio::join!(ask(&client, &chat), ask(&client, &streamed));
    assert!(buffered.unwrap().contains("\"total_tokens\":12"));
    assert!(streamed.unwrap().ends_with("data: [DONE]\n\n"));
    assert_eq!(provider.violations(), Vec::<String>::new());
    assert!(provider.ended(2).await.iter().all(|seen| seen.ending == Ending::Finished));
}

#[tokio::test]
async fn a_reset_stream_says_why() {
    let codes = [
        (ErrorCode::RefusedStream, Reason::REFUSED_STREAM),
        (ErrorCode::InternalError, Reason::INTERNAL_ERROR),
        (ErrorCode::Cancel, Reason::CANCEL),
    ];
    for (code, reason) in codes {
        let (came, endings) = meets(Script::signs(Sign::RstStream(code))).await;
        assert_eq!(came.unwrap_err().reason(), Some(reason));
        // What is refused was never a call.
        assert_eq!(endings, vec![Ending::Cut; usize::from(code != ErrorCode::RefusedStream)]);

        let (came, endings) = meets(midway(Sign::RstStream(code))).await;
        let came = came.unwrap_err();
        assert_eq!((came.reason(), came.body.matches("data: ").count()), (Some(reason), 3));
        assert_eq!(endings, [Ending::Cut]);
    }
}

#[tokio::test]
async fn a_goaway_without_an_error_lets_the_answer_end_and_nothing_else_begin() {
    let sign = Sign::GoAway(ErrorCode::NoError);
    for script in [Script::signs(sign), midway(sign)] {
        let (provider, certificate) = (scripted(&[script]), Certificate::new(Validity::Valid).unwrap());
        let server = listen(&provider, &certificate).await;
        let client = connect(&server, &certificate).await;
        assert!(ask(&client, &streamed()).await.unwrap().ends_with("data: [DONE]\n\n"));
        assert!(ask(&client, &streamed()).await.is_err());
        let endings: Vec<Ending> = provider.log().iter().map(|seen| seen.ending).collect();
        assert_eq!(endings, [Ending::Finished]);
    }
}

#[tokio::test]
async fn a_goaway_with_an_error_ends_the_connection() {
    let sign = Sign::GoAway(ErrorCode::EnhanceYourCalm);
    for (script, pieces) in [(Script::signs(sign), 0), (midway(sign), 3)] {
        let (came, endings) = meets(script).await;
        let came = came.unwrap_err();
        assert!(!came.left_out(), "{came:?}");
        assert_eq!((came.body.matches("data: ").count(), endings), (pieces, vec![Ending::Cut]));
    }
}

#[tokio::test]
async fn a_stream_left_out_by_goaway_was_never_a_call() {
    let (came, endings) = meets(Script::signs(Sign::LeftOut)).await;
    let came = came.unwrap_err();
    assert!(came.left_out(), "{came:?}");
    assert_eq!(endings, []);
    let (came, endings) = meets(midway(Sign::LeftOut)).await;
    let came = came.unwrap_err();
    assert!(came.left_out() && came.body.matches("data: ").count() == 3, "{came:?}");
    assert_eq!(endings, [Ending::Cut]);
}

#[tokio::test]
async fn a_closed_connection_and_a_caller_that_leaves_are_what_they_are() {
    let cut = Script::default().ending(End::Cut(MIDWAY));
    for (script, pieces) in [(Script::closes(), 0), (cut, 3)] {
        let (came, endings) = meets(script).await;
        let came = came.unwrap_err();
        assert!(came.reason().is_none() && came.body.matches("data: ").count() == pieces, "{came:?}");
        assert_eq!(endings, [Ending::Cut]);
    }
    let (provider, certificate) = (scripted(&[Script::hangs()]), Certificate::new(Validity::Valid).unwrap());
    let server = listen(&provider, &certificate).await;
    let client = connect(&server, &certificate).await;
    let body = chat();
    let leaves = async {
        while provider.log().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        came = ask(&client, &body) => panic!("{came:?}"),
        () = leaves => {}
    }
    assert_eq!(provider.ended(1).await[0].ending, Ending::ClientClosed);
}

#[tokio::test]
async fn an_expired_certificate_is_seen_by_whoever_trusts_it() {
    let (provider, certificate) = (scripted(&[]), Certificate::new(Validity::Expired).unwrap());
    let server = listen(&provider, &certificate).await;
    let error = shake_hands(&server, &certificate).await.unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}
