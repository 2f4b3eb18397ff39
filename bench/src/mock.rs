//! The upstream: an OpenAI chat server that thinks nothing and answers at once, or streams 100 chunks.
//!
//! It counts what it serves; `GET /served` tells. Not a strict server for tests of behaviour (that is the testkit's
//! fake provider): this one must cost as little as possible. Shapes of answers: OpenAI's API reference, "Create chat
//! completion" and "Chat completion chunk object".

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::Sleep;

use crate::body::MODEL_BURST;
use crate::error::{Context as _, Result};

/// Chunks of content in a stream. Its events are four more: role, finish, usage, `[DONE]`.
const CHUNKS: u32 = 100;
/// Between two events of a stream with pauses.
const PAUSE: Duration = Duration::from_millis(10);
/// A body longer than this is not one of ours.
const BODY_BYTES_MAX: usize = 4 << 20;

/// How many chat requests were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Served {
    /// In one piece.
    pub(crate) buffered: u64,
    /// As a stream.
    pub(crate) streamed: u64,
}

impl Served {
    /// Both kinds.
    pub(crate) fn total(self) -> u64 {
        self.buffered + self.streamed
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
    answer: Bytes,
    events: Vec<Bytes>,
}

/// The fields that decide; everything else is skipped.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: bool,
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
            answer: answer(),
            events: events(),
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
    let respond = match (request.method(), request.uri().path()) {
        (&Method::POST, "/v1/chat/completions") => chat(&state, request.into_body()).await,
        (&Method::GET, "/v1/models") => json(StatusCode::OK, r#"{"object":"list","data":[]}"#),
        (&Method::GET, "/served") => {
            let served = Served {
                buffered: state.buffered.load(Ordering::Relaxed),
                streamed: state.streamed.load(Ordering::Relaxed),
            };
            json(StatusCode::OK, serde_json::to_string(&served).unwrap_or_default())
        }
        _ => refusal(StatusCode::NOT_FOUND, "no such route"),
    };
    Ok(respond)
}

async fn chat(state: &Arc<State>, body: Incoming) -> Response<Answer> {
    let Ok(body) = http_body_util::Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is cut or too long");
    };
    let body = body.to_bytes();
    let Ok(asked) = serde_json::from_slice::<Asked<'_>>(&body) else {
        return refusal(StatusCode::BAD_REQUEST, "the body is not a chat request");
    };
    if !asked.stream {
        state.buffered.fetch_add(1, Ordering::Relaxed);
        return json(StatusCode::OK, state.answer.clone());
    }
    state.streamed.fetch_add(1, Ordering::Relaxed);
    let pace = if asked.model.ends_with(burst_suffix()) { Pace::None } else { Pace::Next(None) };
    let stream = Answer::Events { state: Arc::clone(state), next: 0, pace };
    with_headers(StatusCode::OK, "text/event-stream; charset=utf-8", stream)
}

/// What a gateway that knows the model by its own id leaves of the public name.
fn burst_suffix() -> &'static str {
    MODEL_BURST.rsplit('/').next().unwrap_or(MODEL_BURST)
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

/// When the next event of a stream may leave.
enum Pace {
    None,
    Next(Option<Pin<Box<Sleep>>>),
}

/// The body of an answer.
enum Answer {
    Whole(Option<Bytes>),
    Events { state: Arc<State>, next: usize, pace: Pace },
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events { state, next, pace } => {
                let Some(event) = state.events.get(*next) else { return Poll::Ready(None) };
                if let Pace::Next(until) = pace {
                    if let Some(until) = until
                        && until.as_mut().poll(context).is_pending()
                    {
                        return Poll::Pending;
                    }
                    let sleep = until.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::ZERO)));
                    // From when it was due, so that late wake-ups do not add up.
                    let due = sleep.deadline() + PAUSE;
                    sleep.as_mut().reset(due);
                }
                *next += 1;
                Poll::Ready(Some(Ok(Frame::data(event.clone()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Events { state, next, .. } => *next >= state.events.len(),
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Events { .. } => http_body::SizeHint::default(),
        }
    }
}

const ID: &str = "chatcmpl-9f8e7d6c5b4a39281706f5e4d3c2b1a0";
const USAGE: &str = r#"{"prompt_tokens":180,"completion_tokens":160,"total_tokens":340,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#;

/// About 1.2 KB.
fn answer() -> Bytes {
    let content = "A trunk line joins two exchanges and carries many calls at once. ".repeat(11);
    let mut text = format!(
        r#"{{"id":"{ID}","object":"chat.completion","created":1793577600,"model":"chat","system_fingerprint":"fp_44709d6fcb","#
    );
    // Writing to a string cannot fail.
    _ = write!(
        text,
        r#""choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{USAGE}}}"#
    );
    Bytes::from(text)
}

fn events() -> Vec<Bytes> {
    let chunk = |choices: &str, usage: &str| {
        Bytes::from(format!(
            "data: {{\"id\":\"{ID}\",\"object\":\"chat.completion.chunk\",\"created\":1793577600,\"model\":\"chat\",\
             \"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{choices}]{usage}}}\n\n"
        ))
    };
    let choice = |delta: &str, finish: &str| {
        format!(r#"{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":{finish}}}"#)
    };
    let mut events = vec![chunk(&choice(r#""role":"assistant","content":"""#, "null"), r#","usage":null"#)];
    let words = ["A", " trunk", " line", " joins", " two", " exchanges", "."];
    for word in words.iter().cycle().take(CHUNKS as usize) {
        events.push(chunk(&choice(&format!(r#""content":"{word}""#), "null"), r#","usage":null"#));
    }
    events.push(chunk(&choice("", r#""stop""#), r#","usage":null"#));
    events.push(chunk("", &format!(r#","usage":{USAGE}"#)));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_takes_its_time_unless_asked_not_to() {
        let state = Mock::bind(0).await.unwrap().state;
        for (pace, least) in [(Pace::None, Duration::ZERO), (Pace::Next(None), PAUSE * (CHUNKS + 3))] {
            let start = Instant::now();
            let body = Answer::Events { state: Arc::clone(&state), next: 0, pace }.collect().await.unwrap();
            assert!(body.to_bytes().ends_with(b"data: [DONE]\n\n"));
            assert!((least..=least + PAUSE * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
        }
    }

    #[test]
    fn answers_are_what_openai_clients_read() {
        let answer: serde_json::Value = serde_json::from_slice(&answer()).unwrap();
        assert_eq!(answer["usage"]["total_tokens"], 340);
        assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
        let events = events();
        assert_eq!(events.len(), 104);
        for event in &events[..events.len() - 1] {
            let text = std::str::from_utf8(event).unwrap();
            let json = text.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
            serde_json::from_str::<serde_json::Value>(json).unwrap();
        }
    }
}
