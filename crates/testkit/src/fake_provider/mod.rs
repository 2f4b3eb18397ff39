//! A provider that does what a script says and lets nothing improper pass.
//!
//! What it is: a server of several APIs, which it tells apart by path: OpenAI's (`POST /chat/completions`, `/completions`,
//! `/embeddings`, `GET /models`, `POST /responses` with what it keeps of them below `/responses/{id}`, with or without `/v1`
//! before it), Anthropic's (`POST /messages`, `/messages/count_tokens`, `GET /models` with `anthropic-version`) and Gemini's
//! (`POST /models/{model}:generateContent`, `:streamGenerateContent`, `:countTokens`, with or without `/v1beta` or `/v1`),
//! Cohere's (`POST /v2/chat`), Mistral's (`POST /mistral/v1/chat/completions`), Bedrock's (`POST /model/{model}/converse`,
//! `…/converse-stream`) and Ollama's own (`POST /api/chat`). It answers correctly unless told otherwise, refuses in the
//! provider's own words what a strict provider would refuse, signs the thoughts it hands out and takes back only those, and
//! keeps a [`log`] of every call with what it would bill. It runs over real TCP ([`FakeProvider::listen`]; with TLS and
//! HTTP/2, [`FakeProvider::listen_http2`]) or as a [`Dispatch`] in this process, where paused tokio time makes its waits
//! free. What it is not: a model, nor a stand-in for any particular provider's quirks.
//!
//! Where to look first: [`script::Script`] (what can go wrong), [`log::Seen`] (what is known afterwards).

#![expect(
    clippy::disallowed_methods,
    reason = "answers are made with `json!`, which calls `to_value` on literals and numbers: nothing is lost"
)]

pub mod log;
pub mod script;

mod anthropic;
mod api;
mod bedrock;
mod body;
mod cache;
mod cohere;
mod findings;
mod gemini;
mod headers;
mod http2;
mod line;
mod ollama;
mod openai;
mod plan;
mod seal;
mod serve;
mod shape;
mod socket;
mod speech;
mod tls;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Deserialize;
use trunkline_domain::attempt::Cause;
use trunkline_upstream::dispatch::{Call, Dispatch, DispatchError, DispatchFuture, Response, ResponseBytes};

pub use log::{Billed, Ending, Seen};
pub use openai::strict::GATEWAY_FIELDS;
pub use script::Script;
pub use serve::Server;
pub use tls::{Certificate, Validity};

use api::Api;
use body::ScriptedBody;
use cache::Cache;
use line::Line;
use log::Log;
use openai::responses::kept::Kept;
use plan::{Memory, Planned};

/// How a provider is set up.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// The key it accepts; without one it accepts everybody.
    pub key: Option<String>,
    /// Whose signatures it accepts as well, where its API has signatures.
    pub signing: Option<Signing>,
    /// Models it serves; without any it serves every name.
    pub models: Vec<String>,
    /// Scripts of the first calls it accepts, in order.
    pub scripts: Vec<Script>,
    /// Scripts of all later calls, in turns; without any they are answered correctly.
    pub otherwise: Vec<Script>,
    /// Who calls, and so which headers are improper.
    pub caller: Caller,
    /// Top-level body fields it knows beyond the API's.
    pub fields: Vec<String>,
    /// Request headers it tolerates from a gateway beyond those a gateway sends of its own.
    pub headers: Vec<String>,
    /// What closing the connection does to the bill.
    pub disconnect: Disconnect,
    /// Where each call is appended as one line of JSON when it ends.
    pub log_file: Option<PathBuf>,
}

/// The keys of an identity that signs its calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// Names it.
    pub access_key_id: String,
    /// What signatures are made with.
    pub secret_access_key: String,
}

impl Setup {
    /// The models it lists.
    fn listed(&self) -> Vec<String> {
        if self.models.is_empty() { vec!["fake-model".to_owned()] } else { self.models.clone() }
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// A gateway: headers of its own only.
    #[default]
    Gateway,
    /// An SDK or a person: any headers.
    Anyone,
}

/// What closing the connection does to the bill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disconnect {
    /// What was sent is billed.
    #[default]
    StopsBill,
    /// The whole answer is billed.
    BillsAll,
}

/// The provider. Clones are the same provider.
#[derive(Clone, Debug)]
pub struct FakeProvider {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    setup: Setup,
    scripts: Mutex<Scripts>,
    log: Arc<Log>,
    cache: Cache,
    kept: Kept,
}

#[derive(Debug, Default)]
struct Scripts {
    first: VecDeque<Script>,
    later: usize,
}

impl Scripts {
    fn peek<'a>(&'a self, otherwise: &'a [Script]) -> Option<&'a Script> {
        let turn = self.later.checked_rem(otherwise.len()).unwrap_or(0);
        self.first.front().or_else(|| otherwise.get(turn))
    }

    fn next(&mut self, otherwise: &[Script]) -> Script {
        let next = self.peek(otherwise).cloned().unwrap_or_default();
        if self.first.pop_front().is_none() {
            self.later += 1;
        }
        next
    }
}

/// One request as it arrived.
pub(crate) struct Arrived {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    transport: Transport,
}

/// How a request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    InProcess,
}

/// What becomes of a request.
pub(crate) enum Outcome {
    /// A response.
    Respond { status: u16, headers: HeaderMap, body: Box<ScriptedBody> },
    /// The connection closes without one, over HTTP/2 perhaps with a sign.
    Close(Option<script::Sign>),
}

impl FakeProvider {
    /// A provider. Fails where the log file cannot be opened.
    pub fn new(setup: Setup) -> io::Result<Self> {
        let log = Arc::new(Log::new(setup.log_file.as_deref(), setup.disconnect)?);
        let scripts = Scripts { first: setup.scripts.iter().cloned().collect(), later: 0 };
        Ok(Self {
            shared: Arc::new(Shared {
                setup,
                scripts: Mutex::new(scripts),
                log,
                cache: Cache::default(),
                kept: Kept::default(),
            }),
        })
    }

    /// Adds a script for the next call that has none yet.
    pub fn push(&self, script: Script) {
        self.scripts().first.push_back(script);
    }

    /// Every call so far, in order of arrival.
    pub fn log(&self) -> Vec<Seen> {
        self.shared.log.calls()
    }

    /// Waits until `count` calls have ended, then returns all calls.
    pub async fn ended(&self, count: usize) -> Vec<Seen> {
        self.shared.log.ended(count).await;
        self.log()
    }

    /// Everything improper seen so far.
    pub fn violations(&self) -> Vec<String> {
        self.log().into_iter().flat_map(|seen| seen.violations).collect()
    }

    fn scripts(&self) -> std::sync::MutexGuard<'_, Scripts> {
        self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_script(&self) -> Script {
        self.scripts().next(&self.shared.setup.otherwise)
    }

    /// The sign that says that the next call is not processed, where its script wants that: it never arrives.
    fn refuses_next(&self) -> Option<script::Sign> {
        let mut scripts = self.scripts();
        let otherwise = &self.shared.setup.otherwise;
        let sign = scripts.peek(otherwise)?.head.sign().filter(|sign| sign.refuses())?;
        scripts.next(otherwise);
        Some(sign)
    }

    /// Judges a request, logs it and does what the script says, up to the head of the response.
    async fn receive(&self, arrived: Arrived, line: Line) -> Outcome {
        let number = self.shared.log.arrived(&arrived);
        let api = Api::of(&arrived.path, &arrived.headers);
        let asked = match api.judge(&self.shared.setup, &arrived, &self.shared.kept) {
            Ok(asked) => asked,
            Err(refusal) => {
                let entry = self.shared.log.open(number, &refusal.violations);
                return respond(plan::refusal(&refusal), entry, line);
            }
        };
        let mut entry = self.shared.log.open(number, &[]);
        let script = self.next_script();
        entry.bills_at_least(script.bills);
        tokio::time::sleep(Duration::from_millis(script.head_after_ms)).await;
        match script.head {
            script::Head::Answer => {}
            script::Head::Hang => std::future::pending().await,
            script::Head::Sign(sign) if sign.goes_on() && line.go_away(sign) => {}
            script::Head::Close | script::Head::Sign(_) => {
                entry.end(Ending::Cut);
                return Outcome::Close(script.head.sign());
            }
        }
        let memory = Memory { cache: &self.shared.cache, kept: &self.shared.kept };
        respond(plan::plan(&script, api, &*asked, number, memory), entry, line)
    }
}

fn respond(planned: Planned, mut entry: log::Entry, line: Line) -> Outcome {
    entry.answered(planned.status, planned.id.as_deref(), planned.total);
    let body = Box::new(ScriptedBody::new(planned.parts, planned.end, entry, line));
    Outcome::Respond { status: planned.status, headers: planned.headers, body }
}

impl Dispatch for FakeProvider {
    fn dispatch(&self, call: Call) -> DispatchFuture<'_> {
        Box::pin(async move {
            let mut headers = call.headers;
            headers.extend(call.authorization);
            let arrived = Arrived {
                method: call.method,
                path: call.path,
                headers,
                body: call.body.to_bytes(),
                transport: Transport::InProcess,
            };
            let received =
                tokio::time::timeout(call.headers_timeout, self.receive(arrived, Line::default())).await;
            match received {
                Ok(Outcome::Respond { status, headers, body }) => {
                    Ok(Response { status, headers, body: ResponseBytes::new(*body), address: None })
                }
                Ok(Outcome::Close(_)) => {
                    Err(failed(Cause::Cut, "the connection closed before the response's head"))
                }
                Err(_) => Err(failed(Cause::HeadersTimeout, "the response's head did not come in time")),
            }
        })
    }
}

fn failed(cause: Cause, message: &str) -> DispatchError {
    DispatchError { cause, message: message.to_owned() }
}
