//! What Bedrock refuses.

use std::collections::HashSet;

use http::Method;
use serde_json::{Map, Value};

use super::answer::ConverseAsked;
use super::shapes::CONVERSE;
use super::{error, named, signed};
use crate::fake_provider::findings::{self, Said, Verdict};
use crate::fake_provider::headers::improper;
use crate::fake_provider::seal::{self, Purpose};
use crate::fake_provider::shape::{self, Kind, Problem, Reading, Step, Wrong};
use crate::fake_provider::{Arrived, Setup};

/// The headers of this API that a gateway sends of its own.
const PROPER: &[&str] = &["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

type Findings = findings::Findings<Said>;

/// How this API refuses.
trait Refuse {
    fn invalid(&mut self, message: impl Into<String>);
}

impl Refuse for Findings {
    fn invalid(&mut self, message: impl Into<String>) {
        let message = message.into();
        let said = error(400, &message);
        self.add(message, said);
    }
}

/// Judges a request: what it asks, or why it is refused.
pub(crate) fn judge(setup: &Setup, arrived: &Arrived) -> Verdict {
    let mut findings = Findings::default();
    if let Some(said) = signed::wrong(setup, arrived) {
        findings.add(said.body.clone(), said);
    }
    for found in improper(setup, arrived, PROPER) {
        findings.invalid(found);
    }
    let path = arrived.path.strip_prefix("/model/").and_then(|path| path.split_once('/'));
    let asked = match (path, &arrived.method) {
        (Some((model, "converse")), &Method::POST) => converse(setup, arrived, (model, false), &mut findings),
        (Some((model, "converse-stream")), &Method::POST) => {
            converse(setup, arrived, (model, true), &mut findings)
        }
        _ => {
            let said = named(404, "UnknownOperationException", "");
            findings.add(format!("unknown path {}", arrived.path), said);
            None
        }
    };
    findings.verdict(asked, || error(400, "The request could not be read."))
}

fn converse(
    setup: &Setup,
    arrived: &Arrived,
    (model, stream): (&str, bool),
    findings: &mut Findings,
) -> Option<ConverseAsked> {
    let model = decoded(model);
    if !setup.models.is_empty() && !setup.models.contains(&model) {
        findings.invalid("The provided model identifier is invalid.");
    }
    let twice = |name: &str| {
        let message = format!("Duplicate field '{name}'");
        (message.clone(), named(400, "SerializationException", &message))
    };
    let Some(body) = findings.members(setup, &arrived.body, twice) else {
        findings.add("the body is no object", named(400, "SerializationException", "Unexpected token"));
        return None;
    };
    for problem in shape::check(&body, &CONVERSE, Reading::Exact) {
        wrong(&problem, findings);
    }
    if findings.error.is_some() {
        return None;
    }
    messages(&body, findings);
    rules(&body, findings);
    Some(ConverseAsked::read(model, &body, stream))
}

/// A path's segment without its escapes.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = segment_byte(after).filter(|_| *first == b'%');
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn segment_byte(after: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(after.get(..2)?).ok()?, 16).ok()
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The ids of a message's blocks of a kind.
fn ids<'a>(message: &'a Value, kind: &str) -> Vec<&'a str> {
    let blocks = items(message, "content").iter().filter_map(|block| block.get(kind));
    blocks.filter_map(|block| block.get("toolUseId")?.as_str()).collect()
}

/// Turns alternate from a user's, nothing is blank, calls have their results in the next turn, thoughts are as they were.
fn messages(body: &Map<String, Value>, findings: &mut Findings) {
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let role = |message: &Value| message["role"].as_str().unwrap_or_default().to_owned();
    if messages.first().is_none_or(|first| role(first) != "user") {
        findings.invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        );
    }
    let before = std::iter::once(None).chain(messages.iter().map(Some));
    for (index, (before, message)) in before.zip(messages).enumerate() {
        if before.is_some_and(|before| role(before) == role(message)) {
            findings.invalid(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates \
                 between user and assistant roles and try again.",
            );
        }
        if items(message, "content").is_empty() {
            findings.invalid(format!(
                "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the \
                 content field and try again."
            ));
        }
        for (place, block) in items(message, "content").iter().enumerate() {
            one_block(&format!("messages.{index}.content.{place}"), block, findings);
        }
        let calls = before.map(|before| ids(before, "toolUse")).unwrap_or_default();
        let results = ids(message, "toolResult");
        let open: Vec<&str> = calls.iter().filter(|id| !results.contains(id)).copied().collect();
        if !open.is_empty() {
            let ids = open.join(", ");
            findings.invalid(format!(
                "Expected toolResult blocks at messages.{index}.content for the following Ids: {ids}"
            ));
        }
        if results.len() > calls.len() {
            findings.invalid(format!(
                "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of \
                 previous turn."
            ));
        }
    }
    if let Some(last) = messages.last().filter(|last| !ids(last, "toolUse").is_empty()) {
        let ids = ids(last, "toolUse").join(", ");
        let next = messages.len();
        findings.invalid(format!(
            "Expected toolResult blocks at messages.{next}.content for the following Ids: {ids}"
        ));
    }
}

fn one_block(at: &str, block: &Value, findings: &mut Findings) {
    if block.get("text").and_then(Value::as_str).is_some_and(|text| text.trim().is_empty()) {
        findings.invalid(format!(
            "The text field in the ContentBlock object at {at} is blank. Add text to the text field, and try again."
        ));
    }
    for pointer in ["/image/source/bytes", "/document/source/bytes"] {
        let bytes = block.pointer(pointer).and_then(Value::as_str);
        if bytes.is_some_and(|bytes| bytes.is_empty() || seal::bytes(bytes).is_none()) {
            findings.invalid(format!("Invalid base64 at {at}{}", pointer.replace('/', ".")));
        }
    }
    let thought = block.pointer("/reasoningContent/reasoningText");
    let signed = |thought: &Value| seal::open(Purpose::Bedrock, thought.get("signature")?.as_str()?);
    // As Anthropic has it: a thought may come back without its text.
    let as_said = |thought: &Value| {
        let text = thought["text"].as_str().unwrap_or_default();
        signed(thought).is_some_and(|signed| text.is_empty() || text == signed)
    };
    if thought.is_some_and(|thought| !as_said(thought)) {
        findings.invalid(format!(
            "The model returned the following errors: {at}.thinking: Invalid `signature` in `thinking` block"
        ));
    }
}

fn rules(body: &Map<String, Value>, findings: &mut Findings) {
    let config = body.get("toolConfig");
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let uses =
        |message: &Value| !ids(message, "toolUse").is_empty() || !ids(message, "toolResult").is_empty();
    if config.is_none() && messages.into_iter().any(uses) {
        findings.invalid(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        );
    }
    let mut names = HashSet::new();
    for tool in config.map(|config| items(config, "tools")).unwrap_or_default() {
        let Some(name) = tool.pointer("/toolSpec/name").and_then(Value::as_str) else { continue };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            constraint(
                "toolConfig.tools.1.member.toolSpec.name",
                name,
                "satisfy regular expression pattern: [a-zA-Z0-9_-]+",
                findings,
            );
        }
        if !names.insert(name) {
            findings.invalid(format!("The toolConfig field contains the duplicate tool name {name}."));
        }
    }
    if config.is_some_and(|config| items(config, "tools").is_empty()) {
        constraint("toolConfig.tools", "[]", "have length greater than or equal to 1", findings);
    }
    let wanted = config.and_then(|config| config.pointer("/toolChoice/tool/name")?.as_str());
    if let Some(wanted) = wanted.filter(|wanted| !names.contains(wanted)) {
        findings
            .invalid(format!("The toolChoice field names the tool {wanted}, which is not in toolConfig."));
    }
    let thinks = body.get("additionalModelRequestFields").and_then(|fields| fields.pointer("/thinking/type"));
    let forced =
        config.and_then(|config| config.get("toolChoice")).is_some_and(|choice| choice.get("auto").is_none());
    if thinks.is_some_and(|thinks| thinks == "enabled") && forced {
        findings.invalid(
            "The model returned the following errors: Thinking may not be enabled when tool_choice forces tool use.",
        );
    }
    for name in ["temperature", "topP"] {
        let number = body.get("inferenceConfig").and_then(|config| config.get(name)?.as_f64());
        if let Some(number) = number.filter(|number| !(0.0..=1.0).contains(number)) {
            let bound = if number < 0.0 { "greater than or equal to 0" } else { "less than or equal to 1" };
            let number = number.to_string();
            constraint(&format!("inferenceConfig.{name}"), &number, &format!("have value {bound}"), findings);
        }
    }
}

fn constraint(at: &str, value: &str, must: &str, findings: &mut Findings) {
    findings.invalid(format!(
        "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: Member must {must}"
    ));
}

/// Says what is wrong with a body's shape.
fn wrong(problem: &Problem, findings: &mut Findings) {
    let steps = problem.path.iter().map(|step| match step {
        Step::Member(name) => name.clone(),
        Step::Index(index) => format!("{}.member", index + 1),
        Step::Tag(name) => (*name).to_owned(),
    });
    let path = steps.collect::<Vec<_>>().join(".");
    match &problem.wrong {
        Wrong::Unknown(name) => findings.invalid(format!(
            "Malformed input request: #{}: extraneous key [{name}] is not permitted, please reformat your input and try \
             again.",
            if path.is_empty() { String::new() } else { format!("/{path}") }
        )),
        Wrong::Missing(name) => {
            let dot = if path.is_empty() { "" } else { "." };
            findings.invalid(format!(
                "1 validation error detected: Value null at '{path}{dot}{name}' failed to satisfy constraint: Member must \
                 not be null"
            ));
        }
        Wrong::Value(Kind::Choice(words), Value::String(word)) => {
            let must = format!("satisfy enum value set: [{}]", words.join(", "));
            constraint(&path, word, &must, findings);
        }
        Wrong::Value(Kind::Whole(least, _), value @ Value::Number(_)) => {
            let must = format!("have value greater than or equal to {least}");
            constraint(&path, &value.to_string(), &must, findings);
        }
        Wrong::Value(Kind::OneOf(_), Value::Object(_)) => {
            findings.invalid(format!("Invalid union at '{path}': exactly one member must be set"));
        }
        Wrong::Value(_, value) => {
            let kind = shape::type_of(value).to_ascii_uppercase();
            let message = format!("{kind}_VALUE can not be converted at '{path}'");
            findings.add(message.clone(), named(400, "SerializationException", &message));
        }
    }
}
