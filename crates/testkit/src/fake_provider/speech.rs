//! What is said to whom asks: the same in every dialect. Tokens are words, counted the same everywhere: in prompts,
//! answers, buffered and streamed.

use serde_json::{Map, Value};

use super::script::{self, Begun, Format};

/// What is thought before an answer, where thinking is asked for.
const THOUGHT: &str = "The words must be counted first.";

/// What an image, a sound or a file counts as.
pub(crate) const MEDIA_TOKENS: u64 = 85;

/// How deep a value that fits a schema goes.
const DEPTH_MAX: usize = 16;

/// What an answer must be like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The most tokens.
    pub(crate) output_max: Option<usize>,
    /// Names and arguments of the tools that are called whatever the script says.
    pub(crate) calls: Vec<(String, String)>,
    /// Names of the tools that may be called.
    pub(crate) offered: Vec<String>,
    /// How many results of tools the conversation holds.
    pub(crate) results: usize,
    /// What is said because of a format asked for.
    pub(crate) formatted: Option<String>,
    /// Texts that end the answer where they would come.
    pub(crate) stops: Vec<String>,
    /// Whether it is thought about.
    pub(crate) thinks: bool,
    /// What the request has begun it with.
    pub(crate) begun: Option<String>,
}

/// An answer, in words.
#[derive(Clone, Debug)]
pub(crate) struct Speech {
    pub(crate) thought: Vec<String>,
    pub(crate) content: Vec<String>,
    /// Names and arguments.
    pub(crate) calls: Vec<(String, Vec<String>)>,
    pub(crate) finish: Finish,
}

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// All is said.
    Said,
    /// Here this text would have come.
    Stopped(String),
    /// There was no more room.
    Capped,
    /// Tools are called.
    Calls,
}

impl Speech {
    /// Tokens thought.
    pub(crate) fn thought_tokens(&self) -> u64 {
        length(self.thought.len())
    }

    /// Tokens said, thoughts not counted.
    pub(crate) fn said_tokens(&self) -> u64 {
        length(self.content.len() + self.calls.iter().map(|(_, arguments)| arguments.len()).sum::<usize>())
    }

    /// All tokens.
    pub(crate) fn tokens(&self) -> u64 {
        self.thought_tokens() + self.said_tokens()
    }
}

/// The answer.
pub(crate) fn speech(wanted: &Wanted, script: &script::Answer) -> Speech {
    let mut room = wanted.output_max.unwrap_or(usize::MAX);
    let mut capped = false;
    let mut say = |text: &str| {
        let all: Vec<String> = words(text).map(str::to_owned).collect();
        capped |= all.len() > room;
        let said: Vec<String> = all.into_iter().take(room).collect();
        room -= said.len();
        said
    };
    let thought = if wanted.thinks { say(THOUGHT) } else { Vec::new() };
    let mut finish = Finish::Said;
    let wanted_calls = if wanted.calls.is_empty() { scripted(wanted, script) } else { wanted.calls.clone() };
    let (content, calls) = if wanted_calls.is_empty() {
        let formatted = wanted.formatted.as_deref().filter(|_| script.format == Format::Kept);
        let text = formatted.unwrap_or_else(|| rest(wanted, script));
        let (text, stop) = stopped(text, &wanted.stops);
        if let Some(stop) = stop {
            finish = Finish::Stopped(stop.clone());
        }
        let mut said = say(text);
        // Words have the white space after them: what a rest begins with goes with its first.
        let blank = text.get(..text.len() - text.trim_start().len()).unwrap_or_default();
        if let Some(first) = said.first_mut() {
            first.insert_str(0, blank);
        }
        (said, Vec::new())
    } else {
        finish = Finish::Calls;
        let calls = wanted_calls.into_iter().map(|(name, arguments)| (name, say(&arguments)));
        (Vec::new(), calls.collect())
    };
    Speech { thought, content, calls, finish: if capped { Finish::Capped } else { finish } }
}

/// What is left to say.
fn rest<'a>(wanted: &Wanted, script: &'a script::Answer) -> &'a str {
    let begun = wanted.begun.as_deref().filter(|begun| script.text.starts_with(begun)).unwrap_or_default();
    let from = match script.begun {
        Begun::Anew => 0,
        Begun::GoesOn => begun.len(),
        Begun::Repeats(characters) => {
            begun.char_indices().rev().take(characters).last().map_or(begun.len(), |(at, _)| at)
        }
    };
    script.text.get(from..).unwrap_or_default()
}

/// The calls whose turn it is, of them those whose tool is offered.
fn scripted(wanted: &Wanted, script: &script::Answer) -> Vec<(String, String)> {
    let calls = script.calls.iter().skip(wanted.results).take(script.at_once);
    let calls = calls.filter(|call| wanted.offered.contains(&call.name));
    let arguments = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    calls.map(|call| (call.name.clone(), arguments(&call.arguments))).collect()
}

/// A text up to the first of the stops, and which it was.
fn stopped<'a>(text: &'a str, stops: &'a [String]) -> (&'a str, Option<&'a String>) {
    let found = stops.iter().filter(|stop| !stop.is_empty());
    let found = found.filter_map(|stop| text.split_once(stop.as_str()).map(|(before, _)| (before, stop)));
    match found.min_by_key(|(before, _)| before.len()) {
        Some((before, stop)) => (before, Some(stop)),
        None => (text, None),
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

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The smallest value that fits a schema.
pub(crate) fn sample(schema: &Value) -> Value {
    one_sample(schema, schema, DEPTH_MAX)
}

fn one_sample(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let found = name.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return found.map_or(Value::Null, |schema| one_sample(schema, root, depth));
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    let first = |name: &str| schema.get(name)?.as_array()?.first();
    if let Some(value) = first("enum") {
        return value.clone();
    }
    if let Some(schema) = first("anyOf") {
        return one_sample(schema, root, depth);
    }
    let kind = schema.get("type").and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    match kind.unwrap_or_default().to_ascii_lowercase().as_str() {
        "string" => "some words".into(),
        "integer" | "number" => 1.into(),
        "boolean" => true.into(),
        "array" => Value::Array(Vec::new()),
        "object" => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let member = |name: &str| {
                let schema = schema.get("properties").and_then(|properties| properties.get(name));
                let value = schema.map_or(Value::Null, |schema| one_sample(schema, root, depth));
                (name.to_owned(), value)
            };
            Value::Object(required.filter_map(Value::as_str).map(member).collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}
