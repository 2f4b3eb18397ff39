//! Correct answers of Converse: `ConverseResponse` and the events of `ConverseStreamOutput`. Models of Anthropic's think
//! where they are asked to in their own words (`additionalModelRequestFields.thinking`), and sign their thoughts.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::frames::event;
use crate::fake_provider::cache::{Cached, Keep, Piece};
use crate::fake_provider::log::Billed;
use crate::fake_provider::plan::{Accepted, Answered, Making, Part, Pieces};
use crate::fake_provider::script::Usage;
use crate::fake_provider::seal::{Purpose, seal};
use crate::fake_provider::speech::{Finish, MEDIA_TOKENS, Speech, Wanted, count, sample, speech};

/// A request for an answer.
#[derive(Clone, Debug)]
pub(super) struct ConverseAsked {
    model: String,
    stream: bool,
    prompt: Vec<Piece>,
    wanted: Wanted,
}

impl Accepted for ConverseAsked {
    fn streams(&self) -> bool {
        self.stream
    }

    fn answer(&self, making: &Making<'_>) -> Answered {
        let mut speech = speech(&self.wanted, making.script);
        // What does not fit whole is not called.
        speech.calls.retain(|(_, arguments)| serde_json::from_str::<Value>(&arguments.concat()).is_ok());
        let cached = making.memory.cache.read(&self.model, &self.prompt);
        let prompt = Billed {
            prompt_tokens: self.prompt.iter().map(|piece| piece.tokens).sum(),
            cache_read_tokens: cached.read,
            cache_write_tokens: cached.written_5m + cached.written_1h,
            ..Billed::default()
        };
        let answer = Answer { speech: &speech, prompt, cached, making };
        let parts = if self.stream { answer.events() } else { making.whole(&answer.whole(), answer.bill()) };
        // Answers have no id of their own.
        Answered { id: None, parts }
    }
}

impl ConverseAsked {
    /// Reads a body that was found in order.
    pub(super) fn read(model: String, body: &Map<String, Value>, stream: bool) -> Self {
        let inside = |name: &str, pointer: &str| body.get(name).and_then(|value| value.pointer(pointer));
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let messages = list(body.get("messages"));
        let blocks = || messages.iter().filter_map(|message| message.get("content")?.as_array()).flatten();
        let tools = list(inside("toolConfig", "/tools"));
        let named = |tool: &Value| Some(tool.pointer("/toolSpec/name")?.as_str()?.to_owned());
        let schema = |tool: &Value| tool.pointer("/toolSpec/inputSchema/json").cloned();
        let wanted_name = inside("toolConfig", "/toolChoice/tool/name").and_then(Value::as_str);
        let forced = wanted_name.is_some() || inside("toolConfig", "/toolChoice/any").is_some();
        let call = |tool: &Value| Some((named(tool)?, sample(&schema(tool)?).to_string()));
        let mut calls: Vec<_> = tools.iter().filter(|_| forced).filter_map(call).collect();
        calls.retain(|(name, _)| wanted_name.is_none_or(|wanted| wanted == name));
        let own = |pointer: &str| inside("additionalModelRequestFields", pointer);
        if own("/tool_choice/disable_parallel_tool_use") == Some(&Value::Bool(true)) {
            calls.truncate(1);
        }
        let format =
            inside("outputConfig", "/textFormat/structure/jsonSchema/schema").and_then(Value::as_str);
        let format = format.and_then(|schema| serde_json::from_str::<Value>(schema).ok());
        let kind = own("/thinking/type").and_then(Value::as_str).unwrap_or_default();
        let begun = messages.last().filter(|message| message["role"] == "assistant");
        let wanted = Wanted {
            output_max: inside("inferenceConfig", "/maxTokens")
                .and_then(Value::as_u64)
                .and_then(|most| usize::try_from(most).ok()),
            calls,
            offered: tools.iter().filter_map(named).collect(),
            results: blocks().filter(|block| block.get("toolResult").is_some()).count(),
            formatted: format.map(|schema| sample(&schema).to_string()),
            stops: list(inside("inferenceConfig", "/stopSequences"))
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            thinks: matches!(kind, "enabled" | "adaptive"),
            begun: begun.and_then(|message| message.pointer("/content/0/text")?.as_str()).map(str::to_owned),
        };
        let system = list(body.get("system"));
        let mut prompt = Vec::new();
        for block in tools.iter().chain(&system).chain(blocks()) {
            take(block, &mut prompt);
        }
        Self { model, stream, prompt, wanted }
    }
}

/// Takes a block into the prompt; a cache point marks what is before it.
fn take(block: &Value, prompt: &mut Vec<Piece>) {
    match block.get("cachePoint") {
        Some(point) => {
            let keep = if point["ttl"] == "1h" { Keep::OneHour } else { Keep::FiveMinutes };
            if let Some(last) = prompt.last_mut() {
                last.mark = Some(keep);
            }
        }
        None => prompt.push(Piece { content: block.to_string(), tokens: tokens(block), mark: None }),
    }
}

fn tokens(block: &Value) -> u64 {
    let text = |value: &Value| value.as_str().map_or_else(|| count(&value.to_string()), count);
    let at = |pointer: &str| block.pointer(pointer).map_or(0, text);
    let media = ["image", "document", "video"].iter().filter(|name| block.get(**name).is_some());
    let results = block.pointer("/toolResult/content").and_then(Value::as_array).into_iter().flatten();
    let results = results.map(|inner| tokens(inner) + inner.get("json").map_or(0, text));
    at("/text")
        + at("/toolUse/input")
        + at("/reasoningContent/reasoningText/text")
        + media.map(|_| MEDIA_TOKENS).sum::<u64>()
        + results.sum::<u64>()
}

/// An answer being made.
struct Answer<'a> {
    speech: &'a Speech,
    /// What the prompt costs.
    prompt: Billed,
    cached: Cached,
    making: &'a Making<'a>,
}

impl Answer<'_> {
    fn bill(&self) -> Billed {
        Billed { completion_tokens: self.speech.tokens(), ..self.prompt }
    }

    fn reason(&self) -> &'static str {
        match self.speech.finish {
            Finish::Said => "end_turn",
            Finish::Stopped(_) => "stop_sequence",
            Finish::Capped => "max_tokens",
            Finish::Calls => "tool_use",
        }
    }

    /// What is not read from a cache or written to one is input.
    fn usage(&self) -> Value {
        let (input, output) = (self.prompt.prompt_tokens, self.speech.tokens());
        let (read, written) = (self.prompt.cache_read_tokens, self.prompt.cache_write_tokens);
        let fresh = input.saturating_sub(read + written);
        let details = [("5m", self.cached.written_5m), ("1h", self.cached.written_1h)];
        let details: Vec<Value> = details
            .iter()
            .filter(|(_, tokens)| *tokens > 0)
            .map(|(ttl, tokens)| json!({ "ttl": ttl, "inputTokens": tokens }))
            .collect();
        let mut usage =
            json!({ "inputTokens": fresh, "outputTokens": output, "totalTokens": input + output });
        if let (true, Some(usage)) = (read + written > 0, usage.as_object_mut()) {
            usage.insert("cacheReadInputTokens".to_owned(), read.into());
            usage.insert("cacheWriteInputTokens".to_owned(), written.into());
            usage.insert("cacheDetails".to_owned(), details.into());
        }
        usage
    }

    fn id(&self, call: usize) -> String {
        format!("tooluse_fake{}_{call}", self.making.number)
    }

    fn whole(&self) -> Value {
        let mut content = Vec::new();
        if !self.speech.thought.is_empty() {
            let thought = self.speech.thought.concat();
            let signature = seal(Purpose::Bedrock, &thought);
            content
                .push(json!({ "reasoningContent": { "reasoningText": { "text": thought, "signature": signature } } }));
        }
        if !self.speech.content.is_empty() {
            content.push(json!({ "text": self.speech.content.concat() }));
        }
        for (at, (name, arguments)) in self.speech.calls.iter().enumerate() {
            let input: Value = serde_json::from_str(&arguments.concat()).unwrap_or_default();
            content.push(json!({ "toolUse": { "toolUseId": self.id(at), "name": name, "input": input } }));
        }
        let mut body = json!({
            "output": { "message": { "role": "assistant", "content": content } },
            "stopReason": self.reason(),
            "metrics": { "latencyMs": 1 },
        });
        if let (Usage::Honest, Some(body)) = (self.making.script.usage, body.as_object_mut()) {
            body.insert("usage".to_owned(), self.usage());
        }
        body
    }

    fn events(&self) -> Vec<Part> {
        let mut events = Events { pieces: Pieces::new(self.making.script, self.prompt), index: 0 };
        events.pieces.push(0, event("messageStart", &json!({ "role": "assistant" })));
        if !self.speech.thought.is_empty() {
            for word in &self.speech.thought {
                events.delta(1, &json!({ "reasoningContent": { "text": word } }));
            }
            let signature = seal(Purpose::Bedrock, &self.speech.thought.concat());
            events.delta(0, &json!({ "reasoningContent": { "signature": signature } }));
            events.stop();
        }
        if !self.speech.content.is_empty() {
            for word in &self.speech.content {
                events.delta(1, &json!({ "text": word }));
            }
            events.stop();
        }
        for (at, (name, arguments)) in self.speech.calls.iter().enumerate() {
            let start = json!({ "toolUse": { "toolUseId": self.id(at), "name": name } });
            events.block("contentBlockStart", 0, "start", &start);
            for word in arguments {
                events.delta(1, &json!({ "toolUse": { "input": word } }));
            }
            events.stop();
        }
        events.pieces.push(0, event("messageStop", &json!({ "stopReason": self.reason() })));
        let mut metadata = json!({ "metrics": { "latencyMs": 1 } });
        if let (Usage::Honest, Some(metadata)) = (self.making.script.usage, metadata.as_object_mut()) {
            metadata.insert("usage".to_owned(), self.usage());
        }
        events.pieces.push(0, event("metadata", &metadata));
        events.pieces.done()
    }
}

/// The events of a stream being made.
struct Events<'a> {
    pieces: Pieces<'a>,
    /// Of the block being said.
    index: u64,
}

impl Events<'_> {
    fn delta(&mut self, tokens: u64, delta: &Value) {
        self.block("contentBlockDelta", tokens, "delta", delta);
    }

    fn stop(&mut self) {
        let index = json!({ "contentBlockIndex": self.index });
        self.pieces.push(0, event("contentBlockStop", &index));
        self.index += 1;
    }

    fn block(&mut self, name: &str, tokens: u64, member: &str, value: &Value) {
        let data = Map::from_iter([
            ("contentBlockIndex".to_owned(), self.index.into()),
            (member.to_owned(), value.clone()),
        ]);
        self.pieces.push(tokens, event(name, &Value::Object(data)));
    }
}

/// An event that says nothing.
pub(crate) fn nothing_new() -> Bytes {
    event("initial-response", &json!({}))
}
