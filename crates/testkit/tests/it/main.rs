//! The fake provider, tested through the seams its users use: `Dispatch` in paused time, and TCP.

#![expect(
    clippy::disallowed_methods,
    reason = "bodies are made with `json!`, which calls `to_value` on literals and numbers: nothing is lost"
)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests panic as tests do")]

mod billing;
mod conversations;
mod dialects;
mod http2;
mod scripts;
mod strictness;
mod tcp;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use trunkline_testkit::fake_provider::{FakeProvider, Script, Setup};
use trunkline_upstream::dispatch::{Call, Dispatch, DispatchError};
use trunkline_upstream::origin::Origin;
use trunkline_wire::splice::SplicedBody;

/// A provider that meets its calls with these scripts.
fn scripted(scripts: &[Script]) -> FakeProvider {
    FakeProvider::new(Setup { scripts: scripts.to_vec(), ..Setup::default() }).unwrap()
}

fn chat() -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "Three words [[a]]" }] })
}

fn streamed() -> Value {
    with(chat(), &json!({ "stream": true, "stream_options": { "include_usage": true } }))
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn call(path: &str, body: &str) -> Call {
    Call {
        origin: Arc::new(Origin::parse("in-process://fake").unwrap()),
        method: Method::POST,
        path: path.to_owned(),
        headers: [(HeaderName::from_static("content-type"), HeaderValue::from_static("application/json"))]
            .into_iter()
            .collect(),
        authorization: None,
        body: SplicedBody::from(Bytes::copy_from_slice(body.as_bytes())),
        connect_timeout: Duration::from_secs(5),
        headers_timeout: Duration::from_secs(30),
    }
}

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: String,
    broke_off: bool,
    silent: bool,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn events(&self) -> Vec<&str> {
        self.body
            .split_terminator("\n\n")
            .map(|event| event.strip_prefix("data: ").unwrap_or(event))
            .collect()
    }
}

/// Sends a call and reads its body to the end, or until a minute of silence.
async fn send(provider: &FakeProvider, call: Call) -> Result<Answered, DispatchError> {
    let mut response = provider.dispatch(call).await?;
    let mut answered = Answered {
        status: response.status,
        headers: response.headers.clone(),
        body: String::new(),
        broke_off: false,
        silent: false,
    };
    loop {
        match tokio::time::timeout(Duration::from_mins(1), response.body.next()).await {
            Ok(None) => return Ok(answered),
            Ok(Some(Ok(bytes))) => answered.body.push_str(&String::from_utf8_lossy(&bytes)),
            Ok(Some(Err(_))) => answered.broke_off = true,
            Err(_) => {
                answered.silent = true;
                return Ok(answered);
            }
        }
    }
}

async fn post(provider: &FakeProvider, path: &str, body: &Value) -> Answered {
    send(provider, call(path, &body.to_string())).await.unwrap()
}
