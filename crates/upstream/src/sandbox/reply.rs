//! One call and the reply to it: which operation, which model, and what that model's nature makes of it.

use std::iter;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::ask::{self, TextAsk};
use super::chance::Chance;
use super::embed;
use super::error::ApiError;
use super::model::{Behaviour, MODELS, SandboxModel};
use super::pace::Pieces;
use super::render::{self, Head, Shape};
use crate::dispatch::BodyError;

/// What is asked.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
    pub(super) seed: u64,
    /// Number of the call.
    pub(super) turn: u64,
}

/// What is answered.
pub(super) struct Reply {
    /// Before the head arrives.
    pub(super) head_after: Duration,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) pieces: Pieces,
}

/// Replies to a request.
pub(super) fn reply(request: &Request<'_>) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    let result = match (path, request.method) {
        ("/models", &Method::GET) => Ok(whole(200, Duration::ZERO, &listing())),
        ("/chat/completions", &Method::POST) => chat(request),
        ("/completions", &Method::POST) => completion(request),
        ("/embeddings", &Method::POST) => embedding(request),
        _ => Err(ApiError::unknown_path(request.method.as_str(), path)),
    };
    let mut reply = result.unwrap_or_else(|error| failure(&error));
    let id = Chance::new(request.seed, request.body, request.turn).number();
    if let Ok(id) = HeaderValue::try_from(format!("req_{id:016x}")) {
        reply.headers.insert("x-request-id", id);
    }
    reply
}

fn chat(request: &Request<'_>) -> Result<Reply, ApiError> {
    let ask = ask::chat(&ask::object(request.body)?)?;
    if ask.text.model.behaviour == Behaviour::Embeds {
        return Err(ApiError::wrong_operation(ask.text.model.id, request.path));
    }
    let answer = || answer::chat(&ask, &mut Chance::new(request.seed, ask.question.as_bytes(), 0));
    say(request, &ask.text, Shape::Chat, answer)
}

fn completion(request: &Request<'_>) -> Result<Reply, ApiError> {
    let ask = ask::completion(&ask::object(request.body)?)?;
    if matches!(ask.text.model.behaviour, Behaviour::Embeds | Behaviour::Reasons) {
        return Err(ApiError::wrong_operation(ask.text.model.id, request.path));
    }
    let answer =
        || answer::completion(&ask, &mut Chance::new(request.seed, ask.prompts.concat().as_bytes(), 0));
    say(request, &ask.text, Shape::Completion, answer)
}

fn embedding(request: &Request<'_>) -> Result<Reply, ApiError> {
    let ask = ask::embedding(&ask::object(request.body)?)?;
    if ask.model.behaviour != Behaviour::Embeds {
        return Err(ApiError::wrong_operation(ask.model.id, request.path));
    }
    Ok(whole(200, ask.model.first_content, &embed::body(&ask)))
}

fn say(
    request: &Request<'_>,
    ask: &TextAsk,
    shape: Shape,
    answer: impl FnOnce() -> Answer,
) -> Result<Reply, ApiError> {
    let mut luck = Chance::new(request.seed, request.body, request.turn);
    match ask.model.behaviour {
        Behaviour::Overloaded if ask.stream => {
            let event = render::data(&ApiError::overloaded().body());
            return Ok(stream(Box::new(iter::once((Duration::ZERO, Ok(event))))));
        }
        Behaviour::Overloaded => return Err(ApiError::overloaded()),
        Behaviour::Flaky => match luck.below(3) {
            0 => return Err(ApiError::rate_limited(ask.model.id)),
            1 => return Err(ApiError::server_error()),
            _ => {}
        },
        Behaviour::Answers | Behaviour::Reasons | Behaviour::Cuts | Behaviour::Embeds => {}
    }
    let answer = answer();
    let prefix = match shape {
        Shape::Chat => "chatcmpl",
        Shape::Completion => "cmpl",
    };
    let head = Head {
        id: format!("{prefix}-sandbox-{:016x}", luck.number()),
        created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        model: ask.model,
        include_usage: ask.include_usage,
        shape,
    };
    Ok(if ask.stream { streamed(answer, head) } else { buffered(&answer, &head) })
}

fn streamed(answer: Answer, head: Head) -> Reply {
    let events = render::events(answer, &head);
    let half = events.len() / 2;
    let cuts = head.model.behaviour == Behaviour::Cuts;
    let pieces = events.into_iter().map(move |(wait, event)| (wait, Ok(head.event(event))));
    stream(if cuts { Box::new(pieces.take(half).chain(iter::once(cut()))) } else { Box::new(pieces) })
}

/// A buffered answer's head comes when the whole of it has been made.
fn buffered(answer: &Answer, head: &Head) -> Reply {
    let longest = answer.choices.iter().map(answer::Choice::tokens).max().unwrap_or(0);
    let tokens = u32::try_from(longest).unwrap_or(u32::MAX);
    let took = head.model.first_content.saturating_add(head.model.interval.saturating_mul(tokens));
    let mut reply = whole(200, took, &head.whole(answer));
    if head.model.behaviour == Behaviour::Cuts {
        let halved = |(wait, piece): (Duration, Result<Bytes, BodyError>)| {
            (wait, piece.map(|bytes| bytes.slice(..bytes.len() / 2)))
        };
        reply.pieces = Box::new(reply.pieces.map(halved).chain(iter::once(cut())));
    }
    reply
}

fn cut() -> (Duration, Result<Bytes, BodyError>) {
    (Duration::ZERO, Err(BodyError("connection closed before the end of the message (simulated)".to_owned())))
}

fn failure(error: &ApiError) -> Reply {
    let mut reply = whole(error.status, Duration::ZERO, &error.body());
    if let Some(seconds) = error.retry_after {
        reply.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

fn whole(status: u16, head_after: Duration, body: &Value) -> Reply {
    let body = Bytes::from(body.to_string());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Reply { head_after, status, headers, pieces: Box::new(iter::once((Duration::ZERO, Ok(body)))) }
}

fn stream(pieces: Pieces) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    Reply { head_after: Duration::ZERO, status: 200, headers, pieces }
}

fn listing() -> Value {
    let entry = |model: &SandboxModel| json!({ "id": model.id, "object": "model", "created": 0, "owned_by": "sandbox" });
    json!({ "object": "list", "data": MODELS.iter().map(entry).collect::<Vec<_>>() })
}
