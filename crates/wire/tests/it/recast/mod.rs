//! Laws of recasting, and what they need: fixtures, streams cut anywhere, values without their spelling. Nothing here is
//! of one dialect; `openai_*` hold what is.

#![expect(clippy::disallowed_methods, reason = "`json!` writes what is expected; nothing makes a round trip")]

mod agents;
mod anthropic;
mod anthropic_generate;
mod anthropic_losses;
mod bedrock;
mod bedrock_answers;
mod bedrock_generate;
mod bedrock_requests;
mod cohere;
mod cohere_answers;
mod cohere_generate;
mod embeddings;
mod gemini;
mod gemini_generate;
mod generate;
mod laws;
mod ollama;
mod ollama_generate;
mod openai_answers;
mod openai_chat;
mod openai_losses;
mod responses;
mod responses_generate;
mod responses_losses;
mod stream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse, Extras, Part, PartKind, Reasoning, StreamEvent};
use trunkline_wire::codec::AnswerProblem;
use trunkline_wire::frame::Frame;
use trunkline_wire::framing::{Framer, eventstream};
use trunkline_wire::quirks::{Quirks, StreamUsage};
use trunkline_wire::recast::{
    AnswerIdentity, CallerCodec, ChatCodec, Cut, EncodeTarget, Frames, Losses, StreamDecoder,
};
use trunkline_wire::{caller_codec_for, chat_codec_for};

/// A server that takes what it is given: nothing is added for it.
const TOLERANT: Quirks = Quirks { stream_usage: StreamUsage::AlwaysTolerant, ..Quirks::REFERENCE };

fn codec(dialect: Dialect) -> &'static dyn ChatCodec {
    chat_codec_for(dialect).expect("a chat")
}

fn caller(dialect: Dialect) -> &'static dyn CallerCodec {
    caller_codec_for(dialect).expect("a chat")
}

/// One case of a dialect.
struct Case {
    name: String,
    folder: PathBuf,
}

impl Case {
    /// The cases in `fixtures/<dialect>/`.
    fn all(dialect: &str) -> Vec<Case> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(dialect);
        let mut cases: Vec<Case> = std::fs::read_dir(&root)
            .expect("fixtures")
            .map(|entry| entry.expect("an entry").path())
            .map(|folder| Case { name: folder.file_name().unwrap().to_string_lossy().into_owned(), folder })
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(!cases.is_empty());
        cases
    }

    /// A file of the case, if it has it.
    fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(name)).ok()
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// Without members that are `null` or an empty list: what an answer says.
fn without_nulls(value: Value) -> Value {
    let says_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !says_nothing(value))
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(elements) => elements.into_iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn decode_request(dialect: Dialect, body: &[u8]) -> ChatRequest {
    let body = std::str::from_utf8(body).unwrap();
    codec(dialect).decode_request(&super::envelope(body)).expect(body)
}

/// A request written for a tolerant server, and what was lost.
fn encode_request(dialect: Dialect, request: &ChatRequest, quirks: &Quirks) -> (Bytes, Losses) {
    let target = EncodeTarget {
        model: &request.model,
        quirks,
        stream: request.stream,
        output_cap: None,
        output_max: None,
        minter: None,
    };
    let mut losses = Losses::default();
    let body = codec(dialect).encode_request(request, &target, &mut losses).expect("encodes");
    (body, losses)
}

fn identity<'a>(response: &'a ChatResponse, request: &'a ChatRequest) -> AnswerIdentity<'a> {
    AnswerIdentity {
        id: &response.id,
        model: &response.model,
        created: response.created.unwrap_or_default(),
        request,
    }
}

/// A binary stream of events, each written as `{"name": payload}`, one a line.
fn event_stream(lines: &[u8]) -> Vec<u8> {
    let lines = std::str::from_utf8(lines).expect("text").lines();
    let events =
        lines.flat_map(|line| serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(line).expect(line));
    events.flat_map(|(name, payload)| eventstream::event(&name, payload.get().as_bytes())).collect()
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq)]
enum Ending {
    Complete,
    Problem(AnswerProblem),
    Cut,
}

/// What a stream amounts to when its bytes come in these chunks.
fn events<'a>(
    dialect: Dialect,
    quirks: &Quirks,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<StreamEvent>, Ending) {
    fn read(
        decoder: &mut dyn StreamDecoder,
        frames: impl IntoIterator<Item = Frame>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), AnswerProblem> {
        frames.into_iter().try_for_each(|frame| decoder.frame(&frame, events))
    }
    let mut framer = Framer::of(dialect, 1 << 20);
    let mut decoder = codec(dialect).stream_decoder(quirks);
    let mut events = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        let complete = std::iter::from_fn(|| framer.next()).map(|frame| frame.expect("a frame"));
        if let Err(problem) = read(&mut *decoder, complete, &mut events) {
            return (events, Ending::Problem(problem));
        }
    }
    if let Err(problem) = read(&mut *decoder, framer.finish(), &mut events) {
        return (events, Ending::Problem(problem));
    }
    match decoder.finish(&mut events) {
        Ok(()) => (events, Ending::Complete),
        Err(Cut) => (events, Ending::Cut),
    }
}

/// A stream written for a caller.
fn stream(dialect: Dialect, events: &[StreamEvent], identity: &AnswerIdentity<'_>) -> (Vec<u8>, Losses) {
    let mut encoder = codec(dialect).stream_encoder(identity);
    let mut out = Frames::default();
    for event in events {
        encoder.event(event, &mut out);
    }
    let bytes = out.take().flat_map(|frame| frame.to_vec()).collect();
    (bytes, out.losses)
}

/// What must hold of every stream.
fn assert_sequential(events: &[StreamEvent]) {
    let mut open = std::collections::BTreeMap::new();
    let mut next = std::collections::BTreeMap::<u32, u32>::new();
    for (place, event) in events.iter().enumerate() {
        match event {
            StreamEvent::Start { .. } => assert_eq!(place, 0, "one start, at the beginning"),
            StreamEvent::PartStart { choice, index, .. } => {
                assert_eq!(open.insert(*choice, *index), None, "one open part a choice");
                let ordinal = next.entry(*choice).or_default();
                assert_eq!(index, ordinal, "parts are numbered as they open");
                *ordinal += 1;
            }
            StreamEvent::PartDelta { choice, index, .. } => assert_eq!(open.get(choice), Some(index)),
            StreamEvent::PartStop { choice, index } => assert_eq!(open.remove(choice), Some(*index)),
            StreamEvent::Finish { choice, .. } => assert_eq!(open.get(choice), None, "closed before its end"),
            StreamEvent::End => {
                assert_eq!(place, events.len() - 1, "nothing behind the end");
                assert!(open.is_empty());
            }
            StreamEvent::Logprobs { .. } | StreamEvent::Usage(_) | StreamEvent::ServiceTier(_) => {}
        }
    }
}

/// Puts other extras in the place of every one of a request.
fn replace_extras(request: &mut ChatRequest, with: &dyn Fn(&mut Extras)) {
    fn within(part: &mut Part, with: &dyn Fn(&mut Extras)) {
        with(&mut part.extras);
        if let PartKind::ToolResult(result) = &mut part.kind {
            result.content.iter_mut().for_each(|inner| within(inner, with));
        }
    }
    with(&mut request.extras);
    for turn in &mut request.turns {
        with(&mut turn.extras);
        turn.parts.iter_mut().for_each(|part| within(part, with));
    }
    request.tools.iter_mut().for_each(|tool| with(&mut tool.extras));
    if let Some(Reasoning { extras, .. }) = &mut request.reasoning {
        with(extras);
    }
    if let Some(options) = &mut request.stream_options {
        with(&mut options.extras);
    }
    if let Some(trunkline_domain::chat::OutputFormat::JsonSchema { extras, .. }) = &mut request.output.format
    {
        with(extras);
    }
}

/// A request without anything its dialect kept for itself.
fn bare(mut request: ChatRequest) -> ChatRequest {
    replace_extras(&mut request, &|extras| *extras = Extras::default());
    request
}

/// An answer without anything its dialect kept for itself.
fn bare_response(mut response: ChatResponse) -> ChatResponse {
    response.extras = Extras::default();
    for choice in &mut response.choices {
        choice.extras = Extras::default();
        for part in &mut choice.parts {
            part.extras = Extras::default();
        }
    }
    response
}
