//! Why an answer ended (`StopReason` of the service's model), and which stop sequence ended it. That is no member of the
//! answer but a field of the model's, which comes where it is asked for: the example of `additionalModelResponseFieldPaths`
//! (`ConverseRequest`) is Claude's `/stop_sequence`. A field the model does not have is passed over.

use trunkline_domain::Text;
use trunkline_domain::chat::{Finish, FinishReason, RawJson};

use crate::json::{Object, Str, wire_object};

/// Which of the model's own fields are wanted in an answer.
pub(super) const PATHS: &str = "additionalModelResponseFieldPaths";
/// Those fields.
pub(super) const FIELDS: &str = "additionalModelResponseFields";
/// The path of the stop sequence.
pub(super) const STOP_SEQUENCE: &str = "/stop_sequence";

wire_object! {
    struct Fields { "stop_sequence" => stop_sequence: Str }
}

/// The dialect's words. The first of a reason is written for it.
const WORDS: &[(&str, FinishReason)] = &[
    ("end_turn", FinishReason::Stop),
    ("tool_use", FinishReason::ToolCalls),
    ("max_tokens", FinishReason::Length),
    ("stop_sequence", FinishReason::StopSequence),
    ("content_filtered", FinishReason::ContentFilter),
    ("guardrail_intervened", FinishReason::ContentFilter),
    ("malformed_model_output", FinishReason::Error),
    ("malformed_tool_use", FinishReason::Error),
    ("model_context_window_exceeded", FinishReason::ContextWindow),
];

/// Reads a reason; an empty one is none.
pub(super) fn decode(raw: Text, tool_calls: usize, stop_sequence: Option<Text>) -> Option<Finish> {
    if raw.is_empty() {
        return None;
    }
    let reason = WORDS.iter().find(|(word, _)| *word == &*raw).map(|(_, reason)| *reason);
    let reason = reason.unwrap_or(FinishReason::Other).given_tool_calls(tool_calls);
    Some(Finish { reason, raw, stop_sequence })
}

/// Reads the model's own fields: the stop sequence, and all of them where there are more.
pub(super) fn fields(raw: RawJson) -> (Option<Text>, Option<RawJson>) {
    let Ok(Fields { stop_sequence, rest }) = serde_json::from_str(raw.get()) else {
        return (None, Some(raw));
    };
    let left = Some(raw).filter(|_| !rest.without_nulls().is_empty());
    (stop_sequence.map(|sequence| sequence.0), left)
}

/// Writes the stop sequence as the field of the model's that it is.
pub(super) fn write_fields(object: &mut Object<'_>, finish: Option<&Finish>) {
    if let Some(sequence) = finish.and_then(|finish| finish.stop_sequence.as_ref()) {
        object.object(FIELDS, |fields| fields.member("stop_sequence", sequence));
    }
}

/// The word for a reason: its own where that is the dialect's. What has none keeps its own, which is not one of those
/// callers know.
pub(super) fn word(finish: &Finish) -> &str {
    let reason = match finish.reason {
        FinishReason::Refusal => FinishReason::ContentFilter,
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::Length
        | FinishReason::ContextWindow
        | FinishReason::ToolCalls
        | FinishReason::ContentFilter
        | FinishReason::Pause
        | FinishReason::Error
        | FinishReason::Other => finish.reason,
    };
    if WORDS.contains(&(&*finish.raw, reason)) {
        return &finish.raw;
    }
    WORDS.iter().find(|(_, known)| *known == reason).map_or(&*finish.raw, |(word, _)| word)
}
