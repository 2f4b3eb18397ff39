//! What Mistral refuses.

use http::Method;
use serde_json::{Map, Value, json};

use super::shapes::{CHAT, ROLES};
use super::{error, unprocessable};
use crate::fake_provider::findings::{self, Said, Verdict};
use crate::fake_provider::headers::{improper, text};
use crate::fake_provider::openai::answer::{Asked, Flavour, TextAsked};
use crate::fake_provider::openai::strict::body;
use crate::fake_provider::shape::{self, Kind, Problem, Reading, Shape, Step, Wrong};
use crate::fake_provider::{Arrived, Setup};

/// The headers of this API that a gateway sends of its own.
const PROPER: &[&str] = &["authorization"];

/// The length of a call's id.
const ID_LENGTH: usize = 9;

type Findings = findings::Findings<Said>;

/// How this API refuses.
trait Refuse {
    fn refused(&mut self, kind: &str, code: Option<&str>, message: impl Into<String>);
    fn disordered(&mut self, message: impl Into<String>);
}

impl Refuse for Findings {
    fn refused(&mut self, kind: &str, code: Option<&str>, message: impl Into<String>) {
        let message = message.into();
        let said = error(400, kind, code, &message);
        self.add(message, said);
    }

    fn disordered(&mut self, message: impl Into<String>) {
        self.refused("invalid_request_message_order", Some("3230"), message);
    }
}

/// Judges a request: what it asks, or why it is refused.
pub(crate) fn judge(setup: &Setup, arrived: &Arrived) -> Verdict {
    let mut findings = Findings::default();
    let given = text(&arrived.headers, "authorization");
    let bearer = given.and_then(|value| value.strip_prefix("Bearer "));
    if setup.key.as_deref().is_some_and(|key| bearer != Some(key)) {
        let message = if given.is_some() { "Unauthorized" } else { "No API key found in request" };
        findings.add("the key is wrong", error(401, "", None, message));
    }
    for found in improper(setup, arrived, PROPER) {
        findings.refused("invalid_request_error", None, found);
    }
    let asked = match (arrived.path.as_str(), &arrived.method) {
        ("/mistral/v1/models", &Method::GET) => Some(Asked::Kept(listing(setup))),
        ("/mistral/v1/chat/completions", &Method::POST) => chat(setup, arrived, &mut findings),
        (path, _) => {
            let message = "no Route matched with those values";
            findings.add(format!("unknown path {path}"), error(404, "", None, message));
            None
        }
    };
    let unreadable = || error(400, "invalid_request_error", None, "The request could not be read.");
    findings.verdict(asked, unreadable)
}

/// The models, each with what it can do.
fn listing(setup: &Setup) -> Value {
    let entry = |id: String| {
        let capabilities = json!({ "completion_chat": true, "function_calling": true, "vision": true });
        json!({ "id": id, "object": "model", "type": "base", "capabilities": capabilities })
    };
    json!({ "object": "list", "data": setup.listed().into_iter().map(entry).collect::<Vec<_>>() })
}

fn chat(setup: &Setup, arrived: &Arrived, findings: &mut Findings) -> Option<Asked> {
    let twice = |name: &str| {
        let message = format!("{name}: duplicate member");
        (message.clone(), error(400, "invalid_request_error", None, &message))
    };
    let Some(body) = findings.members(setup, &arrived.body, twice) else {
        let detail = json!({ "type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error" });
        findings.add("the body is no object", unprocessable(&detail));
        return None;
    };
    shaped(&body, &CHAT, &[], findings);
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, message) in messages.iter().filter_map(Value::as_object).enumerate() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        let at = [json!("messages"), json!(index), json!(role)];
        if let Some((_, shape)) = ROLES.iter().find(|(name, _)| *name == role) {
            shaped(message, shape, &at, findings);
        } else {
            let tags = "Input tag found using 'role' does not match any of the expected tags: 'assistant', 'system', \
                        'tool', 'user'";
            let detail =
                json!({ "type": "union_tag_invalid", "loc": ["body", "messages", index], "msg": tags });
            findings.add(format!("messages.{index}.role"), unprocessable(&detail));
        }
    }
    if findings.error.is_some() {
        return None;
    }
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    if !setup.models.is_empty() && !setup.models.iter().any(|served| served == model) {
        findings.refused("invalid_model", Some("1500"), format!("Invalid model: {model}"));
    }
    ordered(messages, findings);
    Some(read(body, findings))
}

/// What a body that was found in order asks, read as OpenAI's.
fn read(mut body: Map<String, Value>, findings: &mut Findings) -> Asked {
    // The same in OpenAI's words.
    if body.get("tool_choice").is_some_and(|choice| choice == "any") {
        body.insert("tool_choice".to_owned(), "required".into());
    }
    for tool in body.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(tool) = tool.as_object_mut() {
            tool.entry("type").or_insert_with(|| "function".into());
        }
    }
    let messages = body.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten();
    for part in messages.filter_map(|message| message.get_mut("content")?.as_array_mut()).flatten() {
        let kind = part["type"].as_str().unwrap_or_default().to_owned();
        match (kind.as_str(), part.get("image_url")) {
            ("image_url", Some(Value::String(url))) => {
                *part = json!({ "type": "image_url", "image_url": { "url": url } });
            }
            ("text" | "image_url", _) => {}
            _ => *part = json!({ "type": "file", "file": {} }),
        }
    }
    let mut found = findings::Findings::default();
    let asked: TextAsked = body::read(&body, &mut found);
    for message in found.violations {
        findings.refused("invalid_request_error", None, message);
    }
    Asked::Text(TextAsked { flavour: Flavour::Mistral, ..asked })
}

/// Who may speak after whom, and calls and their results.
fn ordered(messages: &[Value], findings: &mut Findings) {
    let role = |message: &Value| message["role"].as_str().unwrap_or_default().to_owned();
    let mut open = 0_usize;
    let mut before = String::new();
    for message in messages {
        let role = role(message);
        match (before.as_str(), role.as_str()) {
            ("tool", "user" | "system") | ("" | "user" | "system", "tool") => {
                findings.disordered(format!("Unexpected role '{role}' after role '{before}'"));
            }
            _ => {}
        }
        if role == "tool" {
            match open.checked_sub(1) {
                Some(left) => open = left,
                None => findings.disordered("Not the same number of function calls and responses"),
            }
            identified(message.get("tool_call_id"), findings);
        } else {
            if open > 0 {
                findings.disordered("Not the same number of function calls and responses");
            }
            let calls =
                message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for call in calls {
                identified(call.get("id"), findings);
            }
            open = calls.len();
        }
        before = role;
    }
    if open > 0 {
        findings.disordered("Not the same number of function calls and responses");
    }
    let begun = messages.last().is_some_and(|last| last["prefix"] == true);
    if before == "assistant" && !begun {
        findings.disordered(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
        );
    }
    if messages.is_empty() {
        findings.refused("invalid_request_error", None, "Conversation must have at least one message");
    }
}

fn identified(id: Option<&Value>, findings: &mut Findings) {
    let id = id.and_then(Value::as_str).unwrap_or("null");
    if id.len() != ID_LENGTH || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let message = format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.");
        findings.refused("invalid_function_call", Some("3280"), message);
    }
}

/// Says what is wrong with an object's shape, as pydantic says it.
fn shaped(object: &Map<String, Value>, shape: &'static Shape, at: &[Value], findings: &mut Findings) {
    for problem in shape::check(object, shape, Reading::Exact) {
        let (kind, message, input) = words(&problem);
        let mut path = vec![json!("body")];
        path.extend(at.iter().cloned());
        path.extend(problem.path.iter().map(|step| match step {
            Step::Member(name) => json!(name),
            Step::Index(index) => json!(index),
            Step::Tag(tag) => json!(tag),
        }));
        match &problem.wrong {
            Wrong::Unknown(name) => path.push(json!(name)),
            Wrong::Missing(name) => path.push(json!(name)),
            Wrong::Value(..) => {}
        }
        let detail = json!({ "type": kind, "loc": path, "msg": message, "input": input });
        findings.add(format!("{}: {message}", Value::from(path)), unprocessable(&detail));
    }
}

fn words(problem: &Problem) -> (&'static str, String, Value) {
    let value = match &problem.wrong {
        Wrong::Unknown(_) => {
            return ("extra_forbidden", "Extra inputs are not permitted".to_owned(), Value::Null);
        }
        Wrong::Missing(_) => return ("missing", "Field required".to_owned(), Value::Null),
        Wrong::Value(_, value) => value.clone(),
    };
    let Wrong::Value(kind, _) = &problem.wrong else { return ("value_error", String::new(), value) };
    let (kind, message) = match kind {
        Kind::Text => ("string_type", "Input should be a valid string".to_owned()),
        Kind::Flag => ("bool_type", "Input should be a valid boolean".to_owned()),
        Kind::Whole(least, _) if value.is_i64() => {
            ("greater_than_equal", format!("Input should be greater than or equal to {least}"))
        }
        Kind::Whole(..) => ("int_type", "Input should be a valid integer".to_owned()),
        Kind::Decimal => ("float_type", "Input should be a valid number".to_owned()),
        Kind::Choice(words) => ("enum", format!("Input should be '{}'", words.join("', '"))),
        Kind::List(_) | Kind::TextOr(_) => ("list_type", "Input should be a valid list".to_owned()),
        Kind::Any | Kind::Free | Kind::Each(_) | Kind::Object(_) | Kind::OneOf(_) | Kind::Tagged(_) => {
            ("dict_type", "Input should be a valid dictionary".to_owned())
        }
    };
    (kind, message, value)
}
