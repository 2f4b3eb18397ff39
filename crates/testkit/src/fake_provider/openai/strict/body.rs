//! Request bodies.

use serde_json::{Map, Value};

use super::fields::{self, Field, Presence};
use super::{Findings, GATEWAY_FIELDS, messages};
use crate::fake_provider::Setup;
use crate::fake_provider::cache::Piece;
use crate::fake_provider::findings::Members;
use crate::fake_provider::openai::answer::{Asked, TextAsked};
use crate::fake_provider::openai::error::ApiError;
use crate::fake_provider::speech::{Wanted, sample};

/// Reads a chat or completion request.
pub(super) fn text(setup: &Setup, body: &[u8], known: &[Field], findings: &mut Findings) -> Option<Asked> {
    let body = top_level(setup, body, known, findings)?;
    Some(Asked::Text(read(&body, findings)))
}

/// What the members of a chat or completion request ask.
pub(crate) fn read(body: &Map<String, Value>, findings: &mut Findings) -> TextAsked {
    let whole =
        |name: &str| body.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let options = body.get("stream_options").filter(|options| !options.is_null());
    if options.is_some() && !stream {
        findings.invalid(
            "stream_options",
            "invalid_value",
            "'stream_options' is only allowed when 'stream' is true.",
        );
    }
    let unknown = options.and_then(Value::as_object).into_iter().flat_map(Map::keys);
    for name in unknown.filter(|name| !matches!(name.as_str(), "include_usage" | "include_obfuscation")) {
        let param = format!("stream_options.{name}");
        findings.invalid(&param, "unknown_parameter", format!("Unknown parameter: '{param}'."));
    }
    let mut asked = TextAsked {
        chat: body.contains_key("messages"),
        model: model(body),
        stream,
        include_usage: options.and_then(|options| options.get("include_usage")?.as_bool()).unwrap_or(false),
        choices: whole("n").unwrap_or(1),
        wanted: Wanted {
            output_max: whole("max_tokens").into_iter().chain(whole("max_completion_tokens")).min(),
            stops: stops(body),
            ..Wanted::default()
        },
        ..TextAsked::default()
    };
    if let Some(prompt) = body.get("prompt") {
        let prompts = messages::inputs("prompt", prompt, findings);
        let piece = |tokens: &u64| Piece { content: String::new(), tokens: *tokens, mark: None };
        asked.prompt = prompts.iter().map(piece).collect();
        asked.choices = asked.choices.saturating_mul(prompts.len());
    }
    if let Some(said) = body.get("messages") {
        asked.prompt = messages::messages(said, findings);
        asked.wanted.begun = messages::begun(said);
        asked.wanted.formatted = formatted(body);
        let tools = body.get("tools").unwrap_or(&Value::Null);
        asked.wanted.calls = messages::tools(tools, body.get("tool_choice"), findings);
        asked.wanted.offered = messages::offered(tools);
        asked.wanted.results = messages::results(said);
        if body.get("parallel_tool_calls") == Some(&Value::Bool(false)) {
            asked.wanted.calls.truncate(1);
        }
    }
    asked
}

/// Reads an embedding request.
pub(super) fn embeddings(setup: &Setup, body: &[u8], findings: &mut Findings) -> Option<Asked> {
    let body = top_level(setup, body, fields::EMBEDDING, findings)?;
    let base64 = match body.get("encoding_format").and_then(Value::as_str) {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            findings.invalid("encoding_format", "invalid_value", "Invalid value for 'encoding_format'.");
            false
        }
    };
    let dimensions =
        body.get("dimensions").and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let inputs = messages::inputs("input", body.get("input")?, findings);
    Some(Asked::Embeddings { model: model(&body), inputs, dimensions: dimensions.unwrap_or(8), base64 })
}

fn model(body: &Map<String, Value>) -> String {
    body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A JSON answer where one is asked for.
fn formatted(body: &Map<String, Value>) -> Option<String> {
    let kind = body.get("response_format")?.get("type")?.as_str()?;
    let schema = body.get("response_format")?.pointer("/json_schema/schema");
    match kind {
        "json_object" => Some("{}".to_owned()),
        "json_schema" => Some(schema.map_or_else(|| "{}".to_owned(), |schema| sample(schema).to_string())),
        _ => None,
    }
}

/// The texts that end an answer: one, or several.
fn stops(body: &Map<String, Value>) -> Vec<String> {
    match body.get("stop") {
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(Value::Array(stops)) => stops.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The fields of a body, each known, of its type, once; `None` where it is no object at all.
pub(super) fn top_level(
    setup: &Setup,
    body: &[u8],
    known: &[Field],
    findings: &mut Findings,
) -> Option<Map<String, Value>> {
    let Ok(Members(members)) = serde_json::from_slice(body) else {
        let message = "We could not parse the JSON body of your request.";
        findings.add("the body is not a JSON object", ApiError::invalid(None, None, message.to_owned()));
        return None;
    };
    let mut fields = Map::new();
    for (name, value) in members {
        let field = known.iter().find(|field| field.name == name);
        if GATEWAY_FIELDS.contains(&name.as_str()) && field.is_none() && !setup.fields.contains(&name) {
            let error = ApiError::invalid(
                Some(&name),
                Some("unknown_parameter"),
                format!("Unknown parameter: '{name}'."),
            );
            findings.add(format!("gateway field '{name}' leaked"), error);
        } else if field.is_none() && !setup.fields.contains(&name) {
            findings.invalid(&name, "unknown_parameter", format!("Unknown parameter: '{name}'."));
        } else if let Some(problem) = field.and_then(|field| field.problem(&value)) {
            findings.invalid(&name, "invalid_type", problem);
        }
        if fields.insert(name.clone(), value).is_some() {
            findings.invalid(&name, "invalid_value", format!("Duplicate parameter: '{name}'."));
        }
    }
    for field in known.iter().filter(|field| field.presence == Presence::Required) {
        if !fields.contains_key(field.name) {
            let message = format!("Missing required parameter: '{}'.", field.name);
            findings.invalid(field.name, "missing_required_parameter", message);
        }
    }
    let model = model(&fields);
    if findings.error.is_none() && !setup.models.is_empty() && !setup.models.contains(&model) {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        let error = ApiError::invalid(None, Some("model_not_found"), message).with_status(404);
        findings.add(format!("unknown model '{model}'"), error);
    }
    Some(fields)
}
