//! What holds between the other members of a request: functions and their calling, formats, thinking, ranges.
//!
//! Sources: <https://ai.google.dev/api/caching#FunctionDeclaration> (names),
//! <https://ai.google.dev/api/generate-content#generationconfig> (formats, ranges),
//! <https://ai.google.dev/gemini-api/docs/thinking> (a level or a budget).

use std::collections::HashSet;

use serde_json::Value;

use super::Findings;
use crate::fake_provider::gemini::{get, items, text};

pub(super) fn check(request: &Value, findings: &mut Findings) {
    functions(request, findings);
    let Some(config) = get(request, "generationConfig") else { return };
    for (name, most) in [("temperature", 2.0), ("topP", 1.0)] {
        let number = get(config, name).and_then(Value::as_f64);
        if number.is_some_and(|number| !(0.0..=most).contains(&number)) {
            findings.invalid(format!(
                "* GenerateContentRequest.generation_config.{name}: {name} must be in the range [0.0, {most:.1}]."
            ));
        }
    }
    if items(config, "stopSequences").len() > 5 {
        findings.invalid("* GenerateContentRequest.generation_config.stop_sequences: at most 5 are taken.");
    }
    let schemas = ["responseSchema", "responseJsonSchema"].map(|name| get(config, name));
    if schemas.iter().all(Option::is_some) {
        findings.invalid("Only one of response_schema and response_json_schema may be set.");
    }
    let kind = text(config, "responseMimeType").unwrap_or("text/plain");
    if schemas.iter().any(Option::is_some) && !matches!(kind, "application/json" | "text/x.enum") {
        findings.invalid(format!(
            "Unsupported response mime type: response schema needs application/json, not {kind}"
        ));
    }
    if let Some(thinking) = get(config, "thinkingConfig")
        && get(thinking, "thinkingBudget").is_some()
        && get(thinking, "thinkingLevel").is_some()
    {
        findings.invalid("You can only set only one of thinking budget and thinking level.");
    }
}

fn functions(request: &Value, findings: &mut Findings) {
    let declared = items(request, "tools").iter().flat_map(|tool| items(tool, "functionDeclarations"));
    let mut names = HashSet::new();
    for function in declared {
        let name = text(function, "name").unwrap_or_default();
        if !named(name) {
            findings.invalid(
                "Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), \
                 underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.",
            );
        }
        if !names.insert(name) {
            findings.invalid(format!("Duplicate function declaration found: {name}"));
        }
        if get(function, "parameters").is_some() && get(function, "parametersJsonSchema").is_some() {
            findings.invalid("Only one of parameters and parameters_json_schema may be set.");
        }
    }
    let calling = get(request, "toolConfig").and_then(|config| get(config, "functionCallingConfig"));
    let Some(calling) = calling else { return };
    let mode = text(calling, "mode").unwrap_or("AUTO");
    if mode == "ANY" && names.is_empty() {
        findings.invalid("Function calling config is set without function_declarations.");
    }
    let allowed = items(calling, "allowedFunctionNames");
    if !allowed.is_empty() && !matches!(mode, "ANY" | "VALIDATED") {
        findings.invalid("Allowed function names should only be set when the function calling mode is ANY.");
    }
    for name in allowed.iter().filter_map(Value::as_str).filter(|name| !names.contains(name)) {
        findings.invalid(format!("Allowed function name {name} is not declared."));
    }
}

fn named(name: &str) -> bool {
    let first = name.bytes().next();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    name.len() <= 64
        && first.is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(known)
}
