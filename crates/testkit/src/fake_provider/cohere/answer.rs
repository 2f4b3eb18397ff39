//! Correct answers of Cohere's: `v2/types/v2chat_response.py` and `v2chat_stream_response.py` of its client. A thought
//! before text is content, one before calls is their plan.

use serde_json::{Map, Value, json};

use super::event;
use crate::fake_provider::cache::Piece;
use crate::fake_provider::log::Billed;
use crate::fake_provider::plan::{Accepted, Answered, Making, Part, Pieces};
use crate::fake_provider::script::Usage;
use crate::fake_provider::speech::{Finish, MEDIA_TOKENS, Speech, Wanted, count, sample, speech};

/// A request for an answer.
#[derive(Clone, Debug)]
pub(super) struct ChatAsked {
    model: String,
    stream: bool,
    prompt: Vec<Piece>,
    wanted: Wanted,
}

impl Accepted for ChatAsked {
    fn streams(&self) -> bool {
        self.stream
    }

    fn answer(&self, making: &Making<'_>) -> Answered {
        let id = format!("fake-{}", making.number);
        let mut speech = speech(&self.wanted, making.script);
        // What does not fit whole is not called.
        speech.calls.retain(|(_, arguments)| serde_json::from_str::<Value>(&arguments.concat()).is_ok());
        let prompt = Billed {
            prompt_tokens: self.prompt.iter().map(|piece| piece.tokens).sum(),
            cache_read_tokens: making.memory.cache.read_unmarked(&self.model, &self.prompt),
            ..Billed::default()
        };
        let answer = Answer { id: &id, speech: &speech, prompt, making };
        let parts = if self.stream { answer.events() } else { making.whole(&answer.whole(), answer.bill()) };
        Answered { id: Some(id), parts }
    }
}

impl ChatAsked {
    /// Reads a body that was found in order.
    pub(super) fn read(body: &Map<String, Value>) -> Self {
        let items =
            |name: &str| body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let functions = || items("tools").iter().filter_map(|tool| tool.get("function"));
        let named = |function: &Value| Some(function.get("name")?.as_str()?.to_owned());
        let forced = body.get("tool_choice").is_some_and(|choice| choice == "REQUIRED");
        let none = body.get("tool_choice").is_some_and(|choice| choice == "NONE");
        let call =
            |function: &Value| Some((named(function)?, sample(function.get("parameters")?).to_string()));
        let messages = items("messages");
        let wanted = Wanted {
            output_max: body
                .get("max_tokens")
                .and_then(Value::as_u64)
                .and_then(|most| usize::try_from(most).ok()),
            calls: functions().filter(|_| forced).filter_map(call).collect(),
            offered: functions().filter(|_| !none).filter_map(named).collect(),
            results: messages.iter().filter(|message| message["role"] == "tool").count(),
            formatted: body.get("response_format").and_then(formatted),
            stops: items("stop_sequences").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            thinks: body.get("thinking").is_some_and(|thinking| thinking["type"] == "enabled"),
            begun: None,
        };
        let documents =
            items("documents").iter().map(|document| piece(document, count(&document.to_string())));
        Self {
            model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
            prompt: messages.iter().map(|message| piece(message, tokens(message))).chain(documents).collect(),
            wanted,
        }
    }
}

fn piece(value: &Value, tokens: u64) -> Piece {
    Piece { content: value.to_string(), tokens, mark: None }
}

fn formatted(format: &Value) -> Option<String> {
    let asked = format["type"] == "json_object";
    asked.then(|| {
        format.get("json_schema").map_or_else(|| "{}".to_owned(), |schema| sample(schema).to_string())
    })
}

fn tokens(message: &Value) -> u64 {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map_or(0, count);
    let block = |block: &Value| match block["type"].as_str().unwrap_or_default() {
        "image_url" => MEDIA_TOKENS,
        "document" => block.get("document").map_or(0, |document| count(&document.to_string())),
        kind => text(block, kind),
    };
    let items = |name: &str| message.get(name).and_then(Value::as_array).into_iter().flatten();
    text(message, "content")
        + text(message, "tool_plan")
        + items("content").map(block).sum::<u64>()
        + items("tool_calls")
            .filter_map(|call| call.get("function"))
            .map(|call| text(call, "arguments"))
            .sum::<u64>()
}

/// An answer being made.
struct Answer<'a> {
    id: &'a str,
    speech: &'a Speech,
    /// What the prompt costs.
    prompt: Billed,
    making: &'a Making<'a>,
}

impl Answer<'_> {
    fn bill(&self) -> Billed {
        Billed { completion_tokens: self.speech.tokens(), ..self.prompt }
    }

    fn finish(&self) -> &'static str {
        match self.speech.finish {
            Finish::Said => "COMPLETE",
            Finish::Stopped(_) => "STOP_SEQUENCE",
            Finish::Capped => "MAX_TOKENS",
            Finish::Calls => "TOOL_CALL",
        }
    }

    /// Why it ends, and what it cost.
    fn end(&self) -> Map<String, Value> {
        let mut end = Map::from_iter([("finish_reason".to_owned(), self.finish().into())]);
        if self.making.script.usage == Usage::Honest {
            let counts =
                json!({ "input_tokens": self.prompt.prompt_tokens, "output_tokens": self.speech.tokens() });
            let cached = self.prompt.cache_read_tokens;
            let usage = json!({ "billed_units": counts, "tokens": counts, "cached_tokens": cached });
            end.insert("usage".to_owned(), usage);
        }
        end
    }

    fn call(&self, at: usize, name: &str, arguments: &str) -> Value {
        let id = format!("{name}_{}_{at}", self.id);
        json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
    }

    fn whole(&self) -> Value {
        let mut message = Map::from_iter([("role".to_owned(), "assistant".into())]);
        let thought = self.speech.thought.concat();
        if self.speech.calls.is_empty() {
            let mut content = Vec::new();
            if !thought.is_empty() {
                content.push(json!({ "type": "thinking", "thinking": thought }));
            }
            content.push(json!({ "type": "text", "text": self.speech.content.concat() }));
            message.insert("content".to_owned(), content.into());
        } else {
            let calls = self.speech.calls.iter().enumerate();
            let calls: Vec<Value> =
                calls.map(|(at, (name, arguments))| self.call(at, name, &arguments.concat())).collect();
            message.insert("tool_calls".to_owned(), calls.into());
            if !thought.is_empty() {
                message.insert("tool_plan".to_owned(), thought.into());
            }
        }
        let mut body =
            Map::from_iter([("id".to_owned(), self.id.into()), ("message".to_owned(), message.into())]);
        body.extend(self.end());
        Value::Object(body)
    }

    fn events(&self) -> Vec<Part> {
        let mut events = Events { pieces: Pieces::new(self.making.script, self.prompt) };
        let message =
            json!({ "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": [] });
        let start = json!({ "id": self.id, "type": "message-start", "delta": { "message": message } });
        events.pieces.push(0, event("message-start", &start));
        if self.speech.calls.is_empty() {
            let thinks = !self.speech.thought.is_empty();
            if thinks {
                events.content(0, "thinking", &self.speech.thought);
            }
            events.content(usize::from(thinks), "text", &self.speech.content);
        } else {
            for word in &self.speech.thought {
                events.delta(1, "tool-plan-delta", None, &json!({ "tool_plan": word }));
            }
            for (at, (name, arguments)) in self.speech.calls.iter().enumerate() {
                events.delta(
                    0,
                    "tool-call-start",
                    Some(at),
                    &json!({ "tool_calls": self.call(at, name, "") }),
                );
                for word in arguments {
                    let call = json!({ "tool_calls": { "function": { "arguments": word } } });
                    events.delta(1, "tool-call-delta", Some(at), &call);
                }
                events
                    .pieces
                    .push(0, event("tool-call-end", &json!({ "type": "tool-call-end", "index": at })));
            }
        }
        let end = json!({ "id": self.id, "type": "message-end", "delta": self.end() });
        events.pieces.push(0, event("message-end", &end));
        events.pieces.done()
    }
}

/// The events of a stream being made.
struct Events<'a> {
    pieces: Pieces<'a>,
}

impl Events<'_> {
    /// A block of content, which is called as its only member.
    fn content(&mut self, index: usize, kind: &str, words: &[String]) {
        let start = Map::from_iter([("type".to_owned(), kind.into()), (kind.to_owned(), "".into())]);
        self.delta(0, "content-start", Some(index), &json!({ "content": start }));
        for word in words {
            let said = Map::from_iter([(kind.to_owned(), word.as_str().into())]);
            self.delta(1, "content-delta", Some(index), &json!({ "content": Value::Object(said) }));
        }
        self.pieces.push(0, event("content-end", &json!({ "type": "content-end", "index": index })));
    }

    fn delta(&mut self, tokens: u64, name: &str, index: Option<usize>, message: &Value) {
        let mut data = Map::from_iter([("type".to_owned(), name.into())]);
        if let Some(index) = index {
            data.insert("index".to_owned(), index.into());
        }
        data.insert("delta".to_owned(), json!({ "message": message }));
        self.pieces.push(tokens, event(name, &Value::Object(data)));
    }
}
