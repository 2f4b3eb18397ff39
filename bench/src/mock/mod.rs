//! The upstream: a chat server in three APIs that thinks nothing and answers at once, or streams 100 chunks. Under paths of
//! their own it is also one that refuses, one that never has content, and one that takes its time.
//!
//! It counts what it serves (`GET /served`) and how hedges end (`GET /hedges`). Not a strict server for tests of behaviour
//! (that is the testkit's fake provider): this one must cost as little as possible. What it says: [`speech`].

mod answer;
mod race;
mod speech;

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use self::answer::{Answer, Events, PAUSE, Pace};
use self::race::Race;
use self::speech::{Speech, Speeches};
use crate::error::{Context as _, Result};
use crate::question::BURST;

pub(crate) use self::race::Ends;

/// How long one that takes its time thinks.
pub(crate) const SERVICE: Duration = Duration::from_millis(200);
/// The folder of one that refuses everything.
const FAILING: &str = "/failing";
/// The folder of one that never has content.
const SILENT: &str = "/silent";
/// The folder of one that takes its time.
const PATIENT: &str = "/patient";
/// A body longer than this is not one of ours.
const BODY_BYTES_MAX: usize = 4 << 20;

/// How many chat requests were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Served {
    /// In one piece.
    pub(crate) buffered: u64,
    /// As a stream.
    pub(crate) streamed: u64,
    /// With a refusal, as that is this provider's part.
    pub(crate) refused: u64,
}

impl Served {
    /// All kinds.
    pub(crate) fn total(self) -> u64 {
        self.buffered + self.streamed + self.refused
    }
}

/// A server that is bound and not yet running.
#[derive(Debug)]
pub(crate) struct Mock {
    listener: TcpListener,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    buffered: AtomicU64,
    streamed: AtomicU64,
    refused: AtomicU64,
    speeches: Speeches,
    race: Arc<Race>,
}

/// The fields that decide; everything else is skipped.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: bool,
}

impl State {
    fn served(&self) -> Served {
        Served {
            buffered: self.buffered.load(Ordering::Relaxed),
            streamed: self.streamed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

impl Mock {
    /// Binds a loopback port; 0 takes a free one.
    pub(crate) async fn bind(port: u16) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address)
            .await
            .context(|| format!("the upstream cannot listen on {address}"))?;
        let state = State {
            buffered: AtomicU64::new(0),
            streamed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            speeches: Speeches::new(),
            race: Arc::default(),
        };
        Ok(Self { listener, state: Arc::new(state) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().context(|| "the upstream has no address".to_owned())
    }

    /// Serves until it is dropped.
    pub(crate) async fn run(self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors: some will be closed.
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            stream.set_nodelay(true).ok();
            let state = Arc::clone(&self.state);
            tokio::spawn(async move {
                let service = service_fn(|request| serve(Arc::clone(&state), request));
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new());
                // A caller that hangs up is no event here.
                http.serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    }
}

async fn serve(
    state: Arc<State>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Answer>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let respond = match (&head.method, path) {
        (&Method::GET, "/v1/models") => json(StatusCode::OK, r#"{"object":"list","data":[]}"#),
        (&Method::GET, "/served") => said(&state.served()),
        (&Method::GET, "/hedges") => said(&state.race.take()),
        (&Method::POST, _) => match role(path) {
            Some((role, speech)) => chat(&state, role, speech, path, body).await,
            None => refusal(StatusCode::NOT_FOUND, "no such route"),
        },
        _ => refusal(StatusCode::NOT_FOUND, "no such route"),
    };
    Ok(respond)
}

/// Which of an API's speeches.
type Speaks = fn(&Speeches) -> &Speech;

/// What is done with a request, once it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Answers,
    Refuses,
    IsSilent,
    TakesItsTime,
}

/// Who is asked, and in which API.
fn role(path: &str) -> Option<(Role, Speaks)> {
    let (role, path) = [(FAILING, Role::Refuses), (SILENT, Role::IsSilent), (PATIENT, Role::TakesItsTime)]
        .into_iter()
        .find_map(|(folder, role)| Some((role, path.strip_prefix(folder)?)))
        .unwrap_or((Role::Answers, path));
    let speech: Speaks = match path {
        "/v1/chat/completions" => |all| &all.openai,
        "/v1/messages" => |all| &all.anthropic,
        _ if path.starts_with(GEMINI) => |all| &all.gemini,
        _ => return None,
    };
    Some((role, speech))
}

/// Where Gemini's models are; name and method follow, `MODEL:streamGenerateContent`.
const GEMINI: &str = "/v1beta/models/";

async fn chat(
    state: &Arc<State>,
    role: Role,
    speech: Speaks,
    path: &str,
    body: Incoming,
) -> Response<Answer> {
    let Ok(body) = http_body_util::Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is cut or too long");
    };
    let body = body.to_bytes();
    let named = path.strip_prefix(GEMINI).and_then(|name| name.split_once(':'));
    let asked = match named {
        Some((model, method)) => {
            Ok(Asked { model: Cow::Borrowed(model), stream: method == "streamGenerateContent" })
        }
        None => serde_json::from_slice::<Asked<'_>>(&body),
    };
    let Ok(asked) = asked else {
        return refusal(StatusCode::BAD_REQUEST, "the body is not a chat request");
    };
    let count = |counter: &AtomicU64| _ = counter.fetch_add(1, Ordering::Relaxed);
    if role == Role::Refuses {
        count(&state.refused);
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "The server is overloaded.");
    }
    count(if asked.stream { &state.streamed } else { &state.buffered });
    if role == Role::IsSilent {
        return stream(Answer::Silent(state.race.enter()));
    }
    if role == Role::TakesItsTime {
        tokio::time::sleep(SERVICE).await;
    }
    if !asked.stream {
        return json(StatusCode::OK, speech(&state.speeches).answer.clone());
    }
    let pace = if asked.model.ends_with(BURST) { Pace::None } else { Pace::Next(None) };
    stream(Answer::Events(Events { state: Arc::clone(state), speech, next: 0, pace }))
}

fn stream(body: Answer) -> Response<Answer> {
    with_headers(StatusCode::OK, "text/event-stream; charset=utf-8", body)
}

fn said(figures: &impl Serialize) -> Response<Answer> {
    json(StatusCode::OK, serde_json::to_string(figures).unwrap_or_default())
}

fn refusal(status: StatusCode, message: &str) -> Response<Answer> {
    json(status, format!(r#"{{"error":{{"message":"{message}","type":"invalid_request_error"}}}}"#))
}

fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Answer> {
    with_headers(status, "application/json", Answer::Whole(Some(body.into())))
}

fn with_headers(status: StatusCode, content_type: &'static str, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in [
        ("x-request-id", "req_5f2b7c90a1d34e6f8b7a6c5d4e3f2a1b"),
        ("openai-processing-ms", "1"),
        ("x-ratelimit-limit-requests", "100000000"),
        ("x-ratelimit-remaining-requests", "99999999"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_who_is_asked_and_in_which_api() {
        let speeches = Speeches::new();
        let begins =
            |path: &str| role(path).map(|(role, speech)| (role, speech(&speeches).answer.slice(..8)));
        for (path, expected, begin) in [
            ("/v1/chat/completions", Role::Answers, "{\"id\":\"c"),
            ("/v1/messages", Role::Answers, "{\"id\":\"m"),
            ("/v1beta/models/generate:generateContent", Role::Answers, "{\"candid"),
            ("/failing/v1/chat/completions", Role::Refuses, "{\"id\":\"c"),
            ("/silent/v1/chat/completions", Role::IsSilent, "{\"id\":\"c"),
            ("/patient/v1/chat/completions", Role::TakesItsTime, "{\"id\":\"c"),
        ] {
            assert_eq!(begins(path), Some((expected, Bytes::from(begin))), "{path}");
        }
        assert_eq!(begins("/failing"), None);
    }
}
