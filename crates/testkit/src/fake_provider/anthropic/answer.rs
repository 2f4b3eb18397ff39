//! Correct answers of Anthropic's: messages, whole (`anthropic/types/message.py`) and as events
//! (`anthropic/types/raw_message_stream_event.py`), counts and the listing of models.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::fake_provider::cache::{Cached, Keep, Piece};
use crate::fake_provider::log::Billed;
use crate::fake_provider::plan::{Accepted, Answered, Making, Part};
use crate::fake_provider::script::{self, Usage};
use crate::fake_provider::seal::{Purpose, seal};
use crate::fake_provider::speech::{Finish, MEDIA_TOKENS, Speech, Wanted, count, sample, speech};

/// What an accepted request asks.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// The listing of these models.
    Models(Vec<String>),
    /// How many tokens a prompt has.
    Count(u64),
    /// A message.
    Message(Box<MessageAsked>),
}

/// A request for a message.
#[derive(Clone, Debug)]
pub(super) struct MessageAsked {
    model: String,
    stream: bool,
    prompt: Vec<Piece>,
    wanted: Wanted,
    /// Whether thoughts come without their text.
    hides_thoughts: bool,
}

impl Accepted for Asked {
    fn streams(&self) -> bool {
        matches!(self, Self::Message(asked) if asked.stream)
    }

    fn answer(&self, making: &Making<'_>) -> Answered {
        let free = |body: Value| Answered {
            id: None,
            parts: vec![Part { wait: Duration::ZERO, bytes: body.to_string().into(), billed: None }],
        };
        match self {
            Self::Models(models) => {
                let entry = |id: &String| json!({ "type": "model", "id": id, "display_name": id, "created_at": "2025-06-15T00:00:00Z" });
                let data: Vec<Value> = models.iter().map(entry).collect();
                free(
                    json!({ "data": data, "has_more": false, "first_id": models.first(), "last_id": models.last() }),
                )
            }
            Self::Count(tokens) => free(json!({ "input_tokens": tokens })),
            Self::Message(asked) => asked.answer(making),
        }
    }
}

/// The text of a last message of the assistant's.
fn begun(body: &Map<String, Value>) -> Option<String> {
    let last = body.get("messages")?.as_array()?.last()?;
    let content = last.get("content").filter(|_| last["role"] == "assistant")?;
    content.as_str().or_else(|| content.pointer("/0/text")?.as_str()).map(str::to_owned)
}

impl MessageAsked {
    /// Reads a body that was found in order.
    pub(super) fn read(body: &Map<String, Value>) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let thinking = body.get("thinking");
        let kind = text(thinking.and_then(|thinking| thinking.get("type")));
        let stops = body.get("stop_sequences").and_then(Value::as_array).into_iter().flatten();
        let schema = body.get("output_config").and_then(|output| output.pointer("/format/schema"));
        let wanted = Wanted {
            output_max: body
                .get("max_tokens")
                .and_then(Value::as_u64)
                .and_then(|most| usize::try_from(most).ok()),
            calls: calls(body),
            offered: offered(body),
            results: results(body),
            formatted: schema.map(|schema| sample(schema).to_string()),
            stops: stops.filter_map(Value::as_str).map(str::to_owned).collect(),
            thinks: matches!(kind.as_str(), "enabled" | "adaptive"),
            begun: begun(body),
        };
        Self {
            model: text(body.get("model")),
            stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
            prompt: prompt(body),
            wanted,
            hides_thoughts: thinking.is_some_and(|thinking| thinking["display"] == "omitted"),
        }
    }

    pub(super) fn prompt_tokens(&self) -> u64 {
        self.prompt.iter().map(|piece| piece.tokens).sum()
    }

    fn answer(&self, making: &Making<'_>) -> Answered {
        let id = format!("msg_fake{}", making.number);
        let cached = making.memory.cache.read(&self.model, &self.prompt);
        let mut speech = speech(&self.wanted, making.script);
        // What does not fit whole is not called.
        speech.calls.retain(|(_, arguments)| serde_json::from_str::<Value>(&arguments.concat()).is_ok());
        let message = Message { asked: self, script: making.script, id: &id, cached, speech: &speech };
        let parts = if self.stream {
            Stream { message: &message, parts: Vec::new(), said: 0, index: 0 }.say()
        } else {
            let wait = Duration::from_millis(making.script.first_content_ms);
            vec![Part {
                wait,
                bytes: message.whole().to_string().into(),
                billed: Some(message.bill(speech.tokens())),
            }]
        };
        Answered { id: Some(id), parts }
    }
}

/// The tools that may be called.
fn offered(body: &Map<String, Value>) -> Vec<String> {
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    tools.filter_map(|tool| tool.get("name")?.as_str()).map(str::to_owned).collect()
}

/// How many results of tools a conversation holds.
fn results(body: &Map<String, Value>) -> usize {
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let blocks = messages.filter_map(|message| message.get("content")?.as_array()).flatten();
    blocks.filter(|block| block["type"] == "tool_result").count()
}

/// The tools to call: those a choice forces.
fn calls(body: &Map<String, Value>) -> Vec<(String, String)> {
    let Some(choice) = body.get("tool_choice") else { return Vec::new() };
    let wanted = match choice.get("type").and_then(Value::as_str) {
        Some("tool") => choice.get("name").and_then(Value::as_str),
        Some("any") => None,
        _ => return Vec::new(),
    };
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let called = tools.filter_map(|tool| Some((tool.get("name")?.as_str()?, tool.get("input_schema")?)));
    let called = called.filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    let mut calls: Vec<_> =
        called.map(|(name, schema)| (name.to_owned(), sample(schema).to_string())).collect();
    if choice.get("disable_parallel_tool_use") == Some(&Value::Bool(true)) {
        calls.truncate(1);
    }
    calls
}

/// The prompt in the order in which it is cached: tools, system, messages.
fn prompt(body: &Map<String, Value>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    pieces.extend(tools.map(|tool| piece(tool, "tool", 0)));
    blocks(body.get("system"), "system", &mut pieces);
    for message in body.get("messages").and_then(Value::as_array).into_iter().flatten() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        blocks(message.get("content"), role, &mut pieces);
    }
    // A mark of the request's own is on its last block.
    if let (Some(mark), Some(last)) = (body.get("cache_control").and_then(keep), pieces.last_mut()) {
        last.mark.get_or_insert(mark);
    }
    pieces
}

fn blocks(content: Option<&Value>, role: &str, pieces: &mut Vec<Piece>) {
    match content {
        Some(Value::String(text)) => {
            // The same as one block of text.
            pieces.push(piece(&json!({ "type": "text", "text": text }), role, count(text)));
        }
        Some(Value::Array(blocks)) => {
            pieces.extend(blocks.iter().map(|block| piece(block, role, tokens(block))));
        }
        _ => {}
    }
}

fn tokens(block: &Value) -> u64 {
    let text = |name: &str| block.get(name).and_then(Value::as_str).map_or(0, count);
    match block.get("type").and_then(Value::as_str).unwrap_or_default() {
        "image" | "document" => MEDIA_TOKENS,
        "tool_use" => block.get("input").map_or(0, |input| count(&input.to_string())),
        "tool_result" => match block.get("content") {
            Some(Value::Array(blocks)) => blocks.iter().map(tokens).sum(),
            _ => text("content"),
        },
        _ => text("text") + text("thinking"),
    }
}

fn piece(block: &Value, role: &str, tokens: u64) -> Piece {
    let mut content = block.clone();
    let mark = content.as_object_mut().and_then(|content| content.remove("cache_control"));
    Piece { content: format!("{role} {content}"), tokens, mark: mark.as_ref().and_then(keep) }
}

fn keep(mark: &Value) -> Option<Keep> {
    let mark = mark.as_object()?;
    Some(if mark.get("ttl").and_then(Value::as_str) == Some("1h") {
        Keep::OneHour
    } else {
        Keep::FiveMinutes
    })
}

/// A message being made.
struct Message<'a> {
    asked: &'a MessageAsked,
    script: &'a script::Answer,
    id: &'a str,
    cached: Cached,
    speech: &'a Speech,
}

impl Message<'_> {
    fn bill(&self, completion_tokens: u64) -> Billed {
        Billed {
            prompt_tokens: self.asked.prompt_tokens(),
            cache_read_tokens: self.cached.read,
            cache_write_tokens: self.cached.written_5m + self.cached.written_1h,
            completion_tokens,
        }
    }

    /// `anthropic/types/usage.py`: what is cached is not in `input_tokens`.
    fn usage(&self, output_tokens: u64) -> Value {
        let bill = self.bill(output_tokens);
        json!({
            "input_tokens": bill.prompt_tokens - bill.cache_read_tokens - bill.cache_write_tokens,
            "cache_creation_input_tokens": bill.cache_write_tokens,
            "cache_read_input_tokens": bill.cache_read_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cached.written_5m,
                "ephemeral_1h_input_tokens": self.cached.written_1h,
            },
            "output_tokens": output_tokens,
            "service_tier": "standard",
        })
    }

    fn ending(&self) -> (&'static str, Option<&str>) {
        match &self.speech.finish {
            Finish::Said => ("end_turn", None),
            Finish::Stopped(stop) => ("stop_sequence", Some(stop)),
            Finish::Capped => ("max_tokens", None),
            Finish::Calls => ("tool_use", None),
        }
    }

    fn head(&self, content: &[Value], ending: Option<(&str, Option<&str>)>) -> Value {
        let (reason, sequence) = ending.unzip();
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.asked.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence.flatten(),
        })
    }

    fn call_id(&self, call: usize) -> String {
        format!("toolu_{}_{call}", self.id)
    }

    fn whole(&self) -> Value {
        let mut content = Vec::new();
        if !self.speech.thought.is_empty() {
            let thought = self.speech.thought.concat();
            let signature = seal(Purpose::Anthropic, &thought);
            let shown = if self.asked.hides_thoughts { "" } else { &thought };
            content.push(json!({ "type": "thinking", "thinking": shown, "signature": signature }));
        }
        if !self.speech.content.is_empty() {
            content.push(json!({ "type": "text", "text": self.speech.content.concat() }));
        }
        for (call, (name, arguments)) in self.speech.calls.iter().enumerate() {
            let input: Value = serde_json::from_str(&arguments.concat()).unwrap_or_default();
            content
                .push(json!({ "type": "tool_use", "id": self.call_id(call), "name": name, "input": input }));
        }
        let mut message = self.head(&content, Some(self.ending()));
        if self.script.usage == Usage::Honest
            && let Some(message) = message.as_object_mut()
        {
            let mut usage = self.usage(self.speech.tokens());
            self.details(&mut usage);
            message.insert("usage".to_owned(), usage);
        }
        message
    }

    /// How many of the tokens were thought.
    fn details(&self, usage: &mut Value) {
        if let (true, Some(usage)) = (self.asked.wanted.thinks, usage.as_object_mut()) {
            let details = json!({ "thinking_tokens": self.speech.thought_tokens() });
            usage.insert("output_tokens_details".to_owned(), details);
        }
    }
}

/// A stream being made.
struct Stream<'a> {
    message: &'a Message<'a>,
    parts: Vec<Part>,
    /// Tokens generated so far.
    said: u64,
    /// The place of the next block.
    index: usize,
}

impl Stream<'_> {
    fn say(mut self) -> Vec<Part> {
        let message = self.message;
        let honest = message.script.usage == Usage::Honest;
        let mut head = message.head(&[], None);
        if let (true, Some(head)) = (honest, head.as_object_mut()) {
            head.insert("usage".to_owned(), message.usage(1));
        }
        self.event("message_start", json!({ "message": head }));
        self.thought();
        self.text();
        self.calls();
        let (reason, sequence) = message.ending();
        let mut delta = json!({ "delta": { "stop_reason": reason, "stop_sequence": sequence } });
        if let (true, Some(delta)) = (honest, delta.as_object_mut()) {
            let mut usage = message.usage(message.speech.tokens());
            message.details(&mut usage);
            delta.insert("usage".to_owned(), usage);
        }
        self.said = message.speech.tokens();
        self.event("message_delta", delta);
        self.event("message_stop", json!({}));
        self.parts
    }

    fn thought(&mut self) {
        let message = self.message;
        if message.speech.thought.is_empty() {
            return;
        }
        self.start(&json!({ "type": "thinking", "thinking": "", "signature": "" }));
        for word in &message.speech.thought {
            self.said += 1;
            if !message.asked.hides_thoughts {
                self.delta(&json!({ "type": "thinking_delta", "thinking": word }));
            }
        }
        let signature = seal(Purpose::Anthropic, &message.speech.thought.concat());
        self.delta(&json!({ "type": "signature_delta", "signature": signature }));
        self.stop();
    }

    fn text(&mut self) {
        let message = self.message;
        if message.speech.content.is_empty() {
            return;
        }
        self.start(&json!({ "type": "text", "text": "" }));
        self.event("ping", json!({}));
        for word in &message.speech.content {
            self.said += 1;
            self.delta(&json!({ "type": "text_delta", "text": word }));
        }
        self.stop();
    }

    fn calls(&mut self) {
        let message = self.message;
        for (call, (name, arguments)) in message.speech.calls.iter().enumerate() {
            self.start(
                &json!({ "type": "tool_use", "id": message.call_id(call), "name": name, "input": {} }),
            );
            self.delta(&json!({ "type": "input_json_delta", "partial_json": "" }));
            for piece in arguments {
                self.said += 1;
                self.delta(&json!({ "type": "input_json_delta", "partial_json": piece }));
            }
            self.stop();
        }
    }

    fn start(&mut self, block: &Value) {
        self.event("content_block_start", json!({ "index": self.index, "content_block": block }));
    }

    fn delta(&mut self, delta: &Value) {
        self.event("content_block_delta", json!({ "index": self.index, "delta": delta }));
    }

    fn stop(&mut self) {
        self.event("content_block_stop", json!({ "index": self.index }));
        self.index += 1;
    }

    fn event(&mut self, name: &str, mut data: Value) {
        if let Some(data) = data.as_object_mut() {
            data.insert("type".to_owned(), name.into());
        }
        let first = self.parts.iter().all(|part| part.billed.is_none());
        let wait = match self.said {
            0 => 0,
            _ if first => self.message.script.first_content_ms,
            _ => self.message.script.interval_ms,
        };
        // Nothing is billed before the first token.
        let billed = (self.said > 0).then(|| self.message.bill(self.said));
        let bytes = format!("event: {name}\ndata: {data}\n\n").into();
        self.parts.push(Part { wait: Duration::from_millis(wait), bytes, billed });
    }
}
