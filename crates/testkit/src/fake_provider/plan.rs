//! A script and what was asked, made into a response.

use std::iter;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::api::{Api, Scripted};
use super::cache::Cache;
use super::findings::{Refusal, Said};
use super::log::Billed;
use super::openai::responses::kept::Kept;
use super::script::{self, After, Body, End, Script};

/// One piece of a body.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) wait: Duration,
    pub(crate) bytes: Bytes,
    /// The bill once it has been sent.
    pub(crate) billed: Option<Billed>,
}

/// The pieces of a body.
pub(crate) type Parts = Box<dyn Iterator<Item = Part> + Send>;

/// A response.
pub(crate) struct Planned {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) parts: Parts,
    pub(crate) end: End,
    /// The answer's id.
    pub(crate) id: Option<String>,
    /// What the whole of it costs.
    pub(crate) total: Option<Billed>,
}

const JSON: &str = "application/json";
pub(crate) const EVENTS: &str = "text/event-stream";
pub(crate) const LINES: &str = "application/x-ndjson";
pub(crate) const FRAMES: &str = "application/vnd.amazon.eventstream";

/// What streams are announced as.
const STREAMS: &[&str] = &[EVENTS, LINES, FRAMES];

/// A request that is answered.
pub(crate) trait Accepted: Send {
    /// Whether the answer is a stream.
    fn streams(&self) -> bool;

    /// The correct answer.
    fn answer(&self, making: &Making<'_>) -> Answered;
}

/// What an answer is made of beside the request.
pub(crate) struct Making<'a> {
    pub(crate) script: &'a script::Answer,
    /// Makes its id.
    pub(crate) number: u64,
    pub(crate) memory: Memory<'a>,
}

/// What the provider remembers of earlier calls.
#[derive(Clone, Copy)]
pub(crate) struct Memory<'a> {
    /// Beginnings of prompts.
    pub(crate) cache: &'a Cache,
    /// Responses.
    pub(crate) kept: &'a Kept,
}

/// A correct answer.
pub(crate) struct Answered {
    pub(crate) id: Option<String>,
    pub(crate) parts: Vec<Part>,
}

impl Making<'_> {
    /// A whole answer, when it is time to say it.
    pub(crate) fn whole(&self, body: &Value, billed: Billed) -> Vec<Part> {
        let wait = Duration::from_millis(self.script.first_content_ms);
        vec![Part { wait, bytes: body.to_string().into(), billed: Some(billed) }]
    }
}

/// A stream being made: each piece of content at the script's pace, with the bill so far.
pub(crate) struct Pieces<'a> {
    script: &'a script::Answer,
    /// What the prompt costs.
    bill: Billed,
    billed: Option<Billed>,
    parts: Vec<Part>,
}

impl<'a> Pieces<'a> {
    /// No piece yet of an answer to a prompt that costs so much.
    pub(crate) fn new(script: &'a script::Answer, prompt: Billed) -> Self {
        Self { script, bill: prompt, billed: None, parts: Vec::new() }
    }

    /// A piece that says so many more tokens; without any it comes at once.
    pub(crate) fn push(&mut self, tokens: u64, bytes: impl Into<Bytes>) {
        let wait = match (tokens, self.billed) {
            (0, _) => 0,
            (_, None) => self.script.first_content_ms,
            (_, Some(_)) => self.script.interval_ms,
        };
        self.bill.completion_tokens = self.bill.completion_tokens.saturating_add(tokens);
        if tokens > 0 {
            self.billed = Some(self.bill);
        }
        let wait = Duration::from_millis(wait);
        self.parts.push(Part { wait, bytes: bytes.into(), billed: self.billed });
    }

    /// All of them; the last has the whole bill, however little was said.
    pub(crate) fn done(mut self) -> Vec<Part> {
        if let Some(last) = self.parts.last_mut() {
            last.billed = Some(self.bill);
        }
        self.parts
    }
}

/// A refusal.
pub(crate) fn refusal(refusal: &Refusal) -> Planned {
    said(refusal.said.clone(), End::Complete)
}

/// The response to an accepted request. `number` makes its id.
pub(crate) fn plan(
    script: &Script,
    api: Api,
    asked: &dyn Accepted,
    number: u64,
    memory: Memory<'_>,
) -> Planned {
    let mut planned = match &script.body {
        Body::Answer(_) if matches!(script.end, End::Overloaded(_)) && !asked.streams() => {
            said(api.error(&api.overloaded()), End::Complete)
        }
        Body::Answer(answer) => {
            let mut answered = asked.answer(&Making { script: answer, number, memory });
            let content_type = if asked.streams() { api.streams_as() } else { JSON };
            let total = answered.parts.last().and_then(|part| part.billed);
            if let End::Overloaded(pieces) = script.end {
                answered.parts.truncate(usize::try_from(pieces).unwrap_or(usize::MAX));
                answered.parts.push(part(Duration::ZERO, api.error_event(&api.overloaded())));
            }
            Planned { id: answered.id, total, ..finite(200, content_type, answered.parts, script.end) }
        }
        Body::Error { kind, code, message } => {
            let status = script.status.unwrap_or(500);
            let error = Scripted { status, kind, code: code.as_deref(), message };
            said(api.error(&error), script.end)
        }
        Body::Pieces(pieces) => {
            let pieces =
                pieces.iter().map(|piece| part(Duration::from_millis(piece.wait_ms), piece.text.clone()));
            let announced = script.headers.get(CONTENT_TYPE.as_str());
            let streams = |kind: &&&str| announced.is_some_and(|announced| announced.starts_with(**kind));
            finite(200, STREAMS.iter().find(streams).unwrap_or(&JSON), pieces.collect(), script.end)
        }
        Body::Pings { every_ms } => {
            let ping = part(Duration::from_millis(*every_ms), api.ping());
            let parts = Box::new(iter::repeat(ping));
            Planned {
                status: 200,
                headers: typed(api.streams_as()),
                parts,
                end: script.end,
                id: None,
                total: None,
            }
        }
    };
    planned.status = script.status.unwrap_or(planned.status);
    for (name, value) in &script.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            planned.headers.insert(name, value);
        }
    }
    if script.bills.is_some() {
        planned.total = script.bills;
        planned.parts = Box::new(planned.parts.map(|part| Part { billed: None, ..part }));
    }
    planned
}

fn part(wait: Duration, bytes: impl Into<Bytes>) -> Part {
    Part { wait, bytes: bytes.into(), billed: None }
}

/// An error.
fn said(said: Said, end: End) -> Planned {
    let mut planned = finite(said.status, JSON, vec![part(Duration::ZERO, said.body)], end);
    planned.headers.extend(said.headers);
    planned
}

fn finite(status: u16, content_type: &'static str, parts: Vec<Part>, end: End) -> Planned {
    let mut headers = typed(content_type);
    if !STREAMS.contains(&content_type) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(announced(&parts, end)));
    }
    Planned { status, headers, parts: Box::new(parts.into_iter()), end, id: None, total: None }
}

/// The length a buffered body announces: that of the whole, unless it is to look whole when truncated.
fn announced(parts: &[Part], end: End) -> u64 {
    let length = |parts: &[Part]| {
        let length: usize = parts.iter().map(|part| part.bytes.len()).sum();
        u64::try_from(length).unwrap_or(u64::MAX)
    };
    match end {
        End::Truncate(After::Bytes(bytes)) => length(parts).min(bytes),
        End::Truncate(After::Pieces(pieces)) => {
            let pieces = usize::try_from(pieces).unwrap_or(usize::MAX);
            length(parts.get(..pieces).unwrap_or(parts))
        }
        End::Complete | End::Overloaded(_) | End::Cut(_) | End::Reset(_) | End::Stall(_) | End::Sign(..) => {
            length(parts)
        }
    }
}

fn typed(content_type: &'static str) -> HeaderMap {
    iter::once((CONTENT_TYPE, HeaderValue::from_static(content_type))).collect()
}
