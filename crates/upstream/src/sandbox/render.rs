//! Answers as JSON: whole, or as the events of a stream.
//!
//! A chat stream is per choice: a chunk with the role, chunks with content, a chunk with the finish reason; then, if
//! asked for, one with usage and no choices; then `data: [DONE]`. Choices take turns.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Choice, ToolCall, Usage};
use super::model::SandboxModel;

/// What every chunk of an answer repeats.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: u64,
    pub(super) model: &'static SandboxModel,
    pub(super) include_usage: bool,
    pub(super) shape: Shape,
}

/// The two text operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Chat,
    Completion,
}

/// The last event of every stream.
pub(super) const DONE: &str = "data: [DONE]\n\n";

/// One event of a stream.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A change to a choice.
    Delta(usize, Delta),
    /// The end of a choice.
    Finish(usize, &'static str),
    /// Usage, with no choices.
    Usage(Usage),
    /// The end.
    Done,
}

/// What is added to a choice.
#[derive(Clone, Debug)]
pub(super) enum Delta {
    Role,
    Reasoning(String),
    Content(String),
    CallName { index: usize, id: String, name: String },
    CallArguments { index: usize, text: String },
}

/// The events of an answer, each with the wait before it.
pub(super) fn events(answer: Answer, head: &Head) -> Vec<(Duration, Event)> {
    let model = head.model;
    let usage = answer.usage;
    let choices = answer.choices.into_iter().enumerate();
    let mut turns: Vec<_> =
        choices.map(|(index, choice)| deltas(index, choice, head.shape).into_iter()).collect();
    let mut events = Vec::new();
    let mut begun = false;
    loop {
        let mut spoke = false;
        for event in turns.iter_mut().filter_map(Iterator::next) {
            let wait = match event {
                Event::Delta(_, Delta::Role) | Event::Finish(..) | Event::Usage(_) | Event::Done => {
                    Duration::ZERO
                }
                Event::Delta(..) if spoke => Duration::ZERO,
                Event::Delta(..) if begun => model.interval,
                Event::Delta(..) => model.first_content,
            };
            spoke |= !matches!(event, Event::Delta(_, Delta::Role));
            events.push((wait, event));
        }
        begun |= spoke;
        if turns.iter().all(|turn| turn.len() == 0) {
            break;
        }
    }
    if head.include_usage {
        events.push((Duration::ZERO, Event::Usage(usage)));
    }
    events.push((Duration::ZERO, Event::Done));
    events
}

fn deltas(index: usize, choice: Choice, shape: Shape) -> Vec<Event> {
    let mut deltas = Vec::new();
    if shape == Shape::Chat {
        deltas.push(Delta::Role);
    }
    if !choice.echo.is_empty() {
        deltas.push(Delta::Content(choice.echo));
    }
    deltas.extend(choice.reasoning.into_iter().map(Delta::Reasoning));
    deltas.extend(choice.content.into_iter().map(Delta::Content));
    for (index, call) in choice.calls.into_iter().enumerate() {
        deltas.push(Delta::CallName { index, id: call.id, name: call.name });
        deltas.extend(call.arguments.into_iter().map(|text| Delta::CallArguments { index, text }));
    }
    let events = deltas.into_iter().map(|delta| Event::Delta(index, delta));
    events.chain([Event::Finish(index, choice.finish)]).collect()
}

impl Head {
    fn object(&self, kind: &str, choices: Value, usage: Option<Value>) -> Value {
        let mut object = Map::new();
        object.insert("id".into(), self.id.as_str().into());
        object.insert("object".into(), kind.into());
        object.insert("created".into(), self.created.into());
        object.insert("model".into(), self.model.id.into());
        object.insert("system_fingerprint".into(), "fp_sandbox".into());
        object.insert("choices".into(), choices);
        if let Some(usage) = usage {
            object.insert("usage".into(), usage);
        }
        Value::Object(object)
    }

    /// A whole answer.
    pub(super) fn whole(&self, answer: &Answer) -> Value {
        let choices = answer.choices.iter().enumerate();
        let usage = Some(usage_object(answer.usage));
        match self.shape {
            Shape::Chat => self.object("chat.completion", choices.map(chat_choice).collect(), usage),
            Shape::Completion => {
                let choice = |(index, choice): (usize, &Choice)| {
                    let text = format!("{}{}", choice.echo, choice.content.concat());
                    completion_choice(index, &text, Some(choice.finish))
                };
                self.object("text_completion", choices.map(choice).collect(), usage)
            }
        }
    }

    /// One event with its framing.
    pub(super) fn event(&self, event: Event) -> Bytes {
        let (choices, usage) = match event {
            Event::Done => return Bytes::from_static(DONE.as_bytes()),
            Event::Usage(usage) => (json!([]), Some(usage_object(usage))),
            Event::Delta(index, delta) => (json!([self.delta(index, delta)]), None),
            Event::Finish(index, finish) => {
                let choice = match self.shape {
                    Shape::Chat => chunk_choice(index, &json!({}), Some(finish)),
                    Shape::Completion => completion_choice(index, "", Some(finish)),
                };
                (json!([choice]), None)
            }
        };
        let kind = match self.shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Completion => "text_completion",
        };
        let usage = usage.or(self.include_usage.then_some(Value::Null));
        data(&self.object(kind, choices, usage))
    }

    fn delta(&self, index: usize, delta: Delta) -> Value {
        let delta = match delta {
            Delta::Content(text) if self.shape == Shape::Completion => {
                return completion_choice(index, &text, None);
            }
            Delta::Content(text) => json!({ "content": text }),
            Delta::Role => json!({ "role": "assistant", "content": "", "refusal": null }),
            Delta::Reasoning(text) => json!({ "reasoning_content": text }),
            Delta::CallName { index, id, name } => json!({ "tool_calls": [{
                "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": "" },
            }] }),
            Delta::CallArguments { index, text } => {
                json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] })
            }
        };
        chunk_choice(index, &delta, None)
    }
}

/// A value as one event.
pub(super) fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

fn chunk_choice(index: usize, delta: &Value, finish: Option<&str>) -> Value {
    json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish })
}

fn completion_choice(index: usize, text: &str, finish: Option<&str>) -> Value {
    json!({ "index": index, "text": text, "logprobs": null, "finish_reason": finish })
}

fn chat_choice((index, choice): (usize, &Choice)) -> Value {
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    let content = if choice.calls.is_empty() { Value::from(choice.content.concat()) } else { Value::Null };
    message.insert("content".into(), content);
    message.insert("refusal".into(), Value::Null);
    if !choice.reasoning.is_empty() {
        message.insert("reasoning_content".into(), choice.reasoning.concat().into());
    }
    if !choice.calls.is_empty() {
        message.insert("tool_calls".into(), choice.calls.iter().map(tool_call).collect());
    }
    json!({ "index": index, "message": message, "logprobs": null, "finish_reason": choice.finish })
}

fn tool_call(call: &ToolCall) -> Value {
    let function = json!({ "name": call.name, "arguments": call.arguments.concat() });
    json!({ "id": call.id, "type": "function", "function": function })
}

fn usage_object(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt.saturating_add(usage.completion),
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}
