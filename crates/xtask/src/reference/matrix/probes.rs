//! What is looked for: for each capability, what a request or an answer says about it. A body is read by its dialect's
//! codec first, so that there is one probe a capability and not one a capability and dialect.

use std::collections::BTreeSet;

use trunkline_domain::Usage;
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Delta, DocumentContent, FinishReason, MediaSource, OutputFormat, Part,
    PartKind, StreamEvent, ToolChoice, ToolKind,
};

/// A capability of requests.
pub(super) struct RequestProbe {
    /// Its name in `fixtures/matrix/`.
    pub(super) key: &'static str,
    /// Its name on the page.
    pub(super) title: &'static str,
    /// What a request says about it; `None` where nothing.
    pub(super) said: fn(&ChatRequest) -> Option<String>,
    /// How it is spelled where its dialect has it only as a field of certain models, which the codec hands through.
    pub(super) spelled: Option<&'static str>,
    /// What fields that say it are called, in the paths of losses.
    pub(super) names: &'static [&'static str],
}

const fn asks(
    key: &'static str,
    title: &'static str,
    said: fn(&ChatRequest) -> Option<String>,
) -> RequestProbe {
    RequestProbe { key, title, said, spelled: None, names: &[] }
}

impl RequestProbe {
    /// The same, with names for it.
    const fn named(self, names: &'static [&'static str]) -> Self {
        Self { names, ..self }
    }
}

/// All of them, as the page shows them.
pub(super) const REQUESTS: &[RequestProbe] = &[
    asks("text", "Text", |chat| in_parts(chat, |part| text(part).map(str::to_owned))),
    asks("streaming", "Streaming", |chat| chat.stream.then(String::new)).named(&["stream"]),
    asks("system", "System prompt", |chat| {
        let parts = chat.turns.iter().filter(|turn| turn.role.is_instruction()).flat_map(|turn| &turn.parts);
        joined(parts.filter_map(text).map(str::to_owned))
    }),
    asks("image_url", "Image by URL", |chat| in_parts(chat, |part| image(part, is_url))),
    asks("image_data", "Image as data", |chat| in_parts(chat, |part| image(part, is_data))),
    asks("file", "PDF as data", |chat| in_parts(chat, document)),
    asks("audio", "Audio", |chat| in_parts(chat, audio)),
    asks("tools", "Tools", tools).named(&["tools"]),
    asks("forced_tool", "A tool that must be called", forced).named(&["tool_choice"]),
    asks("tool_choice_none", "Tools that must not be called", |chat| {
        // Without tools none can be called.
        let none = chat.tool_choice == Some(ToolChoice::None);
        none.then(|| joined(chat.tools.iter().map(|tool| tool.name.to_string())).unwrap_or_default())
    })
    .named(&["tool_choice"]),
    RequestProbe {
        spelled: Some("\"disable_parallel_tool_use\":true"),
        names: &["parallel_tool_calls"],
        ..asks("parallel_off", "One call at a time", |chat| {
            (chat.parallel_tool_calls == Some(false)).then(String::new)
        })
    },
    asks("parallel_calls", "Parallel calls and their results", |chat| {
        let calls = in_parts(chat, call)?;
        Some(calls + &in_parts(chat, result)?)
    }),
    asks("tool_results", "A tool's result", |chat| in_parts(chat, result)),
    asks("tool_result_images", "A tool's result with an image", |chat| in_parts(chat, pictured_result)),
    asks("json_schema", "JSON by a schema", |chat| {
        let Some(OutputFormat::JsonSchema { schema, .. }) = &chat.output.format else { return None };
        schema.as_ref().map(|schema| compact(schema.get()))
    })
    .named(&["format"]),
    asks("json_mode", "JSON", |chat| {
        matches!(chat.output.format, Some(OutputFormat::JsonObject)).then(String::new)
    })
    .named(&["format"]),
    asks("effort", "Reasoning effort", |chat| {
        let effort = chat.reasoning.as_ref()?.effort?;
        Some(effort.as_str().to_owned())
    })
    .named(&["reasoning"]),
    asks("signature", "Signed thinking sent back", |chat| in_parts(chat, signature))
        .named(&["thinking", "reasoning_details"]),
    asks("cache_marks", "Prompt-cache marks", |chat| {
        in_parts(chat, |part| part.cache.as_ref().and_then(|_| text(part)).map(str::to_owned))
    }),
    asks("stop", "Stop sequences", |chat| joined(chat.sampling.stop.iter().map(ToString::to_string)))
        .named(&["stop"]),
    asks("seed", "Seed", |chat| chat.sampling.seed.map(|seed| seed.to_string())).named(&["seed"]),
    asks("logprobs", "Log probabilities", |chat| {
        let sampling = &chat.sampling;
        Some(format!("{}, {}", sampling.logprobs.filter(|wanted| *wanted)?, sampling.top_logprobs?))
    })
    .named(&["logprobs", "top_logprobs"]),
    asks("choices", "Several answers", |chat| chat.sampling.n.map(|n| n.to_string())).named(&["n"]),
    asks("service_tier", "Service tier", |chat| chat.labels.service_tier.as_deref().map(usual_tier))
        .named(&["service_tier"]),
];

/// A capability of answers.
pub(super) struct AnswerProbe {
    /// Its name in `fixtures/matrix/`.
    pub(super) key: &'static str,
    /// Its name on the page.
    pub(super) title: &'static str,
    /// What an answer says about it; `None` where nothing.
    pub(super) said: Said,
    /// What must remain of it where the caller's dialect has no place for it, and what is said then.
    pub(super) remains: Option<(Said, &'static str)>,
    /// The capability of requests without which no answer has it.
    pub(super) asked_by: Option<&'static str>,
    /// What fields that say it are called, in the paths of losses.
    pub(super) names: &'static [&'static str],
}

/// How an answer is looked at.
#[derive(Clone, Copy)]
pub(super) enum Said {
    /// Whole.
    Whole(fn(&ChatResponse) -> Option<String>),
    /// As a stream.
    Streamed(fn(&[StreamEvent]) -> Option<String>),
}

const fn says(
    key: &'static str,
    title: &'static str,
    said: fn(&ChatResponse) -> Option<String>,
) -> AnswerProbe {
    AnswerProbe { key, title, said: Said::Whole(said), remains: None, asked_by: None, names: &[] }
}

const fn streams(
    key: &'static str,
    title: &'static str,
    said: fn(&[StreamEvent]) -> Option<String>,
) -> AnswerProbe {
    AnswerProbe { key, title, said: Said::Streamed(said), remains: None, asked_by: None, names: &[] }
}

/// Usage that is counted among the rest where the caller's dialect has no class for it.
const fn counts(
    key: &'static str,
    title: &'static str,
    said: fn(&ChatResponse) -> Option<String>,
) -> AnswerProbe {
    let total = Said::Whole(|answer| answer.usage.map(|usage| usage.total().to_string()));
    let remains = Some((total, "counted among the others: the caller's dialect has no class for it"));
    AnswerProbe { key, title, said: Said::Whole(said), remains, asked_by: None, names: &[] }
}

/// All of them, as the page shows them.
pub(super) const ANSWERS: &[AnswerProbe] = &[
    says("text", "Text", |answer| {
        // Some dialects have one text for all the pieces, and refuse in words as any other.
        let pieces = answer.choices.iter().flat_map(|choice| &choice.parts).filter_map(words);
        Some(pieces.collect::<String>()).filter(|text| !text.is_empty())
    }),
    streams("streamed_text", "Text, streamed", |events| {
        several(events, |delta| if let Delta::Text(text) = delta { Some(text) } else { None })
    }),
    says("tool_calls", "Parallel tool calls", |answer| {
        let calls = answer.choices.iter().flat_map(|choice| &choice.parts).filter_map(call);
        let calls: Vec<_> = calls.collect();
        (calls.len() > 1).then(|| calls.concat())
    }),
    AnswerProbe {
        remains: Some((
            Said::Streamed(streamed_calls),
            "in one piece a call: the caller's dialect has no pieces of arguments",
        )),
        ..streams("streamed_arguments", "Arguments, streamed in pieces", |events| {
            in_pieces(events).then(|| streamed_calls(events)).flatten()
        })
    },
    says("thinking", "Thinking", |answer| in_answer(answer, thought)),
    says("signature", "Signatures", |answer| in_answer(answer, signature)),
    AnswerProbe {
        names: &["citations"],
        ..says("citations", "Citations", |answer| in_answer(answer, citations))
    },
    says("refusal", "Refusals", |answer| {
        let refused = |part: &Part| matches!(part.kind, PartKind::Refusal(_));
        let filtered = |reason| matches!(reason, FinishReason::Refusal | FinishReason::ContentFilter);
        let mut choices = answer.choices.iter();
        let refuses = choices.any(|choice| {
            choice.parts.iter().any(refused)
                || choice.finish.as_ref().is_some_and(|finish| filtered(finish.reason))
        });
        refuses.then(String::new)
    }),
    AnswerProbe {
        asked_by: Some("stop"),
        names: &["stop_sequence"],
        ..says("stop_sequence", "Which stop sequence", |answer| {
            let mut finishes = answer.choices.iter().filter_map(|choice| choice.finish.as_ref());
            finishes.find_map(|finish| finish.stop_sequence.as_ref()).map(ToString::to_string)
        })
    },
    AnswerProbe {
        asked_by: Some("logprobs"),
        names: &["logprobs"],
        ..says("logprobs", "Log probabilities", |answer| {
            let tokens = answer.choices.iter().filter_map(|choice| choice.logprobs.as_ref());
            joined(tokens.flat_map(|all| &all.content).map(|one| format!("{} {}", one.token, one.logprob)))
        })
    },
    AnswerProbe {
        asked_by: Some("choices"),
        ..says("choices", "Several answers", |answer| {
            (answer.choices.len() > 1).then(|| answer.choices.len().to_string())
        })
    },
    AnswerProbe {
        names: &["service_tier"],
        ..says("service_tier", "Service tier", |answer| answer.service_tier.as_deref().map(usual_tier))
    },
    says("usage", "Usage", |answer| answer.usage.map(|usage| usage.total().to_string())),
    counts("cached", "Usage: read from a cache", |answer| class(answer, |usage| usage.cache_read_tokens)),
    counts("cache_writes", "Usage: written to a cache", |answer| {
        class(answer, |usage| usage.cache_write_5m_tokens.saturating_add(usage.cache_write_1h_tokens))
    }),
    counts("reasoning", "Usage: reasoning", |answer| class(answer, |usage| usage.reasoning_tokens)),
];

/// The usual tier has two names.
fn usual_tier(tier: &str) -> String {
    if tier == "standard" { "default" } else { tier }.to_owned()
}

fn class(answer: &ChatResponse, of: fn(&Usage) -> u64) -> Option<String> {
    answer.usage.as_ref().map(of).filter(|tokens| *tokens > 0).map(|tokens| tokens.to_string())
}

/// What pieces of a kind amount to, where there are several.
fn several<'a>(
    events: &'a [StreamEvent],
    of: fn(&'a Delta) -> Option<&'a trunkline_domain::Text>,
) -> Option<String> {
    let pieces: Vec<_> = events
        .iter()
        .filter_map(|event| if let StreamEvent::PartDelta { delta, .. } = event { of(delta) } else { None })
        .map(ToString::to_string)
        .collect();
    (pieces.len() > 1).then(|| pieces.concat())
}

/// Whether the arguments of a call come in pieces.
fn in_pieces(events: &[StreamEvent]) -> bool {
    let is_piece =
        |event: &StreamEvent| matches!(event, StreamEvent::PartDelta { delta: Delta::Arguments(_), .. });
    events.windows(2).any(|pair| pair.iter().all(is_piece))
}

/// The calls of a stream, each with its arguments.
fn streamed_calls(events: &[StreamEvent]) -> Option<String> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in events {
        if let StreamEvent::PartStart { part, .. } = event
            && let Some(call) = part.tool_call()
        {
            calls.push((call.name.to_string(), call.arguments.to_string()));
        }
        if let StreamEvent::PartDelta { delta: Delta::Arguments(piece), .. } = event
            && let Some((_, arguments)) = calls.last_mut()
        {
            arguments.push_str(piece);
        }
    }
    joined(calls.into_iter().map(|(name, arguments)| name + &compact(&arguments)))
}

fn in_answer(answer: &ChatResponse, of: impl Fn(&Part) -> Option<String>) -> Option<String> {
    joined(answer.choices.iter().flat_map(|choice| &choice.parts).filter_map(of))
}

fn in_parts(chat: &ChatRequest, of: impl Fn(&Part) -> Option<String>) -> Option<String> {
    let turns = chat.turns.iter().filter(|turn| !turn.role.is_instruction());
    joined(turns.flat_map(|turn| &turn.parts).filter_map(of))
}

fn joined(pieces: impl Iterator<Item = String>) -> Option<String> {
    pieces.reduce(|all, piece| all + "\n" + &piece)
}

fn text(part: &Part) -> Option<&str> {
    if let PartKind::Text { text, .. } = &part.kind {
        Some(text).filter(|text| !text.is_empty()).map(|text| &**text)
    } else {
        None
    }
}

/// What a text says, or a refusal.
fn words(part: &Part) -> Option<&str> {
    if let PartKind::Refusal(text) = &part.kind { Some(text) } else { text(part) }
}

/// What is thought, in however many pieces: some dialects have one text with empty lines between them.
fn thought(part: &Part) -> Option<String> {
    let PartKind::Reasoning(thought) = &part.kind else { return None };
    let pieces = thought.text.iter().chain(&thought.summary);
    let text: String = pieces.flat_map(|piece| piece.chars()).filter(|letter| *letter != '\n').collect();
    Some(text).filter(|text| !text.is_empty())
}

fn signature(part: &Part) -> Option<String> {
    part.signature.as_ref().map(|state| state.value.to_string())
}

fn citations(part: &Part) -> Option<String> {
    let PartKind::Text { citations, .. } = &part.kind else { return None };
    let sources: BTreeSet<_> = citations
        .iter()
        .map(|citation| citation.url.as_ref().or(citation.title.as_ref()).map_or("", |source| &**source))
        .collect();
    joined(sources.into_iter().map(str::to_owned))
}

const fn is_url(source: &MediaSource) -> Option<&trunkline_domain::Text> {
    if let MediaSource::Url(url) = source { Some(url) } else { None }
}

const fn is_data(source: &MediaSource) -> Option<&trunkline_domain::Text> {
    if let MediaSource::Base64(data) = source { Some(data) } else { None }
}

fn image(part: &Part, of: fn(&MediaSource) -> Option<&trunkline_domain::Text>) -> Option<String> {
    if let PartKind::Image(media) = &part.kind { of(&media.source).map(ToString::to_string) } else { None }
}

fn audio(part: &Part) -> Option<String> {
    if let PartKind::Audio(media) = &part.kind {
        is_data(&media.source).map(ToString::to_string)
    } else {
        None
    }
}

fn document(part: &Part) -> Option<String> {
    let PartKind::Document(document) = &part.kind else { return None };
    if let DocumentContent::Media(source) = &document.content {
        is_data(source).map(ToString::to_string)
    } else {
        None
    }
}

fn tools(chat: &ChatRequest) -> Option<String> {
    joined(chat.tools.iter().filter_map(|tool| {
        let ToolKind::Function { parameters: Some(parameters), .. } = &tool.kind else { return None };
        let about = tool.description.as_deref().unwrap_or_default();
        Some(format!("{} {about} {}", tool.name, compact(parameters.get())))
    }))
}

fn forced(chat: &ChatRequest) -> Option<String> {
    let choice = chat.tool_choice.as_ref()?;
    if let ToolChoice::Allowed { required: true, names } = choice {
        return joined(names.iter().map(ToString::to_string));
    }
    if let ToolChoice::Function(name) = choice { Some(name.to_string()) } else { None }
}

fn call(part: &Part) -> Option<String> {
    part.tool_call().map(|call| format!("{}{};", call.name, compact(&call.arguments)))
}

fn result(part: &Part) -> Option<String> {
    let PartKind::ToolResult(result) = &part.kind else { return None };
    joined(result.content.iter().filter_map(text).map(str::to_owned))
}

fn pictured_result(part: &Part) -> Option<String> {
    let PartKind::ToolResult(result) = &part.kind else { return None };
    joined(result.content.iter().filter_map(|part| image(part, is_data)))
}

/// JSON whatever its spaces and the order of its members.
fn compact(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json)
        .map_or_else(|_| json.to_owned(), |value| value.to_string())
}
