//! Correct answers: a response, whole and as events.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::fake_provider::cache::Piece;
use crate::fake_provider::log::Billed;
use crate::fake_provider::openai::answer::CREATED;
use crate::fake_provider::plan::{Answered, Making, Part};
use crate::fake_provider::script::{self, Usage};
use crate::fake_provider::seal::{Purpose, seal};
use crate::fake_provider::speech::{Finish, Speech, Wanted, speech};

/// A request for a response.
#[derive(Clone, Debug)]
pub(crate) struct ResponseAsked {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) prompt: Vec<Piece>,
    /// Names of the tools that take any text.
    pub(crate) custom: Vec<String>,
    /// Whether thoughts are handed out, sealed.
    pub(crate) seals: bool,
    pub(crate) wanted: Wanted,
}

impl ResponseAsked {
    pub(crate) fn answer(&self, making: &Making<'_>) -> Answered {
        let id = format!("resp_fake{}", making.number);
        let speech = speech(&self.wanted, making.script);
        let cached = making.cache.read_unmarked(&self.model, &self.prompt);
        let response = Response { asked: self, script: making.script, id: &id, cached, speech: &speech };
        let parts = if self.stream {
            Stream { response: &response, parts: Vec::new(), number: 0, said: 0 }.say()
        } else {
            let wait = Duration::from_millis(making.script.first_content_ms);
            let billed = Some(response.bill(speech.tokens()));
            vec![Part { wait, bytes: response.whole().to_string().into(), billed }]
        };
        Answered { id: Some(id), parts }
    }
}

/// A response being made.
struct Response<'a> {
    asked: &'a ResponseAsked,
    script: &'a script::Answer,
    id: &'a str,
    cached: u64,
    speech: &'a Speech,
}

impl Response<'_> {
    fn bill(&self, completion_tokens: u64) -> Billed {
        Billed {
            prompt_tokens: self.asked.prompt.iter().map(|piece| piece.tokens).sum(),
            cache_read_tokens: self.cached,
            completion_tokens,
            ..Billed::default()
        }
    }

    fn object(&self, status: &str, output: &[Value]) -> Value {
        json!({
            "id": self.id,
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "metadata": {},
            "model": self.asked.model,
            "output": output,
            "parallel_tool_calls": true,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": null,
        })
    }

    fn whole(&self) -> Value {
        let mut whole = self.object(self.status(), &self.items());
        if self.speech.finish == Finish::Capped {
            let why = json!({ "incomplete_details": { "reason": "max_output_tokens" } });
            whole = merged(&whole, &why);
        }
        if self.script.usage == Usage::Honest {
            whole = merged(&whole, &json!({ "usage": self.usage() }));
        }
        whole
    }

    fn status(&self) -> &'static str {
        if self.speech.finish == Finish::Capped { "incomplete" } else { "completed" }
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

    /// The items of the answer, whole.
    fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        if self.asked.seals && !self.speech.thought.is_empty() {
            let sealed = seal(Purpose::OpenAi, &self.speech.thought.concat());
            let id = format!("rs_{}", self.id);
            items.push(json!({ "id": id, "type": "reasoning", "summary": [], "encrypted_content": sealed }));
        }
        if !self.speech.content.is_empty() {
            items.push(self.message("completed", &[spoken(&self.speech.content.concat())]));
        }
        items.extend((0..self.speech.calls.len()).filter_map(|call| self.call(call, "completed")));
        items
    }

    fn message(&self, status: &str, content: &[Value]) -> Value {
        let id = format!("msg_{}", self.id);
        json!({ "id": id, "type": "message", "status": status, "role": "assistant", "content": content })
    }

    fn call(&self, call: usize, status: &str) -> Option<Value> {
        let (full, arguments) = self.speech.calls.get(call)?;
        let custom = self.asked.custom.contains(full);
        let said = if status == "completed" { arguments.concat() } else { String::new() };
        let (namespace, name) = match full.split_once('.') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, full.as_str()),
        };
        let (prefix, kind, member) =
            if custom { ("ctc", "custom_tool_call", "input") } else { ("fc", "function_call", "arguments") };
        let item = json!({
            "id": format!("{prefix}_{}_{call}", self.id),
            "type": kind,
            "status": status,
            "call_id": format!("call_{}_{call}", self.id),
            "name": name,
            member: said,
        });
        Some(namespace.map_or_else(|| item.clone(), |name| merged(&item, &json!({ "namespace": name }))))
    }
}

fn spoken(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// A stream being made.
struct Stream<'a> {
    response: &'a Response<'a>,
    parts: Vec<Part>,
    number: u64,
    /// Tokens generated so far.
    said: u64,
}

impl Stream<'_> {
    fn say(mut self) -> Vec<Part> {
        let begun = self.response.object("in_progress", &[]);
        self.event("response.created", &json!({ "response": begun }));
        self.event("response.in_progress", &json!({ "response": begun }));
        for (index, item) in self.response.items().iter().enumerate() {
            match item["type"].as_str() {
                Some("message") => self.message(index, item),
                Some("reasoning") => self.thought(index, item),
                _ => self.call(index, item),
            }
            self.event("response.output_item.done", &json!({ "output_index": index, "item": item }));
        }
        self.said = self.response.speech.tokens();
        let kind = format!("response.{}", self.response.status());
        self.event(&kind, &json!({ "response": self.response.whole() }));
        self.parts
    }

    fn thought(&mut self, index: usize, item: &Value) {
        self.said += self.response.speech.thought_tokens();
        self.event("response.output_item.added", &json!({ "output_index": index, "item": item }));
    }

    fn message(&mut self, index: usize, item: &Value) {
        let id = &item["id"];
        let begun = self.response.message("in_progress", &[]);
        self.event("response.output_item.added", &json!({ "output_index": index, "item": begun }));
        let place = json!({ "item_id": id, "output_index": index, "content_index": 0 });
        let at = |more: &Value| merged(&place, more);
        self.event("response.content_part.added", &at(&json!({ "part": spoken("") })));
        for word in &self.response.speech.content {
            self.said += 1;
            self.event("response.output_text.delta", &at(&json!({ "delta": word, "logprobs": [] })));
        }
        let text = self.response.speech.content.concat();
        self.event("response.output_text.done", &at(&json!({ "text": text, "logprobs": [] })));
        self.event("response.content_part.done", &at(&json!({ "part": spoken(&text) })));
    }

    fn call(&mut self, index: usize, item: &Value) {
        let custom = item["type"] == "custom_tool_call";
        let (event, member) = if custom {
            ("response.custom_tool_call_input", "input")
        } else {
            ("response.function_call_arguments", "arguments")
        };
        let before = usize::from(self.response.asked.seals && !self.response.speech.thought.is_empty());
        let call = index.saturating_sub(before);
        let begun = self.response.call(call, "in_progress");
        self.event("response.output_item.added", &json!({ "output_index": index, "item": begun }));
        let place = json!({ "item_id": item["id"], "output_index": index });
        let at = |more: &Value| merged(&place, more);
        let arguments = self.response.speech.calls.get(call).map(|(_, arguments)| arguments.as_slice());
        for piece in arguments.unwrap_or_default() {
            self.said += 1;
            self.event(&format!("{event}.delta"), &at(&json!({ "delta": piece })));
        }
        self.event(&format!("{event}.done"), &at(&json!({ member: item.get(member) })));
    }

    fn event(&mut self, name: &str, data: &Value) {
        let data = merged(&json!({ "type": name, "sequence_number": self.number }), data);
        self.number += 1;
        let first = self.parts.iter().all(|part| part.billed.is_none());
        let wait = match self.said {
            0 => 0,
            _ if first => self.response.script.first_content_ms,
            _ => self.response.script.interval_ms,
        };
        // Nothing is billed before the first token.
        let billed = (self.said > 0).then(|| self.response.bill(self.said));
        let bytes = format!("event: {name}\ndata: {data}\n\n").into();
        self.parts.push(Part { wait: Duration::from_millis(wait), bytes, billed });
    }
}

/// An object with the members of both.
fn merged(object: &Value, more: &Value) -> Value {
    let members = [object, more].into_iter().filter_map(Value::as_object).flatten();
    members.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}
