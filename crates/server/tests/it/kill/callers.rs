//! Callers of a gateway that is about to be killed: they count what happens to them, and expect nothing.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::Gateway;

/// How an answer is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Buffered,
    Streamed,
}

/// Callers with one key, each on a connection of its own.
pub(super) struct Callers {
    address: SocketAddr,
    key: String,
    /// Requests that were sent, heads and pieces of answers that came.
    events: watch::Sender<u64>,
    tasks: JoinSet<()>,
}

impl Callers {
    pub(super) fn new(gateway: &Gateway, key: &str) -> Self {
        let (address, key) = (gateway.address(), key.to_owned());
        Self { address, key, events: watch::Sender::new(0), tasks: JoinSet::new() }
    }

    /// Sends a request of a session. The provider's log knows it by the same name.
    pub(super) fn call(&mut self, session: &str, form: Form) {
        let said = format!("What is the weather? [[{session}]]");
        let body = json!({
            "model": "acme/m",
            "stream": matches!(form, Form::Streamed),
            "session_id": session,
            "messages": [{ "role": "user", "content": said }],
        });
        let request = Request::post("/v1/chat/completions")
            .header("host", "gateway")
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))
            .unwrap();
        let (address, events) = (self.address, self.events.clone());
        self.tasks.spawn(async move {
            // The gateway is killed while it answers: that is no failure here.
            call(address, request, &events).await.ok();
        });
    }

    /// Waits until every request has its answer, or none can come.
    pub(super) async fn ended(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }

    /// Waits until so many things have happened, or for as long as `patience`; whether they have.
    pub(super) fn happened(&self, count: u64, patience: Duration) -> impl Future<Output = bool> + use<> {
        let mut events = self.events.subscribe();
        async move {
            timeout(patience, events.wait_for(|events| *events >= count)).await.is_ok_and(|seen| seen.is_ok())
        }
    }
}

async fn call(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
    events: &watch::Sender<u64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let happened = || events.send_modify(|count| *count += 1);
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let sending = sender.send_request(request);
        happened();
        let mut body = sending.await?.into_body();
        happened();
        while let Some(frame) = body.frame().await {
            frame?;
            happened();
        }
        Ok(())
    };
    tokio::select! {
        ended = exchange => ended,
        // The connection is driven here; where it ends first, the exchange is told by its next step.
        Err(error) = connection => Err(error.into()),
    }
}
