//! Correct answers: what an OpenAI-compatible provider says when nothing goes wrong.
//!
//! Shapes: `openai/types/chat/chat_completion.py`, `chat_completion_chunk.py`, `completion.py`, `completion_usage.py`,
//! `create_embedding_response.py`, `model.py` of the official Python SDK 3.57.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::{mistral, responses};
use crate::fake_provider::cache::Piece;
use crate::fake_provider::log::Billed;
use crate::fake_provider::plan::{Accepted, Answered, Making, Part};
use crate::fake_provider::script;
use crate::fake_provider::speech::{Finish, Speech, Wanted, speech};

/// The creation time in every answer, in seconds since 1970: answers are the same in every run.
pub(super) const CREATED: u64 = 1_750_000_000;

/// What an accepted request asks.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// The listing of these models.
    Models(Vec<String>),
    /// Chat or a completion.
    Text(TextAsked),
    /// A response.
    Response(Box<responses::Response>),
    /// What costs nothing, as JSON.
    Kept(Value),
    /// Vectors.
    Embeddings { model: String, inputs: Vec<u64>, dimensions: usize, base64: bool },
}

/// A chat or completion request.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextAsked {
    pub(crate) chat: bool,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) choices: usize,
    pub(crate) prompt: Vec<Piece>,
    pub(crate) wanted: Wanted,
    pub(crate) flavour: Flavour,
}

/// Whose answers they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// OpenAI's.
    #[default]
    Reference,
    /// [Mistral's](super::mistral).
    Mistral,
}

impl Accepted for Asked {
    fn streams(&self) -> bool {
        match self {
            Self::Text(asked) => asked.stream,
            Self::Response(asked) => asked.stream,
            Self::Models(_) | Self::Kept(_) | Self::Embeddings { .. } => false,
        }
    }

    fn answer(&self, making: &Making<'_>) -> Answered {
        answer(self, making)
    }
}

/// The correct answer.
fn answer(asked: &Asked, making: &Making<'_>) -> Answered {
    let script = making.script;
    match asked {
        Asked::Response(asked) => responses::answer::answer(asked, making),
        Asked::Kept(body) => Answered { id: None, parts: vec![free(body)] },
        Asked::Models(models) => {
            let entry =
                |id: &String| json!({ "id": id, "object": "model", "created": CREATED, "owned_by": "fake" });
            let listing = json!({ "object": "list", "data": models.iter().map(entry).collect::<Vec<_>>() });
            Answered { id: None, parts: vec![free(&listing)] }
        }
        Asked::Embeddings { model, inputs, dimensions, base64 } => {
            let billed = Billed { prompt_tokens: inputs.iter().sum(), ..Billed::default() };
            let item = |(index, tokens): (usize, &u64)| json!({ "object": "embedding", "index": index, "embedding": vector(*tokens, *dimensions, *base64) });
            let data: Vec<Value> = inputs.iter().enumerate().map(item).collect();
            let mut body = json!({ "object": "list", "data": data, "model": model });
            add_usage(
                &mut body,
                script,
                || json!({ "prompt_tokens": billed.prompt_tokens, "total_tokens": billed.prompt_tokens }),
            );
            Answered { id: None, parts: vec![buffered(&body, script, billed)] }
        }
        Asked::Text(asked) => {
            let kind = if asked.chat { "chatcmpl" } else { "cmpl" };
            let id = format!("{kind}-fake-{}", making.number);
            let speech = speech(&asked.wanted, script);
            let text =
                TextAnswer { asked, script, id: &id, number: making.number, cached: asked.cached(making) };
            let parts = if asked.stream {
                Stream { text: &text, parts: Vec::new(), billed: None, usage_comes: None }.say(&speech)
            } else {
                vec![buffered(&text.whole(&speech), script, text.bill(&speech))]
            };
            Answered { id: Some(id), parts }
        }
    }
}

/// A body that costs nothing.
fn free(body: &Value) -> Part {
    Part { wait: Duration::ZERO, bytes: body.to_string().into(), billed: None }
}

impl TextAsked {
    fn prompt_tokens(&self) -> u64 {
        self.prompt.iter().map(|piece| piece.tokens).sum()
    }

    /// Tokens of the prompt that were read before.
    fn cached(&self, making: &Making<'_>) -> u64 {
        let caches = self.chat && self.flavour == Flavour::Reference;
        if caches { making.memory.cache.read_unmarked(&self.model, &self.prompt) } else { 0 }
    }
}

fn finish(speech: &Speech) -> &'static str {
    match speech.finish {
        Finish::Said | Finish::Stopped(_) => "stop",
        Finish::Capped => "length",
        Finish::Calls => "tool_calls",
    }
}

fn buffered(body: &Value, script: &script::Answer, billed: Billed) -> Part {
    let wait = Duration::from_millis(script.first_content_ms);
    Part { wait, bytes: body.to_string().into(), billed: Some(billed) }
}

fn add_usage(body: &mut Value, script: &script::Answer, usage: impl FnOnce() -> Value) {
    if let (script::Usage::Honest, Some(body)) = (script.usage, body.as_object_mut()) {
        body.insert("usage".to_owned(), usage());
    }
}

fn usage(flavour: Flavour, billed: Billed) -> Value {
    if flavour == Flavour::Mistral {
        let total = billed.prompt_tokens + billed.completion_tokens;
        return json!({
            "prompt_tokens": billed.prompt_tokens, "completion_tokens": billed.completion_tokens,
            "total_tokens": total,
        });
    }
    json!({
        "prompt_tokens": billed.prompt_tokens,
        "completion_tokens": billed.completion_tokens,
        "total_tokens": billed.prompt_tokens + billed.completion_tokens,
        "prompt_tokens_details": { "cached_tokens": billed.cache_read_tokens },
        "completion_tokens_details": { "reasoning_tokens": 0 },
    })
}

/// An answer being made.
struct TextAnswer<'a> {
    asked: &'a TextAsked,
    script: &'a script::Answer,
    id: &'a str,
    /// Of the call.
    number: u64,
    /// Tokens of the prompt that were read before.
    cached: u64,
}

impl TextAnswer<'_> {
    /// The bill with so many tokens generated.
    fn billed(&self, completion_tokens: u64) -> Billed {
        Billed {
            prompt_tokens: self.asked.prompt_tokens(),
            cache_read_tokens: self.cached,
            completion_tokens,
            ..Billed::default()
        }
    }

    fn bill(&self, speech: &Speech) -> Billed {
        let choices = u64::try_from(self.asked.choices).unwrap_or(u64::MAX);
        self.billed(speech.tokens().saturating_mul(choices))
    }

    fn call_id(&self, index: usize, call: usize) -> String {
        match self.asked.flavour {
            Flavour::Reference => format!("call_{}_{index}_{call}", self.id),
            Flavour::Mistral => mistral::call_id(self.number, index, call),
        }
    }

    fn object(&self, kind: &str, choices: &[Value]) -> Value {
        json!({ "id": self.id, "object": kind, "created": CREATED, "model": self.asked.model, "choices": choices })
    }

    fn whole(&self, speech: &Speech) -> Value {
        let choice = |index: usize| {
            if !self.asked.chat {
                return completion_choice(index, &speech.content.concat(), Some(finish(speech)));
            }
            let mut message = Map::new();
            message.insert("role".to_owned(), "assistant".into());
            let reference = self.asked.flavour == Flavour::Reference;
            if reference {
                message.insert("refusal".to_owned(), Value::Null);
            }
            let silent = reference && !speech.calls.is_empty();
            let content = if silent { Value::Null } else { speech.content.concat().into() };
            message.insert("content".to_owned(), content);
            if !speech.calls.is_empty() {
                let calls = speech.calls.iter().enumerate();
                let calls = calls.map(|(call, (name, arguments))| {
                    let function = json!({ "name": name, "arguments": arguments.concat() });
                    json!({ "id": self.call_id(index, call), "type": "function", "function": function })
                });
                message.insert("tool_calls".to_owned(), calls.collect());
            }
            json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish(speech) })
        };
        let choices: Vec<Value> = (0..self.asked.choices).map(choice).collect();
        let kind = if self.asked.chat { "chat.completion" } else { "text_completion" };
        let mut body = self.object(kind, &choices);
        add_usage(&mut body, self.script, || usage(self.asked.flavour, self.bill(speech)));
        body
    }
}

fn completion_choice(index: usize, text: &str, finish: Option<&str>) -> Value {
    json!({ "index": index, "text": text, "logprobs": null, "finish_reason": finish })
}

/// A stream being made: one choice after the other.
struct Stream<'a> {
    text: &'a TextAnswer<'a>,
    parts: Vec<Part>,
    /// The bill so far; none before the first content.
    billed: Option<Billed>,
    /// What the chunk says of usage that comes now, where chunks of content say it.
    usage_comes: Option<Billed>,
}

impl Stream<'_> {
    fn say(mut self, speech: &Speech) -> Vec<Part> {
        for index in 0..self.text.asked.choices {
            if self.text.asked.chat {
                let mut start = json!({ "role": "assistant", "content": "", "refusal": null });
                if let (Flavour::Mistral, Some(start)) = (self.text.asked.flavour, start.as_object_mut()) {
                    start.remove("refusal");
                }
                self.delta(index, &start, None);
            }
            for word in &speech.content {
                self.generated();
                if self.text.asked.chat {
                    self.delta(index, &json!({ "content": word }), None);
                } else {
                    self.choice(completion_choice(index, word, None));
                }
            }
            for (number, (name, arguments)) in speech.calls.iter().enumerate() {
                let whole = self.text.asked.flavour == Flavour::Mistral;
                let said = if whole { arguments.concat() } else { String::new() };
                let function = json!({ "name": name, "arguments": said });
                let id = self.text.call_id(index, number);
                if whole {
                    for _ in arguments {
                        self.generated();
                    }
                }
                let call = json!([{ "index": number, "id": id, "type": "function", "function": function }]);
                self.delta(index, &json!({ "tool_calls": call }), None);
                for argument in arguments.iter().filter(|_| !whole) {
                    self.generated();
                    let call = json!([{ "index": number, "function": { "arguments": argument } }]);
                    self.delta(index, &json!({ "tool_calls": call }), None);
                }
            }
            if self.text.asked.chat {
                let last = index + 1 == self.text.asked.choices;
                self.usage_comes = last.then(|| self.text.bill(speech));
                let delta = match self.text.asked.flavour {
                    Flavour::Reference => json!({}),
                    Flavour::Mistral => json!({ "content": "" }),
                };
                self.delta(index, &delta, Some(finish(speech)));
            } else {
                self.choice(completion_choice(index, "", Some(finish(speech))));
            }
        }
        let billed = self.text.bill(speech);
        self.billed = Some(billed);
        if self.text.asked.include_usage && self.text.script.usage == script::Usage::Honest {
            let mut chunk = self.text.object(self.kind(), &[]);
            add_usage(&mut chunk, self.text.script, || usage(self.text.asked.flavour, billed));
            self.push(Duration::ZERO, format!("data: {chunk}\n\n"));
        }
        self.push(Duration::ZERO, "data: [DONE]\n\n".to_owned());
        self.parts
    }

    fn kind(&self) -> &'static str {
        if self.text.asked.chat { "chat.completion.chunk" } else { "text_completion" }
    }

    /// One more token is generated with the next chunk.
    fn generated(&mut self) {
        let so_far = self.billed.map_or(0, |billed| billed.completion_tokens);
        self.billed = Some(self.text.billed(so_far.saturating_add(1)));
    }

    fn delta(&mut self, index: usize, delta: &Value, finish: Option<&str>) {
        self.choice(json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }));
    }

    fn choice(&mut self, choice: Value) {
        let first = self.parts.iter().all(|part| part.billed.is_none());
        let wait = match self.billed {
            None => 0,
            Some(_) if first => self.text.script.first_content_ms,
            Some(_) => self.text.script.interval_ms,
        };
        let mut chunk = self.text.object(self.kind(), &[choice]);
        if self.text.asked.include_usage {
            add_usage(&mut chunk, self.text.script, || Value::Null);
        }
        if let (Flavour::Mistral, Some(billed)) = (self.text.asked.flavour, self.usage_comes) {
            add_usage(&mut chunk, self.text.script, || usage(Flavour::Mistral, billed));
        }
        self.push(Duration::from_millis(wait), format!("data: {chunk}\n\n"));
    }

    fn push(&mut self, wait: Duration, text: String) {
        self.parts.push(Part { wait, bytes: text.into(), billed: self.billed });
    }
}

/// A vector of length 1 that only depends on how many tokens there were.
fn vector(tokens: u64, dimensions: usize, base64: bool) -> Value {
    let axis = usize::try_from(tokens).unwrap_or(0).checked_rem(dimensions).unwrap_or(0);
    let vector = (0..dimensions).map(|index| if index == axis { 1.0_f32 } else { 0.0 });
    if base64 {
        let bytes: Vec<u8> = vector.flat_map(f32::to_le_bytes).collect();
        return BASE64_STANDARD.encode(bytes).into();
    }
    vector.collect()
}
