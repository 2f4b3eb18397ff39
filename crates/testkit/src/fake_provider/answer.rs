//! Correct answers: what an OpenAI-compatible provider says when nothing goes wrong. Tokens are words, counted the
//! same everywhere: in prompts, answers, buffered and streamed.
//!
//! Shapes: `openai/types/chat/chat_completion.py`, `chat_completion_chunk.py`, `completion.py`, `completion_usage.py`,
//! `create_embedding_response.py`, `model.py` of the official Python SDK 3.57.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::log::Billed;
use super::plan::Part;
use super::script;

/// The creation time in every answer, in seconds since 1970: answers are the same in every run.
const CREATED: u64 = 1_750_000_000;

/// What an accepted request asks.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// The listing of these models.
    Models(Vec<String>),
    /// Chat or a completion.
    Text(TextAsked),
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
    pub(crate) output_max: Option<usize>,
    pub(crate) prompt_tokens: u64,
    /// Name and arguments of the tool to call.
    pub(crate) call: Option<(String, String)>,
    /// What is said because of a format asked for.
    pub(crate) formatted: Option<String>,
}

/// An answer.
pub(crate) struct Answered {
    pub(crate) id: Option<String>,
    pub(crate) parts: Vec<Part>,
}

impl Asked {
    /// Whether the answer is a stream.
    pub(crate) fn streams(&self) -> bool {
        matches!(self, Self::Text(TextAsked { stream: true, .. }))
    }
}

/// Words, each with the white space after it.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(char::is_whitespace).filter(|word| !word.trim().is_empty())
}

/// How many words.
pub(crate) fn count(text: &str) -> u64 {
    text.split_whitespace().map(|_| 1).sum()
}

/// The correct answer. `number` makes its id.
pub(crate) fn answer(asked: &Asked, script: &script::Answer, number: u64) -> Answered {
    match asked {
        Asked::Models(models) => {
            let entry =
                |id: &String| json!({ "id": id, "object": "model", "created": CREATED, "owned_by": "fake" });
            let listing = json!({ "object": "list", "data": models.iter().map(entry).collect::<Vec<_>>() });
            let bytes = listing.to_string().into();
            Answered { id: None, parts: vec![Part { wait: Duration::ZERO, bytes, billed: None }] }
        }
        Asked::Embeddings { model, inputs, dimensions, base64 } => {
            let billed = Billed { prompt_tokens: inputs.iter().sum(), completion_tokens: 0 };
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
            let id = format!("{}-fake-{number}", if asked.chat { "chatcmpl" } else { "cmpl" });
            let speech = speech(asked, script);
            let parts = if asked.stream {
                Stream { asked, script, id: &id, parts: Vec::new(), billed: None }.say(&speech)
            } else {
                vec![buffered(&whole(asked, script, &id, &speech), script, speech.bill(asked, asked.choices))]
            };
            Answered { id: Some(id), parts }
        }
    }
}

/// What each choice says.
struct Speech {
    content: Vec<String>,
    call: Option<(String, Vec<String>)>,
    finish: &'static str,
}

impl Speech {
    fn tokens(&self) -> usize {
        self.content.len() + self.call.as_ref().map_or(0, |(_, arguments)| arguments.len())
    }

    fn bill(&self, asked: &TextAsked, choices: usize) -> Billed {
        let tokens = u64::try_from(self.tokens() * choices).unwrap_or(u64::MAX);
        Billed { prompt_tokens: asked.prompt_tokens, completion_tokens: tokens }
    }
}

fn speech(asked: &TextAsked, script: &script::Answer) -> Speech {
    let most = asked.output_max.unwrap_or(usize::MAX);
    let text = match &asked.call {
        Some((_, arguments)) => arguments,
        None => asked.formatted.as_ref().unwrap_or(&script.text),
    };
    let all: Vec<String> = words(text).map(str::to_owned).collect();
    let capped = all.len() > most;
    let said: Vec<String> = all.into_iter().take(most).collect();
    match &asked.call {
        Some((name, _)) => {
            let finish = if capped { "length" } else { "tool_calls" };
            Speech { content: Vec::new(), call: Some((name.clone(), said)), finish }
        }
        None => Speech { content: said, call: None, finish: if capped { "length" } else { "stop" } },
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

fn usage(billed: Billed) -> Value {
    json!({
        "prompt_tokens": billed.prompt_tokens,
        "completion_tokens": billed.completion_tokens,
        "total_tokens": billed.prompt_tokens + billed.completion_tokens,
        "prompt_tokens_details": { "cached_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 0 },
    })
}

fn object(asked: &TextAsked, kind: &str, id: &str, choices: &[Value]) -> Value {
    json!({ "id": id, "object": kind, "created": CREATED, "model": asked.model, "choices": choices })
}

fn whole(asked: &TextAsked, script: &script::Answer, id: &str, speech: &Speech) -> Value {
    let choice = |index: usize| {
        if !asked.chat {
            return completion_choice(index, &speech.content.concat(), Some(speech.finish));
        }
        let mut message = Map::new();
        message.insert("role".to_owned(), "assistant".into());
        message.insert("refusal".to_owned(), Value::Null);
        let content = if speech.call.is_some() { Value::Null } else { speech.content.concat().into() };
        message.insert("content".to_owned(), content);
        if let Some((name, arguments)) = &speech.call {
            let function = json!({ "name": name, "arguments": arguments.concat() });
            let call = json!([{ "id": call_id(id, index), "type": "function", "function": function }]);
            message.insert("tool_calls".to_owned(), call);
        }
        json!({ "index": index, "message": message, "logprobs": null, "finish_reason": speech.finish })
    };
    let choices: Vec<Value> = (0..asked.choices).map(choice).collect();
    let kind = if asked.chat { "chat.completion" } else { "text_completion" };
    let mut body = object(asked, kind, id, &choices);
    add_usage(&mut body, script, || usage(speech.bill(asked, asked.choices)));
    body
}

fn call_id(id: &str, index: usize) -> String {
    format!("call_{id}_{index}")
}

fn completion_choice(index: usize, text: &str, finish: Option<&str>) -> Value {
    json!({ "index": index, "text": text, "logprobs": null, "finish_reason": finish })
}

/// A stream being made: one choice after the other.
struct Stream<'a> {
    asked: &'a TextAsked,
    script: &'a script::Answer,
    id: &'a str,
    parts: Vec<Part>,
    /// The bill so far; none before the first content.
    billed: Option<Billed>,
}

impl Stream<'_> {
    fn say(mut self, speech: &Speech) -> Vec<Part> {
        for index in 0..self.asked.choices {
            if self.asked.chat {
                self.delta(index, &json!({ "role": "assistant", "content": "", "refusal": null }), None);
            }
            for word in &speech.content {
                self.generated();
                if self.asked.chat {
                    self.delta(index, &json!({ "content": word }), None);
                } else {
                    self.choice(completion_choice(index, word, None));
                }
            }
            if let Some((name, arguments)) = &speech.call {
                let function = json!({ "name": name, "arguments": "" });
                let call = json!([{ "index": 0, "id": call_id(self.id, index), "type": "function", "function": function }]);
                self.delta(index, &json!({ "tool_calls": call }), None);
                for argument in arguments {
                    self.generated();
                    let call = json!([{ "index": 0, "function": { "arguments": argument } }]);
                    self.delta(index, &json!({ "tool_calls": call }), None);
                }
            }
            if self.asked.chat {
                self.delta(index, &json!({}), Some(speech.finish));
            } else {
                self.choice(completion_choice(index, "", Some(speech.finish)));
            }
        }
        let billed = speech.bill(self.asked, self.asked.choices);
        self.billed = Some(billed);
        if self.asked.include_usage && self.script.usage == script::Usage::Honest {
            let mut chunk = object(self.asked, self.kind(), self.id, &[]);
            add_usage(&mut chunk, self.script, || usage(billed));
            self.push(Duration::ZERO, format!("data: {chunk}\n\n"));
        }
        self.push(Duration::ZERO, "data: [DONE]\n\n".to_owned());
        self.parts
    }

    fn kind(&self) -> &'static str {
        if self.asked.chat { "chat.completion.chunk" } else { "text_completion" }
    }

    /// One more token is generated with the next chunk.
    fn generated(&mut self) {
        let so_far = self.billed.map_or(0, |billed| billed.completion_tokens);
        self.billed = Some(Billed {
            prompt_tokens: self.asked.prompt_tokens,
            completion_tokens: so_far.saturating_add(1),
        });
    }

    fn delta(&mut self, index: usize, delta: &Value, finish: Option<&str>) {
        self.choice(json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }));
    }

    fn choice(&mut self, choice: Value) {
        let first = self.parts.iter().all(|part| part.billed.is_none());
        let wait = match self.billed {
            None => 0,
            Some(_) if first => self.script.first_content_ms,
            Some(_) => self.script.interval_ms,
        };
        let mut chunk = object(self.asked, self.kind(), self.id, &[choice]);
        if self.asked.include_usage {
            add_usage(&mut chunk, self.script, || Value::Null);
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
