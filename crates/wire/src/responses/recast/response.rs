//! Buffered answers, both ways. What is written is what a stream of the same answer ends with.

use bytes::Bytes;
use trunkline_domain::Text;
use trunkline_domain::chat::{
    ChatResponse, Choice, Extras, Logprobs, Number, Part, PartKind, RawJson, StreamEvent, TokenLogprob,
    unfold,
};

use super::super::answer::{Incomplete, ToolUsage};
use super::super::error;
use super::content::{self, Side};
use super::encode_stream::Encoder;
use super::items::{self, CustomCall, FunctionCall, Message, begin_message, is_item, status_form};
use super::{DIALECT, finish, form};
use crate::codec::AnswerProblem;
use crate::json::{Rest, Str, wire_object};
use crate::openai;
use crate::openai::recast::finish::WireToken;
use crate::quirks::UsageConvention;
use crate::recast::loss::lose_extras;
use crate::recast::{AnswerIdentity, Frames, Losses, StreamEncoder};

/// What an answer repeats of its request, and what says nothing of the answer.
const REPEATED: &[&str] = &[
    "object",
    "background",
    "completed_at",
    "conversation",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

wire_object! {
    struct Response {
        "id" => id: Str,
        "created_at" => created: Number,
        "model" => model: Str,
        "status" => status: Str,
        "incomplete_details" => incomplete: Incomplete,
        "error" => error: RawJson,
        "output" => output: Vec<RawJson>,
        "usage" => usage: RawJson,
        "service_tier" => service_tier: Str,
        "tool_usage" => tool_usage: RawJson,
    }
}

wire_object! {
    /// What an item is.
    ignoring struct Head { "type" => kind: Str }
}

/// Reads an answer.
pub(super) fn decode(body: &[u8], convention: UsageConvention) -> Result<ChatResponse, AnswerProblem> {
    let problem = || error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
    let response: Response = serde_json::from_slice(body).map_err(|_| problem())?;
    if let Some(raw) = &response.error {
        return Err(AnswerProblem::Error(openai::error::words(raw.get()).unwrap_or_default()));
    }
    let status = response.status.map(|status| status.0);
    if status.as_deref() == Some("failed") {
        return Err(AnswerProblem::Error(crate::codec::ErrorWords::default()));
    }
    let Some(output) = response.output else { return Err(problem()) };
    let mut parts = Vec::new();
    let mut logprobs = Vec::new();
    for raw in &output {
        let read = self::parts(raw, &mut logprobs).ok_or(AnswerProblem::Malformed)?;
        append(&mut parts, read);
    }
    let calls = parts.iter().filter(|part| part.tool_call().is_some()).count();
    let reason = response.incomplete.and_then(|incomplete| incomplete.reason).map(|reason| reason.0);
    let mut usage = response.usage.and_then(|raw| openai::usage::read_responses(raw.get(), convention));
    let mut rest = response.rest.without(REPEATED).without_nulls();
    if let Some(raw) = response.tool_usage {
        let used: Option<ToolUsage> = serde_json::from_str(raw.get()).ok();
        if let (Some(usage), Some(used)) = (&mut usage, used) {
            usage.units.searches = used.searches();
        }
        rest.push("tool_usage", raw);
    }
    let logprobs = (!logprobs.is_empty()).then(|| Logprobs { content: logprobs, refusal: Vec::new() });
    let finish = finish::decode(status.as_ref(), reason.as_ref(), calls);
    let text = |text: Option<Str>| text.map_or_else(|| Text::from(""), |text| text.0);
    Ok(ChatResponse {
        id: text(response.id),
        model: text(response.model),
        created: response.created.as_ref().and_then(seconds),
        choices: vec![Choice { index: 0, parts, finish, logprobs, extras: Extras::default() }],
        usage,
        service_tier: response.service_tier.map(|tier| tier.0),
        extras: rest.extras(DIALECT, 0),
    })
}

/// Whole seconds; some servers write fractions.
pub(super) fn seconds(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| number.to_string().split_once('.')?.0.parse().ok())
}

/// Adds the parts of an item to those before it.
fn append(parts: &mut Vec<Part>, mut more: Vec<Part>) {
    let follows = parts.last().is_some_and(|last| !is_item(last));
    if let Some(first) = more.first_mut()
        && follows
        && !is_item(first)
    {
        begin_message(first, form::APART, Rest::default());
    }
    parts.append(&mut more);
}

/// The parts an item of an answer amounts to; `None` where it is none.
pub(super) fn parts(raw: &RawJson, logprobs: &mut Vec<TokenLogprob>) -> Option<Vec<Part>> {
    let value = serde_json::from_str(raw.get()).ok()?;
    let head: Head = serde_json::from_str(raw.get()).ok()?;
    let part = match &*head.kind?.0 {
        "message" => return message(raw, logprobs),
        "reasoning" => items::reasoning(value),
        "function_call" => serde_json::from_str::<FunctionCall>(raw.get()).ok()?.part()?,
        "custom_tool_call" => serde_json::from_str::<CustomCall>(raw.get()).ok()?.part()?,
        _ => items::opaque(value),
    };
    Some(vec![part])
}

fn message(raw: &RawJson, logprobs: &mut Vec<TokenLogprob>) -> Option<Vec<Part>> {
    let Message { content, status, mut rest, .. } = serde_json::from_str(raw.get()).ok()?;
    let (mut parts, _) = content::decode_all(&content?, Side::Output)?;
    for part in &mut parts {
        if matches!(part.kind, PartKind::Text { .. }) {
            logprobs.extend(take_logprobs(part));
        }
    }
    let form = status_form(status, &mut rest);
    if let Some(first) = parts.first_mut() {
        begin_message(first, form, rest);
    }
    Some(parts)
}

/// The log probabilities of a text, which answers keep apart from it.
pub(super) fn take_logprobs(part: &mut Part) -> Vec<TokenLogprob> {
    let mut rest = Rest::default();
    let mut logprobs = Vec::new();
    for (key, raw) in part.extras.fields() {
        if &**key == "logprobs" {
            let tokens: Vec<WireToken> = serde_json::from_str(raw.get()).unwrap_or_default();
            logprobs.extend(tokens.into_iter().filter_map(WireToken::token));
        } else {
            rest.push(key, raw.clone());
        }
    }
    part.extras = rest.extras(DIALECT, part.extras.form(DIALECT));
    logprobs
}

/// Writes an answer.
pub(super) fn encode(response: &ChatResponse, identity: &AnswerIdentity<'_>, losses: &mut Losses) -> Bytes {
    let mut encoder = Encoder::silent(identity);
    let mut frames = Frames::default();
    for event in in_order(unfold(response.clone())) {
        encoder.event(&event, &mut frames);
    }
    for choice in &response.choices {
        lose_extras(&choice.extras, &|| format!("choices[{}]", choice.index), &mut frames.losses);
    }
    frames.losses.as_slice().iter().for_each(|loss| losses.push(loss.clone()));
    encoder.into_answer()
}

/// The events with log probabilities behind the text they belong to, where the dialect has them.
fn in_order(mut events: Vec<StreamEvent>) -> Vec<StreamEvent> {
    let is_first_choice = |event: &StreamEvent| matches!(event, StreamEvent::Logprobs { choice: 0, .. });
    let text = events.iter().rposition(|event| {
        matches!(event, StreamEvent::PartStart { choice: 0, part, .. } if matches!(part.kind, PartKind::Text { .. }))
    });
    if let (Some(from), Some(text)) = (events.iter().position(is_first_choice), text) {
        let after = events.iter().skip(text).position(|event| matches!(event, StreamEvent::PartStop { .. }));
        let logprobs = events.remove(from);
        events.insert(text + after.unwrap_or(0), logprobs);
    }
    events
}
