//! What a caller sees, read as its dialect is read: a whole answer, or an error, and never both or neither.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::cases::{Dialect, Form};
use crate::support::Gateway;

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(30);

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A whole answer with this text.
    Whole(String),
    /// An error instead of an answer. The dialects of Anthropic and Google have no place for a code.
    Refused { status: u16, code: Option<String> },
    /// An answer that began with this text and ended in an error.
    Broken { text: String, code: Option<String> },
    /// No answer, or the beginning of one: the connection has ended.
    Gone,
    /// Anything else.
    Neither(String),
}

/// Asks, and says what came and after how many milliseconds.
pub(crate) async fn ask(
    gateway: &Gateway,
    (dialect, form): (Dialect, Form),
    request: Request<Full<Bytes>>,
) -> (Outcome, u128) {
    let asked = Instant::now();
    let answering = async {
        let Some((status, body)) = exchange(gateway, request).await else { return Outcome::Gone };
        read(dialect, form, status, &body)
    };
    let outcome = timeout(LONG, answering).await;
    (outcome.unwrap_or_else(|_| Outcome::Neither("no end".to_owned())), asked.elapsed().as_millis())
}

/// The status and the whole body; none where the connection ends before.
async fn exchange(gateway: &Gateway, request: Request<Full<Bytes>>) -> Option<(u16, String)> {
    let stream = TcpStream::connect(gateway.address()).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(async move { connection.await.ok() });
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, String::from_utf8(body.to_vec()).unwrap()))
}

fn read(dialect: Dialect, form: Form, status: u16, body: &str) -> Outcome {
    let outcome = match (status, form) {
        (200, Form::Streamed) => streamed(dialect, body),
        (200, Form::Buffered) => buffered(dialect, body),
        _ => {
            serde_json::from_str(body).ok().and_then(|body| error(dialect, &body)).map(|error| match error {
                Said::Code(code) => Outcome::Refused { status, code: Some(code) },
                Said::Nothing => Outcome::Refused { status, code: None },
            })
        }
    };
    outcome.unwrap_or_else(|| Outcome::Neither(format!("{status}: {body}")))
}

/// What an error says of its code.
enum Said {
    Code(String),
    /// The dialect has no place for it.
    Nothing,
}

/// A body, or an event, that is an error of the dialect.
fn error(dialect: Dialect, body: &Value) -> Option<Said> {
    let error = body.get("error")?;
    error["message"].as_str().filter(|message| !message.is_empty())?;
    match dialect {
        Dialect::Chat | Dialect::Responses => {
            error["type"].as_str()?;
            error["code"].as_str().map(|code| Said::Code(code.to_owned()))
        }
        Dialect::Anthropic => (body["type"] == "error" && error["type"].is_string()).then_some(Said::Nothing),
        Dialect::Gemini => (error["code"].is_u64() && error["status"].is_string()).then_some(Said::Nothing),
    }
}

fn buffered(dialect: Dialect, body: &str) -> Option<Outcome> {
    let body: Value = serde_json::from_str(body).ok()?;
    let (text, finish, finished) = match dialect {
        Dialect::Chat => ("/choices/0/message/content", "/choices/0/finish_reason", "stop"),
        Dialect::Responses => ("/output/0/content/0/text", "/status", "completed"),
        Dialect::Anthropic => ("/content/0/text", "/stop_reason", "end_turn"),
        Dialect::Gemini => ("/candidates/0/content/parts/0/text", "/candidates/0/finishReason", "STOP"),
    };
    // OpenAI's responses have an `error` that is null.
    let is_whole = body.pointer(finish)? == finished && body.get("error").is_none_or(Value::is_null);
    let text = body.pointer(text)?.as_str()?.to_owned();
    is_whole.then_some(Outcome::Whole(text))
}

/// Reads a stream. Its last event says how it has ended; nothing comes after it.
fn streamed(dialect: Dialect, body: &str) -> Option<Outcome> {
    let data: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (done, data): (Vec<&str>, Vec<&str>) = data.into_iter().partition(|data| *data == "[DONE]");
    let events: Vec<Value> = data.into_iter().map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
    let text = match dialect {
        Dialect::Chat => "/choices/0/delta/content",
        Dialect::Responses => "/delta",
        Dialect::Anthropic => "/delta/text",
        Dialect::Gemini => "/candidates/0/content/parts/0/text",
    };
    let text = events.iter().filter_map(|event| event.pointer(text)?.as_str()).collect::<String>();
    let errors: Vec<usize> = (0..events.len()).filter(|at| error(dialect, &events[*at]).is_some()).collect();
    let ends: Vec<usize> = (0..events.len()).filter(|at| ends(dialect, &events[*at])).collect();
    let terminal = dialect != Dialect::Chat || done.len() == 1 && body.trim_end().ends_with("data: [DONE]");
    match (errors.as_slice(), ends.as_slice()) {
        ([], [_]) if terminal => Some(Outcome::Whole(text)),
        // Of a chat and Gemini's answer, the finish can have come before the end that is missing.
        ([at], ends) if terminal && at + 1 == events.len() => {
            let finishes = matches!(dialect, Dialect::Chat | Dialect::Gemini);
            let code = match error(dialect, &events[*at])? {
                Said::Code(code) => Some(code),
                Said::Nothing => None,
            };
            (ends.is_empty() || finishes).then_some(Outcome::Broken { text, code })
        }
        _ => None,
    }
}

/// Whether an event says that the answer is whole.
fn ends(dialect: Dialect, event: &Value) -> bool {
    match dialect {
        Dialect::Chat => event["choices"][0]["finish_reason"] == "stop",
        Dialect::Responses => event["type"] == "response.completed",
        Dialect::Anthropic => event["type"] == "message_stop",
        Dialect::Gemini => event["candidates"][0]["finishReason"] == "STOP",
    }
}
