//! What Ollama refuses, and what it should.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::{Map, Value};

use super::answer::{Asked, ChatAsked};
use super::error;
use crate::fake_provider::findings::{self, Said, Verdict};
use crate::fake_provider::headers::{improper, text};
use crate::fake_provider::shape::Kind::{
    Any, Choice, Decimal, Flag, Free, List, Object, Text, TextOr, Whole,
};
use crate::fake_provider::shape::{
    self, Kind, Problem, Reading, Shape, Step, Wrong, nullable, required, type_of,
};
use crate::fake_provider::{Arrived, Setup};

/// The headers of this API that a gateway sends of its own.
const PROPER: &[&str] = &["authorization"];

const MANY: i64 = i32::MAX as i64;

static FUNCTION: Shape = Shape {
    fields: &[nullable("index", Whole(0, MANY)), required("name", Text), required("arguments", Free)],
};

static CALL: Shape = Shape { fields: &[nullable("id", Text), required("function", Object(&FUNCTION))] };

static MESSAGE: Shape = Shape {
    fields: &[
        required("role", Choice(&["system", "user", "assistant", "tool"])),
        nullable("content", Text),
        nullable("thinking", Text),
        nullable("images", List(&Text)),
        nullable("tool_calls", List(&Object(&CALL))),
        nullable("tool_name", Text),
        nullable("tool_call_id", Text),
    ],
};

static DECLARED: Shape =
    Shape { fields: &[required("name", Text), nullable("description", Text), required("parameters", Free)] };

static TOOL: Shape = Shape {
    fields: &[
        required("type", Choice(&["function"])),
        nullable("items", Any),
        required("function", Object(&DECLARED)),
    ],
};

/// `Options` and `Runner`.
static OPTIONS: Shape = Shape {
    fields: &[
        nullable("num_keep", Whole(0, MANY)),
        nullable("seed", Whole(i64::MIN, i64::MAX)),
        nullable("num_predict", Whole(-2, MANY)),
        nullable("top_k", Whole(0, MANY)),
        nullable("top_p", Decimal),
        nullable("min_p", Decimal),
        nullable("typical_p", Decimal),
        nullable("repeat_last_n", Whole(-1, MANY)),
        nullable("temperature", Decimal),
        nullable("repeat_penalty", Decimal),
        nullable("presence_penalty", Decimal),
        nullable("frequency_penalty", Decimal),
        nullable("stop", List(&Text)),
        nullable("num_ctx", Whole(0, MANY)),
        nullable("num_batch", Whole(0, MANY)),
        nullable("num_gpu", Whole(-1, MANY)),
        nullable("main_gpu", Whole(0, MANY)),
        nullable("use_mmap", Flag),
        nullable("num_thread", Whole(0, MANY)),
        nullable("draft_num_predict", Whole(0, MANY)),
    ],
};

static CHAT: Shape = Shape {
    fields: &[
        nullable("model", Text),
        nullable("messages", List(&Object(&MESSAGE))),
        nullable("stream", Flag),
        nullable("format", TextOr(&Free)),
        nullable("keep_alive", Any),
        nullable("tools", List(&Object(&TOOL))),
        nullable("options", Object(&OPTIONS)),
        nullable("think", Any),
        nullable("truncate", Flag),
        nullable("shift", Flag),
        nullable("logprobs", Flag),
        nullable("top_logprobs", Whole(i64::MIN, i64::MAX)),
    ],
};

type Findings = findings::Findings<Said>;

/// How this API refuses.
trait Refuse {
    fn invalid(&mut self, message: impl Into<String>);
    fn refused(&mut self, status: u16, message: impl Into<String>);
}

impl Refuse for Findings {
    fn invalid(&mut self, message: impl Into<String>) {
        self.refused(400, message);
    }

    fn refused(&mut self, status: u16, message: impl Into<String>) {
        let message = message.into();
        let said = error(status, &message);
        self.add(message, said);
    }
}

/// Judges a request: what it asks, or why it is refused.
pub(crate) fn judge(setup: &Setup, arrived: &Arrived) -> Verdict {
    let mut findings = Findings::default();
    let bearer = text(&arrived.headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    if setup.key.as_deref().is_some_and(|key| bearer != Some(key)) {
        findings.refused(401, "unauthorized");
    }
    for found in improper(setup, arrived, PROPER) {
        findings.invalid(found);
    }
    let asked = match (arrived.path.as_str(), &arrived.method) {
        ("/api/tags", &Method::GET) => Some(Asked::Models(setup.listed())),
        ("/api/chat", &Method::POST) => chat(setup, arrived, &mut findings),
        (path, _) => {
            findings.add(format!("unknown path {path}"), Said::new(404, "404 page not found".to_owned()));
            None
        }
    };
    findings.verdict(asked, || error(400, "missing request body"))
}

fn chat(setup: &Setup, arrived: &Arrived, findings: &mut Findings) -> Option<Asked> {
    let twice = |name: &str| {
        let message = format!("json: duplicate field \"{name}\"");
        let said = error(400, &message);
        (message, said)
    };
    let Some(body) = findings.members(setup, &arrived.body, twice) else {
        findings.invalid(if arrived.body.is_empty() { "missing request body" } else { "invalid character" });
        return None;
    };
    for problem in shape::check(&body, &CHAT, Reading::Exact) {
        findings.invalid(words(&problem));
    }
    if findings.error.is_some() {
        return None;
    }
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    if model.is_empty() {
        findings.invalid("model is required");
    } else if !setup.models.is_empty() && !setup.models.iter().any(|served| served == model) {
        findings.refused(404, format!("model '{model}' not found"));
    }
    rules(&body, findings);
    messages(&body, findings);
    Some(Asked::Chat(Box::new(ChatAsked::read(&body))))
}

fn rules(body: &Map<String, Value>, findings: &mut Findings) {
    match body.get("think") {
        None | Some(Value::Null | Value::Bool(_)) => {}
        Some(Value::String(word)) if matches!(word.as_str(), "high" | "medium" | "low" | "max") => {}
        Some(Value::String(word)) => findings.invalid(format!(
            "invalid think value: {word:?} (must be \"high\", \"medium\", \"low\", \"max\", true, or false)"
        )),
        Some(_) => findings.invalid(
            "think must be a boolean or string (\"high\", \"medium\", \"low\", \"max\", true, or false)",
        ),
    }
    if let Some(format) = body.get("format").and_then(Value::as_str).filter(|it| !matches!(*it, "" | "json"))
    {
        findings.refused(
            500,
            format!("invalid format: {format:?}; expected \"json\" or a valid JSON Schema object"),
        );
    }
    if body.get("top_logprobs").and_then(Value::as_i64).is_some_and(|top| !(0..=20).contains(&top)) {
        findings.invalid("top_logprobs must be between 0 and 20");
    }
}

/// Pictures are base64, and results are of calls that were made right before them.
fn messages(body: &Map<String, Value>, findings: &mut Findings) {
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let mut open = 0_usize;
    for message in messages {
        let images = message.get("images").and_then(Value::as_array).into_iter().flatten();
        if images.filter_map(Value::as_str).any(|image| BASE64_STANDARD.decode(image).is_err()) {
            findings.invalid("illegal base64 data at input byte 0");
        }
        if message["role"] == "tool" {
            match open.checked_sub(1) {
                Some(left) => open = left,
                None => findings.invalid("a result without a call before it"),
            }
        } else {
            open = message.get("tool_calls").and_then(Value::as_array).map_or(0, Vec::len);
        }
    }
}

/// What is wrong with a body's shape, as Go's reader of JSON says it.
fn words(problem: &Problem) -> String {
    let mut path = vec!["ChatRequest"];
    path.extend(problem.path.iter().filter_map(|step| match step {
        Step::Member(name) => Some(name.as_str()),
        Step::Index(_) | Step::Tag(_) => None,
    }));
    let path = path.join(".");
    match &problem.wrong {
        Wrong::Unknown(name) => format!("json: unknown field {name:?}"),
        Wrong::Missing(name) => format!("{path}.{name}: missing"),
        Wrong::Value(Choice(words), value) if value.is_string() => {
            format!("{path}: {value} is none of {}", words.join(", "))
        }
        Wrong::Value(kind, value) => {
            let (found, wanted) = (type_of(value), go(*kind));
            format!("json: cannot unmarshal {found} into Go struct field {path} of type {wanted}")
        }
    }
}

fn go(kind: Kind) -> &'static str {
    match kind {
        Text | Choice(_) => "string",
        Flag => "bool",
        Whole(..) => "int",
        Decimal => "float32",
        List(_) => "[]interface {}",
        Any | TextOr(_) => "json.RawMessage",
        Free | Kind::Each(_) | Object(_) | Kind::OneOf(_) | Kind::Tagged(_) => "map[string]interface {}",
    }
}
