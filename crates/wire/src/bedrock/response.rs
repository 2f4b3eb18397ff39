//! Buffered answers, both ways.

use bytes::Bytes;
use trunkline_domain::Text;
use trunkline_domain::chat::{ChatResponse, Choice, RawJson};

use super::blocks::{self, Speaker};
use super::encode_blocks::{Place, Writer};
use super::{DIALECT, error, finish, usage};
use crate::codec::{AnswerProblem, Subject};
use crate::json::{Object, Str, object, wire_object};
use crate::recast::Losses;
use crate::recast::loss::{lose_extras, restore, restore_nested};

wire_object! {
    struct Answer {
        "output" => output: Output,
        "stopReason" => stop_reason: Str,
        "usage" => usage: usage::Reported,
        "serviceTier" => tier: Tier,
        "additionalModelResponseFields" => fields: RawJson,
        // The provider's own measure, which says nothing about the answer.
        "metrics" => metrics: serde::de::IgnoredAny,
    }
}

wire_object! {
    struct Output { "message" => message: Message }
}

wire_object! {
    struct Message { "role" => role: serde::de::IgnoredAny, "content" => content: RawJson }
}

wire_object! {
    /// A tier of service.
    ignoring pub(super) struct Tier { "type" => kind: Str }
}

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<ChatResponse, AnswerProblem> {
    let problem = || error::read(body).map_or(AnswerProblem::Malformed, AnswerProblem::Error);
    let answer: Answer = serde_json::from_slice(body).map_err(|_| problem())?;
    let Some(Output { message: Some(message), rest: of_output }) = answer.output else {
        return Err(problem());
    };
    let content = message.content.ok_or(AnswerProblem::Malformed)?;
    let parts = blocks::parts(&content, Speaker::Answer).map_err(|_| AnswerProblem::Malformed)?;
    let calls = parts.iter().filter(|part| part.tool_call().is_some()).count();
    let mut rest = answer.rest;
    rest.nest("output", of_output);
    rest.nest("message", message.rest);
    let (stop_sequence, left) = answer.fields.map(finish::fields).unwrap_or_default();
    if let Some(left) = left {
        rest.push(finish::FIELDS, left);
    }
    let choice = Choice {
        parts,
        finish: answer.stop_reason.and_then(|raw| finish::decode(raw.0, calls, stop_sequence)),
        ..Choice::default()
    };
    Ok(ChatResponse {
        choices: vec![choice],
        usage: answer.usage.and_then(|reported| reported.usage()),
        service_tier: answer.tier.and_then(|tier| tier.kind).map(|kind| kind.0),
        extras: rest.without_nulls().extras(DIALECT, 0),
        ..ChatResponse::default()
    })
}

/// Writes an answer.
pub(super) fn encode(response: &ChatResponse, losses: &mut Losses) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    let first = response.choices.iter().find(|choice| choice.index == 0);
    for other in response.choices.iter().filter(|choice| choice.index != 0) {
        lose_choice(other.index, losses);
    }
    object(&mut out, |object| {
        object.object("output", |output| {
            output.object("message", |message| {
                message.member("role", "assistant");
                content(message, first, losses);
                restore_nested(message, &response.extras, DIALECT, "message");
            });
            restore_nested(output, &response.extras, DIALECT, "output");
        });
        if let Some(finish) = first.and_then(|choice| choice.finish.as_ref()) {
            object.member("stopReason", finish::word(finish));
            finish::write_fields(object, Some(finish));
        }
        if let Some(reported) = &response.usage {
            usage::write(object, reported);
        }
        write_tier(object, response.service_tier.as_ref());
        restore(object, &response.extras, DIALECT, &String::new, losses);
    });
    out.into()
}

fn content(message: &mut Object<'_>, choice: Option<&Choice>, losses: &mut Losses) {
    message.array("content", |array| {
        let Some(choice) = choice else { return };
        if choice.logprobs.is_some() {
            lose_logprobs(losses);
        }
        lose_extras(&choice.extras, &|| "choices[0]".to_owned(), losses);
        let mut writer = Writer { target: None, place: Place::Answer, losses };
        for (place, part) in choice.parts.iter().enumerate() {
            let path = format!("choices[0].parts[{place}]");
            if writer.keeps(part, &path) {
                writer.block(array, part, &path);
            }
        }
    });
}

/// Writes the tier of service.
pub(super) fn write_tier(object: &mut Object<'_>, tier: Option<&Text>) {
    if let Some(tier) = tier {
        object.object("serviceTier", |object| object.member("type", tier));
    }
}

pub(super) fn lose_choice(index: u32, losses: &mut Losses) {
    let why = "the dialect has one answer a request";
    losses.dropped(Subject::Content, format!("choices[{index}]"), why);
}

pub(super) fn lose_logprobs(losses: &mut Losses) {
    losses.dropped(Subject::Sampling, "logprobs", "the dialect has no log probabilities");
}
