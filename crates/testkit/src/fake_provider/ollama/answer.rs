//! Correct answers of Ollama's: `ChatResponse` of ollama/ollama `api/types.go`, whole and as lines, the last of which has
//! the counts. A call comes whole.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::fake_provider::log::Billed;
use crate::fake_provider::plan::{Accepted, Answered, Making, Part, Pieces};
use crate::fake_provider::script::Usage;
use crate::fake_provider::speech::{Finish, MEDIA_TOKENS, Speech, Wanted, count, sample, speech};

/// When every answer was made.
const CREATED: &str = "2025-06-15T15:06:40Z";

/// What an accepted request asks.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// The listing of these models.
    Models(Vec<String>),
    /// An answer.
    Chat(Box<ChatAsked>),
}

/// A request for an answer.
#[derive(Clone, Debug)]
pub(super) struct ChatAsked {
    model: String,
    stream: bool,
    /// Whether there is anything to answer: else the model is only loaded.
    said: bool,
    prompt: u64,
    wanted: Wanted,
}

impl Accepted for Asked {
    fn streams(&self) -> bool {
        matches!(self, Self::Chat(asked) if asked.stream && asked.said)
    }

    fn answer(&self, making: &Making<'_>) -> Answered {
        let parts = match self {
            Self::Models(models) => {
                let entry = |name: &String| json!({ "name": name, "model": name, "modified_at": CREATED });
                let models: Vec<Value> = models.iter().map(entry).collect();
                making.whole(&json!({ "models": models }), Billed::default())
            }
            Self::Chat(asked) => asked.answer(making),
        };
        Answered { id: None, parts }
    }
}

impl ChatAsked {
    /// Reads a body that was found in order.
    pub(super) fn read(body: &Map<String, Value>) -> Self {
        let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let option = |name: &str| body.get("options").and_then(|options| options.get(name));
        let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
        let offered = tools.filter_map(|tool| tool.pointer("/function/name")?.as_str());
        let stops = option("stop").and_then(Value::as_array).into_iter().flatten();
        let begun = messages.last().filter(|last| last["role"] == "assistant");
        let wanted = Wanted {
            // Less than nothing is as much as there is.
            output_max: option("num_predict")
                .and_then(Value::as_u64)
                .and_then(|most| usize::try_from(most).ok()),
            offered: offered.map(str::to_owned).collect(),
            results: messages.iter().filter(|message| message["role"] == "tool").count(),
            formatted: body.get("format").and_then(formatted),
            stops: stops.filter_map(Value::as_str).map(str::to_owned).collect(),
            thinks: body.get("think").is_some_and(|think| think.is_string() || *think == Value::Bool(true)),
            begun: begun.and_then(|last| last.get("content")?.as_str()).map(str::to_owned),
            ..Wanted::default()
        };
        Self {
            model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            stream: body.get("stream").and_then(Value::as_bool).unwrap_or(true),
            said: !messages.is_empty(),
            prompt: messages.iter().map(tokens).sum(),
            wanted,
        }
    }

    fn answer(&self, making: &Making<'_>) -> Vec<Part> {
        if !self.said {
            return making.whole(&self.object(&json!({}), Some("load")), Billed::default());
        }
        let mut speech = speech(&self.wanted, making.script);
        // What does not fit whole is not called.
        speech.calls.retain(|(_, arguments)| serde_json::from_str::<Value>(&arguments.concat()).is_ok());
        let prompt = Billed { prompt_tokens: self.prompt, ..Billed::default() };
        if self.stream {
            return self.lines(&speech, Pieces::new(making.script, prompt), making);
        }
        let billed = Billed { completion_tokens: speech.tokens(), ..prompt };
        let mut message = Map::from_iter([("content".to_owned(), speech.content.concat().into())]);
        if !speech.thought.is_empty() {
            message.insert("thinking".to_owned(), speech.thought.concat().into());
        }
        if !speech.calls.is_empty() {
            let calls: Vec<Value> = (0..speech.calls.len()).filter_map(|at| call(&speech, at)).collect();
            message.insert("tool_calls".to_owned(), calls.into());
        }
        making.whole(&self.last(&Value::Object(message), &speech, making), billed)
    }

    fn lines(&self, speech: &Speech, mut pieces: Pieces<'_>, making: &Making<'_>) -> Vec<Part> {
        let line = |message: &Value| format!("{}\n", self.object(message, None));
        for word in &speech.thought {
            pieces.push(1, line(&json!({ "content": "", "thinking": word })));
        }
        for word in &speech.content {
            pieces.push(1, line(&json!({ "content": word })));
        }
        for (at, (_, arguments)) in speech.calls.iter().enumerate() {
            let tokens = u64::try_from(arguments.len()).unwrap_or(u64::MAX);
            let calls: Vec<Value> = call(speech, at).into_iter().collect();
            pieces.push(tokens, line(&json!({ "content": "", "tool_calls": calls })));
        }
        pieces.push(0, format!("{}\n", self.last(&json!({ "content": "" }), speech, making)));
        pieces.done()
    }

    /// What comes last: why the answer ends, and what it cost.
    fn last(&self, message: &Value, speech: &Speech, making: &Making<'_>) -> Value {
        let reason = if speech.finish == Finish::Capped { "length" } else { "stop" };
        let mut object = self.object(message, Some(reason));
        if let (Usage::Honest, Some(object)) = (making.script.usage, object.as_object_mut()) {
            let times = ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"];
            object.extend(times.map(|name| (name.to_owned(), 1_000_000.into())));
            object.insert("prompt_eval_count".to_owned(), self.prompt.into());
            object.insert("eval_count".to_owned(), speech.tokens().into());
        }
        object
    }

    fn object(&self, message: &Value, done: Option<&str>) -> Value {
        let mut said = Map::from_iter([("role".to_owned(), "assistant".into())]);
        said.extend(message.as_object().cloned().unwrap_or_default());
        match done {
            None => json!({ "model": self.model, "created_at": CREATED, "message": said, "done": false }),
            Some(reason) => json!({
                "model": self.model, "created_at": CREATED, "message": said, "done": true, "done_reason": reason,
            }),
        }
    }
}

/// A line of an answer that says nothing.
pub(crate) fn nothing_new() -> Bytes {
    let message = json!({ "role": "assistant", "content": "" });
    format!("{}\n", json!({ "model": "", "created_at": CREATED, "message": message, "done": false })).into()
}

fn call(speech: &Speech, at: usize) -> Option<Value> {
    let (name, arguments) = speech.calls.get(at)?;
    let arguments: Value = serde_json::from_str(&arguments.concat()).ok()?;
    let id = format!("call_fake{at}");
    Some(json!({ "id": id, "function": { "index": at, "name": name, "arguments": arguments } }))
}

fn formatted(format: &Value) -> Option<String> {
    let sample = format.is_object().then(|| sample(format).to_string());
    sample.or_else(|| (format == "json").then(|| "{}".to_owned()))
}

fn tokens(message: &Value) -> u64 {
    let said = |name: &str| message.get(name).and_then(Value::as_str).map_or(0, count);
    let items = |name: &str| message.get(name).and_then(Value::as_array).into_iter().flatten();
    let arguments = items("tool_calls").filter_map(|call| call.pointer("/function/arguments"));
    said("content")
        + said("thinking")
        + items("images").map(|_| MEDIA_TOKENS).sum::<u64>()
        + arguments.map(|arguments| count(&arguments.to_string())).sum::<u64>()
}
