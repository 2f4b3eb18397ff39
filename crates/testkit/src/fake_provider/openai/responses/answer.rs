//! Responses, whole and as a stream.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::kept::Entry;
use super::{Response, kind};
use crate::fake_provider::api::Scripted;
use crate::fake_provider::log::Billed;
use crate::fake_provider::openai::answer::CREATED;
use crate::fake_provider::plan::{Answered, Making, Part};
use crate::fake_provider::script;
use crate::fake_provider::seal::{Purpose, seal};
use crate::fake_provider::speech::{Finish, Speech, speech};

/// The correct answer; it is kept unless that is not wanted.
pub(crate) fn answer(asked: &Response, making: &Making<'_>) -> Answered {
    // As long as a real one.
    let id = format!("resp_{:048x}", making.number);
    let speech = speech(&asked.wanted, making.script);
    let cached = making.memory.cache.read_unmarked(&asked.model, &asked.prompt);
    let said = Said { asked, script: making.script, id: &id, cached, speech: &speech };
    let output = said.output();
    let whole = said.whole(&output);
    if asked.store {
        making.memory.kept.keep(&id, Entry { response: whole.clone(), input: asked.input.clone() });
    }
    let parts = if asked.stream {
        Stream { said: &said, billed: None, parts: Vec::new() }.say(&whole, &output)
    } else {
        let wait = Duration::from_millis(making.script.first_content_ms);
        vec![Part { wait, bytes: whole.to_string().into(), billed: Some(said.bill(speech.tokens())) }]
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

/// What is answered.
struct Said<'a> {
    asked: &'a Response,
    script: &'a script::Answer,
    id: &'a str,
    /// Tokens of the prompt that were read before.
    cached: u64,
    speech: &'a Speech,
}

impl Said<'_> {
    /// The bill with so many tokens generated.
    fn bill(&self, completion_tokens: u64) -> Billed {
        Billed {
            prompt_tokens: self.asked.prompt.iter().map(|piece| piece.tokens).sum(),
            cache_read_tokens: self.cached,
            completion_tokens,
            ..Billed::default()
        }
    }

    /// The items: a thought where it is to be handed out, then what is said or called.
    fn output(&self) -> Vec<Item> {
        let Self { id, speech, .. } = self;
        let mut items = Vec::new();
        if self.asked.seals && !speech.thought.is_empty() {
            let sealed = seal(Purpose::OpenAi, &speech.thought.concat());
            let whole = json!({ "id": format!("rs_{id}"), "type": "reasoning", "summary": [], "encrypted_content": sealed });
            items.push(Item { whole, words: speech.thought.clone() });
        }
        if speech.calls.is_empty() {
            let content = json!([output_text(&speech.content.concat())]);
            let whole = json!({ "id": format!("msg_{id}"), "type": "message", "status": "completed", "role": "assistant", "content": content });
            items.push(Item { whole, words: speech.content.clone() });
        }
        items.extend(speech.calls.iter().enumerate().map(|(at, call)| self.call(at, call)));
        items
    }

    fn call(&self, at: usize, (full, arguments): &(String, Vec<String>)) -> Item {
        let (prefix, kind, member) = if self.asked.custom.contains(full) {
            ("ctc", "custom_tool_call", "input")
        } else {
            ("fc", "function_call", "arguments")
        };
        let (namespace, name) =
            full.split_once('.').map_or((None, full.as_str()), |(namespace, name)| (Some(namespace), name));
        let id = self.id;
        let mut whole = json!({ "id": format!("{prefix}_{id}_{at}"), "type": kind, "status": "completed", "call_id": format!("call_{id}_{at}"), "name": name, member: arguments.concat() });
        if let Some(namespace) = namespace {
            whole = merged(&whole, &json!({ "namespace": namespace }));
        }
        Item { whole, words: arguments.clone() }
    }

    fn usage(&self) -> Value {
        let bill = self.bill(self.speech.tokens());
        json!({
            "input_tokens": bill.prompt_tokens,
            "input_tokens_details": { "cached_tokens": bill.cache_read_tokens, "cache_write_tokens": 0 },
            "output_tokens": bill.completion_tokens,
            "output_tokens_details": { "reasoning_tokens": self.speech.thought_tokens() },
            "total_tokens": bill.prompt_tokens + bill.completion_tokens,
        })
    }

    fn whole(&self, output: &[Item]) -> Value {
        let Self { asked, .. } = self;
        let capped = self.speech.finish == Finish::Capped;
        let output: Vec<&Value> = output.iter().map(|item| &item.whole).collect();
        json!({
            "id": self.id,
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
            "usage": (self.script.usage == script::Usage::Honest).then(|| self.usage()),
        })
    }
}

fn output_text(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// A stream being made.
struct Stream<'a> {
    said: &'a Said<'a>,
    /// The bill so far; none before the first content.
    billed: Option<Billed>,
    parts: Vec<Part>,
}

impl Stream<'_> {
    fn say(mut self, whole: &Value, output: &[Item]) -> Vec<Part> {
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
            match kind(&item.whole) {
                "message" => self.message(at, item),
                "reasoning" => self.thought(at, item),
                _ => self.call(at, item),
            }
            self.event("response.output_item.done", &json!({ "output_index": at, "item": item.whole }));
        }
        self.billed = Some(self.said.bill(self.said.speech.tokens()));
        let capped = whole.get("status") == Some(&json!("incomplete"));
        let end = if capped { "response.incomplete" } else { "response.completed" };
        self.event(end, &json!({ "response": whole }));
        self.parts
    }

    fn thought(&mut self, at: usize, item: &Item) {
        item.words.iter().for_each(|_| self.generated());
        self.event("response.output_item.added", &json!({ "output_index": at, "item": item.whole }));
    }

    fn message(&mut self, at: usize, item: &Item) {
        let id = item.whole.get("id").cloned().unwrap_or_default();
        let text = item.words.concat();
        let opening = opening(&item.whole, "content", json!([]));
        self.event("response.output_item.added", &json!({ "output_index": at, "item": opening }));
        let place = json!({ "item_id": id, "output_index": at, "content_index": 0 });
        let with = |more: Value| merged(&place, &more);
        self.event("response.content_part.added", &with(json!({ "part": output_text("") })));
        for word in &item.words {
            self.generated();
            self.event("response.output_text.delta", &with(json!({ "delta": word, "logprobs": [] })));
        }
        self.event("response.output_text.done", &with(json!({ "text": text, "logprobs": [] })));
        self.event("response.content_part.done", &with(json!({ "part": output_text(&text) })));
    }

    fn call(&mut self, at: usize, item: &Item) {
        let (event, member) = match kind(&item.whole) {
            "custom_tool_call" => ("response.custom_tool_call_input", "input"),
            _ => ("response.function_call_arguments", "arguments"),
        };
        let opening = opening(&item.whole, member, json!(""));
        self.event("response.output_item.added", &json!({ "output_index": at, "item": opening }));
        let place = json!({ "item_id": item.whole.get("id"), "output_index": at });
        for word in &item.words {
            self.generated();
            self.event(&format!("{event}.delta"), &merged(&place, &json!({ "delta": word })));
        }
        let mut done = merged(&place, &json!({ member: item.words.concat() }));
        if member == "arguments" {
            done = merged(&done, &json!({ "name": item.whole.get("name") }));
        }
        self.event(&format!("{event}.done"), &done);
    }

    /// One more token is generated with the next event.
    fn generated(&mut self) {
        let so_far = self.billed.map_or(0, |billed| billed.completion_tokens);
        self.billed = Some(self.said.bill(so_far.saturating_add(1)));
    }

    fn event(&mut self, name: &str, members: &Value) {
        let first = self.parts.iter().all(|part| part.billed.is_none());
        let wait = match self.billed {
            None => 0,
            Some(_) if first => self.said.script.first_content_ms,
            Some(_) => self.said.script.interval_ms,
        };
        let event = merged(&json!({ "type": name, "sequence_number": self.parts.len() }), members);
        let text = format!("event: {name}\ndata: {event}\n\n");
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
