//! Correct answers of Gemini's: `google/genai/types.py`, `GenerateContentResponse`; a stream is of the same, each with
//! what is new. Thoughts are not among the tokens of the candidates.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{get, items, parts, text};
use crate::fake_provider::cache::Piece;
use crate::fake_provider::log::Billed;
use crate::fake_provider::plan::{Accepted, Answered, Making, Part};
use crate::fake_provider::script::{self, Usage};
use crate::fake_provider::seal::{Purpose, seal};
use crate::fake_provider::speech::{Finish, MEDIA_TOKENS, Speech, Wanted, count, sample, speech};

/// What an accepted request asks.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// How many tokens a prompt has.
    Count(u64),
    /// Vectors.
    Embed {
        /// How many numbers each is to have.
        dimensions: Vec<usize>,
        /// Whether many were asked for at once.
        many: bool,
        /// What the provider bills, whatever it reports.
        billed: Billed,
    },
    /// An answer.
    Content(Box<ContentAsked>),
}

/// A request for an answer.
#[derive(Clone, Debug)]
pub(super) struct ContentAsked {
    model: String,
    stream: bool,
    prompt: Vec<Piece>,
    candidates: usize,
    wanted: Wanted,
    /// Whether thoughts are shown.
    shows_thoughts: bool,
}

impl Accepted for Asked {
    fn streams(&self) -> bool {
        matches!(self, Self::Content(asked) if asked.stream)
    }

    fn answer(&self, making: &Making<'_>) -> Answered {
        match self {
            Self::Count(tokens) => {
                let body = json!({
                    "totalTokens": tokens,
                    "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": tokens }],
                });
                let bytes = body.to_string().into();
                Answered { id: None, parts: vec![Part { wait: Duration::ZERO, bytes, billed: None }] }
            }
            Self::Embed { dimensions, many, billed } => {
                let vector = |length: &usize| json!({ "values": vec![0.5; *length] });
                let mut vectors: Vec<_> = dimensions.iter().map(vector).collect();
                let body = match many {
                    true => json!({ "embeddings": vectors }),
                    false => json!({ "embedding": vectors.pop() }),
                };
                let bytes = body.to_string().into();
                Answered {
                    id: None,
                    parts: vec![Part { wait: Duration::ZERO, bytes, billed: Some(*billed) }],
                }
            }
            Self::Content(asked) => asked.answer(making),
        }
    }
}

impl Asked {
    /// Reads a body that was found in order. Like the real one it counts no tokens in its answer.
    pub(super) fn embed(body: &Value, many: bool) -> Self {
        const DIMENSIONS: u64 = 3;
        let all: Vec<&Value> = if many { items(body, "requests").iter().collect() } else { vec![body] };
        let length = |request: &&Value| {
            let asked = get(request, "outputDimensionality").and_then(Value::as_u64).unwrap_or(DIMENSIONS);
            usize::try_from(asked).unwrap_or(usize::MAX)
        };
        let texts = all.iter().filter_map(|request| get(request, "content")).flat_map(parts);
        let billed = Billed { prompt_tokens: texts.map(tokens).sum(), ..Billed::default() };
        Self::Embed { dimensions: all.iter().map(length).collect(), many, billed }
    }
}

impl ContentAsked {
    /// Reads a body that was found in order.
    pub(super) fn read(model: &str, body: &Value, stream: bool) -> Self {
        let config = get(body, "generationConfig").unwrap_or(&Value::Null);
        let whole = |name: &str| get(config, name)?.as_u64().and_then(|number| usize::try_from(number).ok());
        let thinking = get(config, "thinkingConfig");
        let flag = |name: &str| thinking.and_then(|thinking| get(thinking, name)).and_then(Value::as_bool);
        let budget = thinking.and_then(|thinking| get(thinking, "thinkingBudget")).and_then(Value::as_i64);
        let wanted = Wanted {
            output_max: whole("maxOutputTokens"),
            calls: calls(body),
            offered: declared(body)
                .filter_map(|function| text(function, "name"))
                .map(str::to_owned)
                .collect(),
            results: items(body, "contents")
                .iter()
                .flat_map(parts)
                .filter(|part| get(part, "functionResponse").is_some())
                .count(),
            formatted: formatted(config),
            stops: items(config, "stopSequences")
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            thinks: thinking.is_some() && budget != Some(0),
            begun: None,
        };
        Self {
            model: model.to_owned(),
            stream,
            prompt: prompt(body),
            candidates: whole("candidateCount").unwrap_or(1),
            wanted,
            shows_thoughts: flag("includeThoughts") == Some(true),
        }
    }

    pub(super) fn prompt_tokens(&self) -> u64 {
        self.prompt.iter().map(|piece| piece.tokens).sum()
    }

    fn answer(&self, making: &Making<'_>) -> Answered {
        let id = format!("fake{}", making.number);
        let mut speech = speech(&self.wanted, making.script);
        // What does not fit whole is not called.
        speech.calls.retain(|(_, arguments)| serde_json::from_str::<Value>(&arguments.concat()).is_ok());
        let cached = making.memory.cache.read_unmarked(&self.model, &self.prompt);
        let content = Content { asked: self, script: making.script, id: &id, speech: &speech, cached };
        let parts = if self.stream { content.stream() } else { content.whole() };
        Answered { id: Some(id), parts }
    }
}

/// The prompt in the order in which it is cached: what the model is told, then what was said.
fn prompt(body: &Value) -> Vec<Piece> {
    let contents = get(body, "systemInstruction").into_iter().chain(items(body, "contents"));
    let piece = |content: &Value| Piece {
        content: content.to_string(),
        tokens: parts(content).iter().map(tokens).sum(),
        mark: None,
    };
    contents.map(piece).collect()
}

fn tokens(part: &Value) -> u64 {
    let inside = |name: &str, member: &str| {
        get(part, name).and_then(|part| get(part, member)).map_or(0, |value| count(&value.to_string()))
    };
    let media =
        ["inlineData", "fileData"].iter().filter(|name| get(part, name).is_some()).map(|_| MEDIA_TOKENS);
    text(part, "text").map_or(0, count)
        + media.sum::<u64>()
        + inside("functionCall", "args")
        + inside("functionResponse", "response")
}

/// The functions that may be called.
fn declared(body: &Value) -> impl Iterator<Item = &Value> {
    items(body, "tools").iter().flat_map(|tool| items(tool, "functionDeclarations"))
}

/// The functions to call: all allowed ones, where calling is forced.
fn calls(body: &Value) -> Vec<(String, String)> {
    let calling = get(body, "toolConfig").and_then(|config| get(config, "functionCallingConfig"));
    let Some(calling) = calling.filter(|calling| text(calling, "mode") == Some("ANY")) else {
        return Vec::new();
    };
    let allowed = items(calling, "allowedFunctionNames");
    let called = declared(body).filter_map(|function| {
        let schema = get(function, "parameters").or_else(|| get(function, "parametersJsonSchema"));
        let arguments = schema.map_or_else(|| "{}".to_owned(), |schema| sample(schema).to_string());
        Some((text(function, "name")?.to_owned(), arguments))
    });
    called.filter(|(name, _)| allowed.is_empty() || allowed.iter().any(|allowed| allowed == name)).collect()
}

fn formatted(config: &Value) -> Option<String> {
    let schema = get(config, "responseSchema").or_else(|| get(config, "responseJsonSchema"));
    match (text(config, "responseMimeType")?, schema) {
        ("application/json", Some(schema)) => Some(sample(schema).to_string()),
        ("application/json", None) => Some("{}".to_owned()),
        _ => None,
    }
}

/// An answer being made.
struct Content<'a> {
    asked: &'a ContentAsked,
    script: &'a script::Answer,
    id: &'a str,
    speech: &'a Speech,
    /// Tokens of the prompt that were read before.
    cached: u64,
}

impl Content<'_> {
    fn bill(&self, completion_tokens: u64) -> Billed {
        Billed {
            prompt_tokens: self.asked.prompt_tokens(),
            cache_read_tokens: self.cached,
            completion_tokens,
            ..Billed::default()
        }
    }

    fn candidates(&self) -> u64 {
        u64::try_from(self.asked.candidates).unwrap_or(u64::MAX)
    }

    fn finish(&self) -> &'static str {
        if self.speech.finish == Finish::Capped { "MAX_TOKENS" } else { "STOP" }
    }

    fn response(&self, candidates: &[Value], thought: u64, said: u64) -> Value {
        let mut response = json!({
            "candidates": candidates,
            "modelVersion": self.asked.model,
            "responseId": self.id,
        });
        if let (Usage::Honest, Some(response)) = (self.script.usage, response.as_object_mut()) {
            let prompt = self.asked.prompt_tokens();
            let mut usage = json!({
                "promptTokenCount": prompt,
                "totalTokenCount": prompt + thought + said,
                "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": prompt }],
            });
            if let Some(usage) = usage.as_object_mut() {
                // As all numbers of protocol buffers, they are left out where they are nothing.
                let counts = [
                    ("candidatesTokenCount", said),
                    ("thoughtsTokenCount", thought),
                    ("cachedContentTokenCount", self.cached),
                ];
                let counts = counts.into_iter().filter(|(_, count)| *count > 0);
                usage.extend(counts.map(|(name, count)| (name.to_owned(), count.into())));
            }
            response.insert("usageMetadata".to_owned(), usage);
        }
        response
    }

    fn call(&self, index: usize, call: usize) -> Option<Value> {
        let (name, arguments) = self.speech.calls.get(call)?;
        let args: Value = serde_json::from_str(&arguments.concat()).ok()?;
        let id = format!("{}_{index}_{call}", self.id);
        let mut part = json!({ "functionCall": { "id": id, "name": name, "args": args } });
        // Of calls at once, the first is signed.
        if let (0, Some(part)) = (call, part.as_object_mut()) {
            part.insert("thoughtSignature".to_owned(), seal(Purpose::Gemini, name).into());
        }
        Some(part)
    }

    /// Thinking models sign the end of what they say.
    fn signs_text(&self) -> bool {
        self.asked.wanted.thinks && self.speech.calls.is_empty()
    }

    fn parts(&self, index: usize) -> Vec<Value> {
        let mut parts = Vec::new();
        if self.asked.shows_thoughts && !self.speech.thought.is_empty() {
            parts.push(json!({ "text": self.speech.thought.concat(), "thought": true }));
        }
        if !self.speech.content.is_empty() {
            let said = self.speech.content.concat();
            let mut part = Map::from_iter([("text".to_owned(), Value::from(said.as_str()))]);
            if self.signs_text() {
                part.insert("thoughtSignature".to_owned(), seal(Purpose::Gemini, &said).into());
            }
            parts.push(Value::Object(part));
        }
        parts.extend((0..self.speech.calls.len()).filter_map(|call| self.call(index, call)));
        parts
    }

    fn whole(&self) -> Vec<Part> {
        let candidate = |index: usize| {
            let content = json!({ "role": "model", "parts": self.parts(index) });
            json!({ "content": content, "finishReason": self.finish(), "index": index })
        };
        let candidates: Vec<Value> = (0..self.asked.candidates).map(candidate).collect();
        let (thought, said) = (self.speech.thought_tokens(), self.speech.said_tokens());
        let (thought, said) = (thought * self.candidates(), said * self.candidates());
        let body = self.response(&candidates, thought, said);
        let wait = Duration::from_millis(self.script.first_content_ms);
        vec![Part { wait, bytes: body.to_string().into(), billed: Some(self.bill(thought + said)) }]
    }

    fn stream(&self) -> Vec<Part> {
        let mut stream = Stream { content: self, parts: Vec::new(), thought: 0, said: 0 };
        for index in 0..self.asked.candidates {
            stream.candidate(index);
        }
        stream.parts
    }
}

/// A stream being made: one candidate after the other.
struct Stream<'a> {
    content: &'a Content<'a>,
    parts: Vec<Part>,
    /// Tokens thought so far.
    thought: u64,
    /// Tokens said so far.
    said: u64,
}

impl Stream<'_> {
    fn candidate(&mut self, index: usize) {
        let content = self.content;
        for word in &content.speech.thought {
            self.thought += 1;
            if content.asked.shows_thoughts {
                self.push(index, &json!({ "text": word, "thought": true }), None);
            }
        }
        for word in &content.speech.content {
            self.said += 1;
            self.push(index, &json!({ "text": word }), None);
        }
        for (call, (_, arguments)) in content.speech.calls.iter().enumerate() {
            self.said += u64::try_from(arguments.len()).unwrap_or(u64::MAX);
            if let Some(part) = content.call(index, call) {
                self.push(index, &part, None);
            }
        }
        let mut last = Map::from_iter([("text".to_owned(), Value::from(""))]);
        if content.signs_text() {
            let said = content.speech.content.concat();
            last.insert("thoughtSignature".to_owned(), seal(Purpose::Gemini, &said).into());
        }
        self.push(index, &Value::Object(last), Some(content.finish()));
    }

    fn push(&mut self, index: usize, part: &Value, finish: Option<&str>) {
        let mut candidate = json!({ "content": { "role": "model", "parts": [part] }, "index": index });
        if let (Some(finish), Some(candidate)) = (finish, candidate.as_object_mut()) {
            candidate.insert("finishReason".to_owned(), finish.into());
        }
        let data = self.content.response(&[candidate], self.thought, self.said);
        let script = self.content.script;
        let wait = if self.parts.is_empty() { script.first_content_ms } else { script.interval_ms };
        let billed = self.content.bill(self.thought + self.said);
        let bytes = format!("data: {data}\r\n\r\n").into();
        self.parts.push(Part { wait: Duration::from_millis(wait), bytes, billed: Some(billed) });
    }
}
