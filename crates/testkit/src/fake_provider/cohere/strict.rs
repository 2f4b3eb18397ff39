//! What Cohere refuses.

use http::Method;
use serde_json::{Map, Value};

use super::answer::ChatAsked;
use super::error;
use crate::fake_provider::findings::{self, Said, Verdict};
use crate::fake_provider::headers::{improper, text};
use crate::fake_provider::shape::Kind::{
    Any, Choice, Decimal, Flag, Free, List, Object, Tagged, Text, TextOr, Whole,
};
use crate::fake_provider::shape::{
    self, Kind, Problem, Reading, Shape, Step, Wrong, nullable, optional, required, type_of,
};
use crate::fake_provider::{Arrived, Setup};

/// The headers of this API that a gateway sends of its own.
const PROPER: &[&str] = &["authorization"];

const MANY: i64 = i32::MAX as i64;
const USAGE: &str = "For proper usage, please refer to https://docs.cohere.com/reference/chat";

static TEXT: Shape = Shape { fields: &[required("type", Text), required("text", Text)] };

static THOUGHT: Shape = Shape { fields: &[required("type", Text), required("thinking", Text)] };

static URL: Shape =
    Shape { fields: &[required("url", Text), nullable("detail", Choice(&["auto", "low", "high"]))] };

static IMAGE: Shape = Shape { fields: &[required("type", Text), required("image_url", Object(&URL))] };

static DOCUMENT: Shape = Shape { fields: &[required("type", Text), required("document", Free)] };

static CALLED: Shape = Shape { fields: &[required("name", Text), required("arguments", Text)] };

static CALL: Shape = Shape {
    fields: &[
        required("id", Text),
        required("type", Choice(&["function"])),
        required("function", Object(&CALLED)),
    ],
};

static MESSAGE: Shape = Shape {
    fields: &[
        required("role", Choice(&["system", "user", "assistant", "tool"])),
        nullable(
            "content",
            TextOr(&List(&Tagged(&[
                ("text", &TEXT),
                ("thinking", &THOUGHT),
                ("image_url", &IMAGE),
                ("document", &DOCUMENT),
            ]))),
        ),
        nullable("tool_calls", List(&Object(&CALL))),
        nullable("tool_plan", Text),
        nullable("citations", List(&Free)),
        nullable("tool_call_id", Text),
    ],
};

static FUNCTION: Shape =
    Shape { fields: &[required("name", Text), nullable("description", Text), required("parameters", Free)] };

static TOOL: Shape =
    Shape { fields: &[required("type", Choice(&["function"])), required("function", Object(&FUNCTION))] };

static FORMAT: Shape =
    Shape { fields: &[required("type", Choice(&["text", "json_object"])), nullable("json_schema", Free)] };

static THINKING: Shape = Shape {
    fields: &[required("type", Choice(&["enabled", "disabled"])), nullable("token_budget", Whole(1, MANY))],
};

static CITATIONS: Shape = Shape {
    fields: &[nullable(
        "mode",
        Choice(&[
            "ENABLED", "DISABLED", "FAST", "ACCURATE", "OFF", "enabled", "disabled", "fast", "accurate",
            "off",
        ]),
    )],
};

static CHAT: Shape = Shape {
    fields: &[
        required("model", Text),
        required("messages", List(&Object(&MESSAGE))),
        optional("stream", Flag),
        nullable("tools", List(&Object(&TOOL))),
        nullable("strict_tools", Flag),
        nullable("documents", List(&Any)),
        nullable("citation_options", Object(&CITATIONS)),
        nullable("response_format", Object(&FORMAT)),
        nullable("safety_mode", Choice(&["CONTEXTUAL", "STRICT", "OFF"])),
        nullable("max_tokens", Whole(1, MANY)),
        nullable("stop_sequences", List(&Text)),
        nullable("temperature", Decimal),
        nullable("seed", Whole(0, i64::MAX)),
        nullable("frequency_penalty", Decimal),
        nullable("presence_penalty", Decimal),
        nullable("k", Whole(0, 500)),
        nullable("p", Decimal),
        nullable("logprobs", Flag),
        nullable("tool_choice", Choice(&["REQUIRED", "NONE"])),
        nullable("thinking", Object(&THINKING)),
        nullable("priority", Whole(0, 999)),
    ],
};

type Findings = findings::Findings<Said>;

/// How this API refuses.
trait Refuse {
    fn refused(&mut self, status: u16, message: impl Into<String>);
    fn invalid(&mut self, message: impl AsRef<str>);
}

impl Refuse for Findings {
    fn refused(&mut self, status: u16, message: impl Into<String>) {
        let message = message.into();
        let said = error(status, &message);
        self.add(message, said);
    }

    fn invalid(&mut self, message: impl AsRef<str>) {
        self.refused(400, format!("invalid request: {}", message.as_ref()));
    }
}

/// Judges a request: what it asks, or why it is refused.
pub(crate) fn judge(setup: &Setup, arrived: &Arrived) -> Verdict {
    let mut findings = Findings::default();
    match (&setup.key, text(&arrived.headers, "authorization")) {
        (None, _) => {}
        (Some(_), None) => findings.refused(401, "no api key supplied"),
        (Some(key), Some(value)) if value.strip_prefix("Bearer ") == Some(key) => {}
        (Some(_), Some(_)) => findings.refused(401, "invalid api token"),
    }
    for found in improper(setup, arrived, PROPER) {
        findings.invalid(found);
    }
    let asked = if arrived.path == "/v2/chat" && arrived.method == Method::POST {
        chat(setup, arrived, &mut findings)
    } else {
        findings.refused(404, "404 page not found");
        None
    };
    findings.verdict(asked, || error(400, "invalid request: the body could not be read"))
}

fn chat(setup: &Setup, arrived: &Arrived, findings: &mut Findings) -> Option<ChatAsked> {
    let twice = |name: &str| {
        let message = format!("invalid json syntax: duplicate key {name}");
        (message.clone(), error(400, &message))
    };
    let Some(body) = findings.members(setup, &arrived.body, twice) else {
        findings.refused(400, "invalid json syntax: invalid character");
        return None;
    };
    for problem in shape::check(&body, &CHAT, Reading::Exact) {
        wrong(&problem, findings);
    }
    if findings.error.is_some() {
        return None;
    }
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    if !setup.models.is_empty() && !setup.models.iter().any(|served| served == model) {
        findings.refused(
            404,
            format!("model '{model}' not found, make sure the correct model ID was used and that you have access to the model."),
        );
    }
    rules(&body, findings);
    messages(&body, findings);
    Some(ChatAsked::read(&body))
}

fn rules(body: &Map<String, Value>, findings: &mut Findings) {
    let number = |name: &str| body.get(name).and_then(Value::as_f64);
    for (name, least, most) in [
        ("temperature", 0.0, 2.0),
        ("p", 0.01, 0.99),
        ("frequency_penalty", 0.0, 1.0),
        ("presence_penalty", 0.0, 1.0),
    ] {
        if number(name).is_some_and(|number| !(least..=most).contains(&number)) {
            findings.invalid(format!("{name} must be between {least} and {most} inclusive."));
        }
    }
    let penalises = |name: &str| number(name).is_some_and(|penalty| penalty > 0.0);
    if penalises("frequency_penalty") && penalises("presence_penalty") {
        findings.invalid("cannot specify both frequency_penalty and presence_penalty.");
    }
    let list = |name: &str| body.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    if list("stop_sequences") > 5 {
        findings.invalid("too many stop sequences: at most 5 are taken.");
    }
    if body.get("tool_choice").is_some_and(|choice| choice == "REQUIRED") && list("tools") == 0 {
        findings.invalid("tool_choice REQUIRED needs tools.");
    }
    if list("documents") > 0 && body.get("response_format").is_some_and(|format| format["type"] != "text") {
        findings.invalid("response_format is not supported with RAG.");
    }
}

/// Instructions come first, nothing is empty, and calls have results right after them.
fn messages(body: &Map<String, Value>, findings: &mut Findings) {
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if messages.is_empty() {
        findings.invalid("messages must be at least 1 long.");
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "system" && index > 0 {
            findings.refused(400, "system turn must be the first in the list");
        }
        let calls = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
        let calls: Vec<&str> = calls.filter_map(|call| call.get("id")?.as_str()).collect();
        let empty = match message.get("content") {
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(blocks)) => blocks.is_empty(),
            _ => true,
        };
        if empty && calls.is_empty() {
            findings.refused(400, "message must not be empty in a turn");
        }
        if !calls.is_empty() && role != "assistant" {
            findings.invalid(format!("a {role} message has no tool_calls."));
        }
        if role == "tool" {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            match open.iter().position(|open| *open == id) {
                Some(at) => _ = open.swap_remove(at),
                None => findings.invalid(format!("tool_call_id '{id}' is of no call before it.")),
            }
            continue;
        }
        unanswered(&open, findings);
        open = calls;
    }
    unanswered(&open, findings);
}

fn unanswered(open: &[&str], findings: &mut Findings) {
    if !open.is_empty() {
        findings.invalid(format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
             The following tool_call_ids did not have response messages: {}",
            open.join(", ")
        ));
    }
}

/// Says what is wrong with a body's shape.
fn wrong(problem: &Problem, findings: &mut Findings) {
    let steps = problem.path.iter().map(|step| match step {
        Step::Member(name) => format!(".{name}"),
        Step::Index(index) => format!("[{index}]"),
        Step::Tag(_) => String::new(),
    });
    let path: String = steps.collect();
    let path = path.trim_start_matches('.');
    match &problem.wrong {
        Wrong::Unknown(name) => {
            findings.refused(422, format!("unknown field: parameter '{name}' is not a valid field. {USAGE}"));
        }
        Wrong::Missing(name) => {
            let dot = if path.is_empty() { "" } else { "." };
            findings.invalid(format!("{path}{dot}{name} is required."));
        }
        Wrong::Value(kind, value) => {
            let (found, wanted) = (type_of(value), named(*kind));
            let message =
                format!("invalid type: parameter {path} is of type {found} but should be {wanted}.");
            findings.refused(400, format!("{message} {USAGE}"));
        }
    }
}

fn named(kind: Kind) -> String {
    match kind {
        Text => "of type string".to_owned(),
        Flag => "of type boolean".to_owned(),
        Whole(least, most) => format!("of type integer between {least} and {most}"),
        Decimal => "of type number".to_owned(),
        Choice(words) => format!("one of {}", words.join(", ")),
        List(_) | TextOr(_) => "of type array".to_owned(),
        Any | Free | Kind::Each(_) | Object(_) | Kind::OneOf(_) | Tagged(_) => "of type object".to_owned(),
    }
}
