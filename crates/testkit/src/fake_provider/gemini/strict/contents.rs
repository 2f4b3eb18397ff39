//! What holds between the contents of a request: roles, calls and their responses, signatures.
//!
//! Wording, as reported: <https://github.com/google-gemini/gemini-cli/issues/4504> (responses that do not match their
//! calls), <https://github.com/continuedev/continue/issues/8785> (a missing signature),
//! <https://github.com/google-gemini/gemini-cli/issues/13467> (a forged one).

use serde_json::Value;

use super::Findings;
use crate::fake_provider::gemini::{get, items, parts, text};
use crate::fake_provider::seal::{self, Purpose};

/// What stands for a signature that was never handed out: <https://ai.google.dev/gemini-api/docs/thought-signatures>.
const PLACEHOLDERS: &[&str] = &["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

/// The members of a part of which exactly one is there.
const DATA: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
];

pub(super) fn check(model: &str, request: &Value, findings: &mut Findings) {
    let contents = items(request, "contents");
    if contents.is_empty() {
        findings.invalid("* GenerateContentRequest.contents: contents is not specified");
    }
    for (index, content) in contents.iter().enumerate() {
        one(index, content, findings);
        let before = index.checked_sub(1).and_then(|index| contents.get(index));
        turns(before, content, contents.get(index + 1), findings);
    }
    if model.contains("gemini-3") {
        signatures(contents, findings);
    }
}

fn one(index: usize, content: &Value, findings: &mut Findings) {
    if text(content, "role").is_some_and(|role| !matches!(role, "user" | "model")) {
        findings.invalid("Please use a valid role: user, model.");
    }
    if parts(content).is_empty() {
        let at = format!("* GenerateContentRequest.contents[{index}].parts");
        findings.invalid(format!("{at}: contents.parts must not be empty."));
    }
    for (place, part) in parts(content).iter().enumerate() {
        let at = format!("contents[{index}].parts[{place}]");
        match DATA.iter().filter(|name| get(part, name).is_some()).count() {
            1 => {}
            0 if get(part, "thoughtSignature").is_some() => {}
            0 => {
                let missing = "required oneof field 'data' must have one initialized field";
                findings.invalid(format!("* GenerateContentRequest.{at}.data: {missing}"));
            }
            _ => findings
                .invalid(format!("Invalid value at '{at}' (oneof), oneof field 'data' is already set.")),
        }
        let data = get(part, "inlineData").and_then(|blob| text(blob, "data"));
        if data.is_some_and(|data| seal::bytes(data).is_none()) {
            findings.invalid(format!(
                "Invalid value at '{at}.inline_data.data' (TYPE_BYTES), Base64 decoding failed"
            ));
        }
        if let Some(signature) = text(part, "thoughtSignature") {
            signature_in_order(part, signature, findings);
        }
    }
}

fn signature_in_order(part: &Value, signature: &str, findings: &mut Findings) {
    if PLACEHOLDERS.contains(&signature) {
        return;
    }
    let signed = seal::open(Purpose::Gemini, signature);
    // A call's signature is of the call: another call's does not fit.
    let fits = get(part, "functionCall").is_none_or(|call| signed.as_deref() == text(call, "name"));
    if signed.is_none() || !fits {
        findings.invalid("Corrupted thought signature.");
    }
}

fn count(content: &Value, name: &str) -> usize {
    parts(content).iter().filter(|part| get(part, name).is_some()).count()
}

fn turns(before: Option<&Value>, content: &Value, after: Option<&Value>, findings: &mut Findings) {
    let calls = count(content, "functionCall");
    if calls > 0 {
        let user = before.is_some_and(|before| text(before, "role") != Some("model"));
        if !user {
            findings.invalid(
                "Please ensure that function call turn comes immediately after a user turn or after a function \
                 response turn.",
            );
        }
        if after.is_none_or(|after| count(after, "functionResponse") != calls) {
            findings.invalid(
                "Please ensure that the number of function response parts is equal to the number of function call \
                 parts of the function call turn.",
            );
        }
    }
    let responses = count(content, "functionResponse");
    if responses == 0 {
        return;
    }
    if before.is_none_or(|before| count(before, "functionCall") == 0) {
        findings.invalid(
            "Please ensure that function response turn comes immediately after a function call turn.",
        );
    }
    for response in parts(content).iter().filter_map(|part| get(part, "functionResponse")) {
        if text(response, "name").unwrap_or_default().is_empty() {
            findings
                .invalid("* GenerateContentRequest.contents: function_response.name: Name cannot be empty.");
        }
    }
}

/// The first call of each step of the current turn carries a signature; the turn starts with the last content of the
/// user's that is no response.
fn signatures(contents: &[Value], findings: &mut Findings) {
    let starts = |content: &Value| {
        text(content, "role") != Some("model")
            && parts(content).iter().any(|part| get(part, "functionResponse").is_none())
    };
    let start = contents.iter().rposition(starts).unwrap_or(0);
    for (index, content) in contents.iter().enumerate().skip(start) {
        let first = parts(content).iter().find(|part| get(part, "functionCall").is_some());
        let Some(first) = first.filter(|part| get(part, "thoughtSignature").is_none()) else { continue };
        let name = get(first, "functionCall").and_then(|call| text(call, "name")).unwrap_or_default();
        findings.invalid(format!(
            "Function call is missing a thought_signature in functionCall parts. This is required for tools to work \
             correctly, and missing thought_signature may lead to degraded model performance. Additional data, \
             function call `default_api:{name}` , position {}. Please refer to \
             https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
            index + 1
        ));
    }
}
