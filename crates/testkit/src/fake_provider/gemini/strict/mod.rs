//! What Gemini refuses.
//!
//! Wording, as reported: <https://github.com/zed-industries/zed/issues/44875> (an unknown name),
//! <https://github.com/vercel/ai/pull/3589> (another type); of keys and models:
//! <https://ai.google.dev/gemini-api/docs/troubleshooting>.

mod contents;
mod rules;
mod shapes;

use http::Method;
use serde_json::Value;

use super::answer::{Asked, ContentAsked};
use super::error::ApiError;
use super::{get, items, text as member};
use crate::fake_provider::findings::{self, Verdict};
use crate::fake_provider::headers::{improper, text};
use crate::fake_provider::shape::{self, Kind, Problem, Reading, Step, Wrong, snake};
use crate::fake_provider::{Arrived, Caller, Setup};

/// The headers of this API that a gateway sends of its own.
const PROPER: &[&str] = &["x-goog-api-key"];

type Findings = findings::Findings<ApiError>;

impl Findings {
    fn invalid(&mut self, message: impl Into<String>) {
        let message = message.into();
        self.add(message.clone(), ApiError::invalid(message));
    }
}

/// Judges a request: what it asks, or why it is refused.
pub(crate) fn judge(setup: &Setup, arrived: &Arrived) -> Verdict {
    let mut findings = Findings::default();
    authorisation(setup, arrived, &mut findings);
    for found in improper(setup, arrived, PROPER) {
        findings.invalid(found);
    }
    let asked = asked(setup, arrived, &mut findings);
    findings.verdict(asked, || ApiError::invalid("The request could not be read."))
}

fn authorisation(setup: &Setup, arrived: &Arrived, findings: &mut Findings) {
    let (_, query) = arrived.path.split_once('?').unwrap_or_default();
    let in_query = query.split('&').find_map(|pair| pair.strip_prefix("key="));
    if in_query.is_some() && setup.caller == Caller::Gateway {
        findings.invalid("a key in the address");
    }
    let Some(key) = &setup.key else { return };
    match text(&arrived.headers, "x-goog-api-key").or(in_query) {
        Some(value) if value == key => {}
        Some(_) => {
            let message = "API key not valid. Please pass a valid API key.";
            let error = ApiError { reason: Some("API_KEY_INVALID"), ..ApiError::invalid(message) };
            findings.add("x-goog-api-key is wrong", error);
        }
        None => {
            let message = "Method doesn't allow unregistered callers (callers without established identity). \
                           Please use API Key or other form of API consumer identity to call this API.";
            findings.add("x-goog-api-key is missing", ApiError::of(403, message));
        }
    }
}

fn asked(setup: &Setup, arrived: &Arrived, findings: &mut Findings) -> Option<Asked> {
    let (path, query) = arrived.path.split_once('?').unwrap_or((&arrived.path, ""));
    let path = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1")).unwrap_or(path);
    let named = path.strip_prefix("/models/").and_then(|path| path.rsplit_once(':'));
    let known = named.filter(|(_, method)| {
        arrived.method == Method::POST
            && matches!(
                *method,
                "generateContent"
                    | "streamGenerateContent"
                    | "countTokens"
                    | "embedContent"
                    | "batchEmbedContents"
            )
    });
    let Some((model, method)) = known else {
        findings.add(format!("unknown path {path}"), ApiError::of(404, "Requested entity was not found."));
        return None;
    };
    if !setup.models.is_empty() && !setup.models.iter().any(|served| served == model) {
        let message = format!(
            "models/{model} is not found for API version v1beta, or is not supported for {method}. \
             Call ListModels to see the list of available models and their supported methods."
        );
        findings.add(format!("unknown model '{model}'"), ApiError::of(404, message));
    }
    let streams = method == "streamGenerateContent";
    if streams && !query.split('&').any(|pair| pair == "alt=sse") {
        findings.invalid("the fake streams events only: alt=sse is missing");
    }
    let body = body(setup, arrived, findings)?;
    if method == "countTokens" {
        let nested = get(&body, "generateContentRequest").cloned();
        let request = nested.unwrap_or(body);
        request_in_order(&request, model, findings)?;
        return Some(Asked::Count(ContentAsked::read(model, &request, streams).prompt_tokens()));
    }
    if let "embedContent" | "batchEmbedContents" = method {
        return embeddings(&body, model, method == "batchEmbedContents", findings);
    }
    request_in_order(&body, model, findings)?;
    Some(Asked::Content(Box::new(ContentAsked::read(model, &body, streams))))
}

fn embeddings(body: &Value, model: &str, many: bool, findings: &mut Findings) -> Option<Asked> {
    let shape = if many { &shapes::EMBED_MANY } else { shapes::EMBED_ONE };
    let problems = shape::check(body.as_object()?, shape, Reading::ProtoJson);
    for problem in &problems {
        findings.invalid(words(problem));
    }
    let requests = if many { items(body, "requests") } else { std::slice::from_ref(body) };
    let name = format!("models/{model}");
    for request in requests {
        if get(request, "content").is_none() {
            findings.invalid("* EmbedContentRequest.content: contents is not specified");
        }
        if many && member(request, "model") != Some(&name) {
            findings.invalid("* BatchEmbedContentsRequest.requests[0].model: model does not match the path");
        }
    }
    problems.is_empty().then(|| Asked::embed(body, many))
}

fn body(setup: &Setup, arrived: &Arrived, findings: &mut Findings) -> Option<Value> {
    let body = findings.members(setup, &arrived.body, twice);
    if body.is_none() {
        findings.invalid("Invalid JSON payload received. Unexpected token.");
    }
    body.map(Value::Object)
}

/// The error of a member that comes again.
fn twice(name: &str) -> (String, ApiError) {
    let message = format!("Invalid JSON payload received. Duplicate name \"{name}\".");
    (message.clone(), ApiError::invalid(message))
}

/// Checks a request; `None` where its shape is wrong.
fn request_in_order(request: &Value, model: &str, findings: &mut Findings) -> Option<()> {
    let problems = shape::check(request.as_object()?, &shapes::REQUEST, Reading::ProtoJson);
    for problem in &problems {
        findings.invalid(words(problem));
    }
    if !problems.is_empty() {
        return None;
    }
    contents::check(model, request, findings);
    rules::check(request, findings);
    Some(())
}

/// What is wrong with a body's shape, as Google's reader of JSON says it.
fn words(problem: &Problem) -> String {
    let steps = problem.path.iter().map(|step| match step {
        Step::Index(index) => format!("[{index}]"),
        Step::Member(name) => format!(".{}", snake(name)),
        Step::Tag(_) => String::new(),
    });
    let path: String = steps.collect();
    let path = path.trim_start_matches('.');
    match &problem.wrong {
        Wrong::Unknown(name) => {
            let at = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
            format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.")
        }
        Wrong::Missing(name) => {
            let dot = if path.is_empty() { "" } else { "." };
            format!("* GenerateContentRequest.{path}{dot}{}: required field is missing", snake(name))
        }
        Wrong::Value(kind, value) => {
            format!("Invalid value at '{path}' ({}), {value}", type_name(*kind))
        }
    }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::TextOr(_) => "TYPE_STRING",
        Kind::Flag => "TYPE_BOOL",
        Kind::Whole(..) => "TYPE_INT32",
        Kind::Decimal => "TYPE_FLOAT",
        Kind::Choice(_) => "TYPE_ENUM",
        Kind::Any
        | Kind::Free
        | Kind::List(_)
        | Kind::Each(_)
        | Kind::Object(_)
        | Kind::OneOf(_)
        | Kind::Tagged(_) => "TYPE_MESSAGE",
    }
}
