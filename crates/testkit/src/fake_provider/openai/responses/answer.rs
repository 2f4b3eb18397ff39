//! Responses, whole and as a stream.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Response;
use super::kept::Entry;
use crate::fake_provider::api::Scripted;
use crate::fake_provider::log::Billed;
use crate::fake_provider::openai::answer::CREATED;
use crate::fake_provider::plan::{Answered, Making, Part};
use crate::fake_provider::script;
use crate::fake_provider::speech::{Finish, Speech, speech};

/// The correct answer; it is kept unless that is not wanted.
pub(crate) fn answer(asked: &Response, making: &Making<'_>) -> Answered {
    // As long as a real one.
    let id = format!("resp_{:048x}", making.number);
    let speech = speech(&asked.wanted, making.script);
    let billed = Billed {
        prompt_tokens: asked.prompt_tokens,
        completion_tokens: speech.tokens(),
        ..Billed::default()
    };
    let output = output(&id, &speech);
    let whole = whole(asked, making.script, &id, &speech, &output);
    if asked.store {
        making.memory.kept.keep(&id, Entry { response: whole.clone(), input: asked.input.clone() });
    }
    let parts = if asked.stream {
        Stream { script: making.script, asked, billed: None, parts: Vec::new() }.say(&whole, &output, billed)
    } else {
        let wait = Duration::from_millis(making.script.first_content_ms);
        vec![Part { wait, bytes: whole.to_string().into(), billed: Some(billed) }]
    };
    Answered { id: Some(id), parts }
}

/// An error in a stream that has begun.
pub(crate) fn error_event(error: &Scripted<'_>) -> String {
    let code = error.code.unwrap_or(error.kind);
    let event = json!({ "type": "error", "code": code, "message": error.message, "param": null, "sequence_number": 99 });
    format!("event: error\ndata: {event}\n\n")
}

/// An item, and the words it is said in.
struct Item {
    whole: Value,
    words: Vec<String>,
}

fn output(id: &str, speech: &Speech) -> Vec<Item> {
    if speech.calls.is_empty() {
        let text = speech.content.concat();
        let content = json!([{ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }]);
        let whole = json!({ "id": format!("msg_{id}"), "type": "message", "status": "completed", "role": "assistant", "content": content });
        return vec![Item { whole, words: speech.content.clone() }];
    }
    let call = |(at, (name, arguments)): (usize, &(String, Vec<String>))| {
        let whole = json!({ "id": format!("fc_{id}_{at}"), "type": "function_call", "status": "completed", "call_id": format!("call_{id}_{at}"), "name": name, "arguments": arguments.concat() });
        Item { whole, words: arguments.clone() }
    };
    speech.calls.iter().enumerate().map(call).collect()
}

fn whole(asked: &Response, script: &script::Answer, id: &str, speech: &Speech, output: &[Item]) -> Value {
    let capped = speech.finish == Finish::Capped;
    let output: Vec<&Value> = output.iter().map(|item| &item.whole).collect();
    let usage = (script.usage == script::Usage::Honest).then(|| {
        json!({
            "input_tokens": asked.prompt_tokens,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": speech.tokens(),
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": asked.prompt_tokens + speech.tokens(),
        })
    });
    json!({
        "id": id,
        "object": "response",
        "created_at": CREATED,
        "status": if capped { "incomplete" } else { "completed" },
        "background": false,
        "error": null,
        "incomplete_details": capped.then(|| json!({ "reason": "max_output_tokens" })),
        "instructions": asked.instructions,
        "metadata": {},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": asked.previous,
        "store": asked.store,
        "temperature": 1.0,
        "text": { "format": { "type": "text" } },
        "tool_choice": "auto",
        "tools": asked.tools,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
    })
}

/// A stream being made.
struct Stream<'a> {
    script: &'a script::Answer,
    asked: &'a Response,
    /// The bill so far; none before the first content.
    billed: Option<Billed>,
    parts: Vec<Part>,
}

impl Stream<'_> {
    fn say(mut self, whole: &Value, output: &[Item], billed: Billed) -> Vec<Part> {
        let mut begun = whole.clone();
        for (member, value) in [
            ("status", json!("in_progress")),
            ("output", json!([])),
            ("usage", Value::Null),
            ("incomplete_details", Value::Null),
        ] {
            if let Some(begun) = begun.as_object_mut() {
                begun.insert(member.to_owned(), value);
            }
        }
        self.event("response.created", &json!({ "response": begun }));
        self.event("response.in_progress", &json!({ "response": begun }));
        for (at, item) in output.iter().enumerate() {
            if item.whole.get("type") == Some(&json!("message")) {
                self.message(at, item);
            } else {
                self.call(at, item);
            }
        }
        self.billed = Some(billed);
        let capped = whole.get("status") == Some(&json!("incomplete"));
        let end = if capped { "response.incomplete" } else { "response.completed" };
        self.event(end, &json!({ "response": whole }));
        self.parts
    }

    fn message(&mut self, at: usize, item: &Item) {
        let id = item.whole.get("id").cloned().unwrap_or_default();
        let text = item.words.concat();
        let part =
            |text: &str| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
        let opening = opening(&item.whole, "content", json!([]));
        self.event("response.output_item.added", &json!({ "output_index": at, "item": opening }));
        let place = json!({ "item_id": id, "output_index": at, "content_index": 0 });
        let with = |more: Value| merged(&place, &more);
        self.event("response.content_part.added", &with(json!({ "part": part("") })));
        for word in &item.words {
            self.generated();
            self.event("response.output_text.delta", &with(json!({ "delta": word, "logprobs": [] })));
        }
        self.event("response.output_text.done", &with(json!({ "text": text, "logprobs": [] })));
        self.event("response.content_part.done", &with(json!({ "part": part(&text) })));
        self.event("response.output_item.done", &json!({ "output_index": at, "item": item.whole }));
    }

    fn call(&mut self, at: usize, item: &Item) {
        let opening = opening(&item.whole, "arguments", json!(""));
        self.event("response.output_item.added", &json!({ "output_index": at, "item": opening }));
        let place = json!({ "item_id": item.whole.get("id"), "output_index": at });
        for word in &item.words {
            self.generated();
            let delta = merged(&place, &json!({ "delta": word }));
            self.event("response.function_call_arguments.delta", &delta);
        }
        let done = json!({ "name": item.whole.get("name"), "arguments": item.words.concat() });
        self.event("response.function_call_arguments.done", &merged(&place, &done));
        self.event("response.output_item.done", &json!({ "output_index": at, "item": item.whole }));
    }

    /// One more token is generated with the next event.
    fn generated(&mut self) {
        let so_far = self.billed.map_or(0, |billed| billed.completion_tokens);
        self.billed = Some(Billed {
            prompt_tokens: self.asked.prompt_tokens,
            completion_tokens: so_far.saturating_add(1),
            ..Billed::default()
        });
    }

    fn event(&mut self, kind: &str, members: &Value) {
        let first = self.parts.iter().all(|part| part.billed.is_none());
        let wait = match self.billed {
            None => 0,
            Some(_) if first => self.script.first_content_ms,
            Some(_) => self.script.interval_ms,
        };
        let event = merged(&json!({ "type": kind, "sequence_number": self.parts.len() }), members);
        let text = format!("event: {kind}\ndata: {event}\n\n");
        self.parts.push(Part { wait: Duration::from_millis(wait), bytes: text.into(), billed: self.billed });
    }
}

/// An item as it opens: under way, with nothing said.
fn opening(whole: &Value, member: &str, empty: Value) -> Value {
    let mut changes = Map::new();
    changes.insert("status".to_owned(), "in_progress".into());
    changes.insert(member.to_owned(), empty);
    merged(whole, &Value::Object(changes))
}

fn merged(one: &Value, other: &Value) -> Value {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut all = members(one);
    all.extend(members(other));
    Value::Object(all)
}
