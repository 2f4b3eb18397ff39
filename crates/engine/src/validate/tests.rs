//! What holds and what does not, and which schemas are refused before anybody is asked.

#![expect(
    clippy::disallowed_methods,
    reason = "schemas are made with `json!`, which calls `to_value` on literals: nothing is lost"
)]

use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{Choice, Finish, FinishReason, Part, PartKind, ToolCall, ToolCallKind};
use trunkline_wire::codec_for;
use trunkline_wire::recast::LossPolicy;

use super::*;

fn of_schema(schema: &Value) -> Check {
    let schema = Schema::compile(&schema.to_string()).unwrap();
    Check { retries_max: 0, schema: Some(schema), format: StructuredFormat::JsonSchema }
}

fn person() -> Check {
    of_schema(&json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "age": { "type": "integer" } },
        "required": ["name", "age"],
        "additionalProperties": false
    }))
}

fn said(parts: Vec<Part>, reason: FinishReason) -> Choice {
    let finish = Some(Finish { reason, raw: "x".into(), stop_sequence: None });
    Choice { parts, finish, ..Choice::default() }
}

fn says(text: &str) -> ChatResponse {
    ChatResponse {
        choices: vec![said(vec![Part::text(text)], FinishReason::Stop)],
        ..ChatResponse::default()
    }
}

fn place(check: &Check, text: &str) -> String {
    check.response(&says(text)).unwrap_err().0.to_string()
}

fn problem(schema: &Value) -> String {
    let problem = Schema::compile(&schema.to_string()).err().unwrap();
    problem.of("response_format").message.into_owned()
}

#[test]
fn a_document_holds_or_the_keyword_is_named_where_it_does_not() {
    let check = person();
    assert_eq!(check.response(&says(r#" {"name":"Ada","age":36} "#)), Ok(Verdict::Valid));
    assert_eq!(place(&check, r#"{"name":"Ada","age":"36"}"#), "at /properties/age/type");
    assert_eq!(place(&check, r#"{"name":"Ada"}"#), "at /required");
    assert_eq!(place(&check, r#"{"name":"Ada","age":1,"canary":1}"#), "at /additionalProperties");
    for text in ["", "sorry", "```json\n{\"name\":\"Ada\",\"age\":36}\n```", r#"{"name":"Ada","age":3"#] {
        assert_eq!(place(&check, text), "not a JSON document", "{text}");
    }
}

#[test]
fn several_parts_are_one_document_and_every_choice_must_hold() {
    let parts = vec![Part::text(r#"{"name":"Ada","#), Part::text(r#""age":36}"#)];
    let whole = said(parts, FinishReason::Stop);
    let mut response = ChatResponse { choices: vec![whole], ..ChatResponse::default() };
    assert_eq!(person().response(&response), Ok(Verdict::Valid));
    let second = Choice { index: 1, ..said(vec![Part::text("{}")], FinishReason::Stop) };
    response.choices.push(second);
    assert_eq!(person().response(&response).unwrap_err().0.to_string(), "at /required");
}

#[test]
fn what_says_itself_that_it_is_no_document_passes_as_that() {
    let text = || vec![Part::text("half a docu")];
    let call =
        ToolCall { id: "1".into(), name: "f".into(), kind: ToolCallKind::Function, arguments: "{".into() };
    let cases = [
        (said(vec![PartKind::ToolCall(call).into()], FinishReason::ToolCalls), Verdict::ToolCalls),
        (said(vec![PartKind::Refusal("no".into()).into()], FinishReason::Stop), Verdict::Refusal),
        (said(text(), FinishReason::Refusal), Verdict::Refusal),
        (said(text(), FinishReason::ContentFilter), Verdict::Refusal),
        (said(text(), FinishReason::Length), Verdict::Truncated),
        (said(text(), FinishReason::ContextWindow), Verdict::Truncated),
        (said(text(), FinishReason::Pause), Verdict::Unfinished),
    ];
    for (choice, verdict) in cases {
        let response = ChatResponse { choices: vec![choice.clone()], ..ChatResponse::default() };
        assert_eq!(person().response(&response), Ok(verdict));
        // It excuses itself alone.
        let other = Choice { index: 1, ..said(text(), FinishReason::Stop) };
        let response = ChatResponse { choices: vec![choice, other], ..ChatResponse::default() };
        assert!(person().response(&response).is_err(), "{verdict:?}");
    }
    assert!(person().response(&ChatResponse::default()).is_err(), "nothing is no document");
}

#[test]
fn any_json_will_do_where_no_schema_is_given() {
    let check = Check { retries_max: 0, schema: None, format: StructuredFormat::JsonObject };
    assert_eq!(check.response(&says("{\"a\": [1, 2]}")), Ok(Verdict::Valid));
    assert_eq!(place(&check, "{\"a\": [1, 2}"), "not a JSON document");
    assert_eq!(place(&check, &format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX))), "longer than 1048576 bytes");
}

#[test]
fn schemas_follow_references_into_themselves_and_nowhere_else() {
    let tree = of_schema(&json!({
        "$ref": "#/$defs/a%20node",
        "$defs": { "a node": {
            "type": "object", "required": ["value"],
            "properties": { "value": { "type": "integer" }, "next": { "$ref": "#/$defs/a%20node" } }
        } }
    }));
    assert_eq!(tree.response(&says(r#"{"value":1,"next":{"value":2}}"#)), Ok(Verdict::Valid));
    assert!(tree.response(&says(r#"{"value":1,"next":{"value":"2"}}"#)).is_err());
    let elsewhere = [
        "https://example.com/schema.json",
        "file:///etc/passwd",
        "other.json#/a",
        "#/$defs/nobody",
        "#anchor",
    ];
    for reference in elsewhere {
        let message = problem(&json!({ "properties": { "a": { "items": { "$ref": reference } } } }));
        assert!(message.contains("at `/properties/a/items/$ref`: only references into"), "{message}");
    }
    // A property of that name is no reference.
    let named = of_schema(&json!({ "properties": { "$ref": { "type": "string" }, "$id": true } }));
    assert_eq!(named.response(&says(r#"{"$ref":"https://example.com"}"#)), Ok(Verdict::Valid));
}

#[test]
fn a_schema_that_is_none_is_refused_with_its_place() {
    let cases = [
        (json!({ "properties": { "a": { "type": "strng" } } }), "`/properties/a/type`"),
        (json!({ "properties": { "a": { "pattern": "(?=x)y" } } }), "`/properties/a/pattern`"),
        (json!({ "patternProperties": { "(x)\\1": true } }), "`/patternProperties/(x)\\1`"),
        (json!({ "pattern": "(\\w{900}){900}" }), "`/pattern`"),
        (json!({ "properties": { "a": { "$id": "https://a.example/b" } } }), "`/properties/a/$id`"),
        (json!({ "items": { "$dynamicRef": "#node" } }), "`/items/$dynamicRef`"),
        (json!({ "$schema": "http://json-schema.org/draft-04/schema#" }), "`/$schema`"),
        (json!({ "$schema": "https://example.com/mine" }), "its root"),
        (json!(5), "its root"),
    ];
    for (schema, place) in cases {
        let message = problem(&schema);
        assert!(message.contains(&format!("at {place}: ")), "{place}: {message}");
        assert!(message.contains("response_format"), "{message}");
    }
}

#[test]
fn schemas_have_a_size_a_depth_and_a_number_of_patterns() {
    let long = json!({ "description": "x".repeat(128 << 10) });
    assert!(problem(&long).contains("longer than 131072 bytes"));
    let deep = format!("{}{}", "{\"not\":".repeat(5_000), "{}".to_owned() + &"}".repeat(5_000));
    assert!(Schema::compile(&deep).is_err());
    let many: serde_json::Map<_, _> =
        (0..129).map(|at| (format!("p{at}"), json!({ "pattern": "x" }))).collect();
    assert!(problem(&json!({ "properties": many })).contains("more than 128 patterns"));
}

/// `levels` schemas each of which leads twice to the next.
fn doubling(levels: u32, way: &dyn Fn(&str) -> Value) -> Value {
    let mut defs: serde_json::Map<_, _> =
        (0..levels).map(|at| (format!("a{at}"), way(&format!("#/$defs/a{}", at + 1)))).collect();
    defs.insert(format!("a{levels}"), json!({ "type": "string" }));
    json!({ "$defs": defs, "$ref": "#/$defs/a0" })
}

#[test]
fn a_schema_that_leads_astray_is_given_up_within_bounds() {
    let twice = |next: &str| json!({ "allOf": [{ "$ref": next }, { "$ref": next }] });
    let either = |next: &str| json!({ "anyOf": [{ "$ref": next, "minLength": 9 }, { "$ref": next }] });
    let rest = |next: &str| json!({ "properties": { "x": { "$ref": next } }, "unevaluatedProperties": { "$ref": next } });
    let too_much = "too much work to check: the schema follows too many ways at once";
    for schema in [doubling(64, &twice), doubling(64, &either)] {
        assert_eq!(place(&of_schema(&schema), "\"word\""), too_much);
    }
    let nested = format!("{}1{}", "{\"x\":".repeat(100), "}".repeat(100));
    assert_eq!(place(&of_schema(&doubling(110, &rest)), &nested), too_much);
    for circle in [json!({ "$ref": "#" }), json!({ "anyOf": [{ "not": { "$ref": "#" } }, true] })] {
        assert_eq!(place(&of_schema(&circle), "1"), too_much);
    }
    // What a document has many of, and a schema many rules for.
    let rules: Vec<_> = (0..1_000).map(|least| json!({ "minimum": -least })).collect();
    let numbers = format!("[{}1]", "1,".repeat(1_000));
    assert_eq!(place(&of_schema(&json!({ "items": { "allOf": rules } })), &numbers), too_much);
}

#[test]
fn what_people_write_is_far_from_the_bounds() {
    let member = json!({ "type": "object", "properties": {
        "sku": { "type": "string", "pattern": "^[A-Z]{3}-\\d+$" }, "price": { "type": "number", "minimum": 0 },
        "kind": { "anyOf": [{ "type": "null" }, { "enum": ["a", "b", "c"] }] }
    }, "required": ["sku", "price", "kind"], "additionalProperties": false });
    let order = json!({ "type": "object", "properties": { "items": { "type": "array", "items": member } } });
    let one = json!({ "sku": "ABC-1", "price": 1.5, "kind": "b" });
    let many = json!({ "items": vec![one; 2_000] }).to_string();
    assert_eq!(of_schema(&order).response(&says(&many)), Ok(Verdict::Valid));
}

#[test]
fn as_deep_as_a_check_may_go_the_stack_holds() {
    // Every schema within itself, as deep as a document can be read.
    let schema =
        json!({ "properties": { "x": { "allOf": [{ "$ref": "#" }] } }, "additionalProperties": false });
    let deep = |levels| format!("{}{{}}{}", "{\"x\":".repeat(levels), "}".repeat(levels));
    let check = of_schema(&schema);
    assert_eq!(check.response(&says(&deep(120))), Ok(Verdict::Valid));
    assert_eq!(place(&check, &deep(200)), "not a JSON document");
}

fn delivery(validation: Option<u8>) -> Delivery {
    let heartbeat = std::time::Duration::from_secs(10);
    Delivery { losses: LossPolicy::default(), annotate: false, heartbeat, resume: false, validation }
}

fn asked(dialect: Dialect, body: &str) -> Result<Option<StructuredFormat>, String> {
    let codec = codec_for(dialect);
    let envelope = Envelope::parse(body.to_owned().into()).unwrap();
    let skim = codec.skim(&envelope).unwrap();
    let check = Check::of((codec, codec.operation()), (&envelope, &skim), &delivery(Some(1)));
    check
        .map(|check| check.map(|check| check.format))
        .map_err(|error| error.param.unwrap_or_default().into_owned())
}

#[test]
fn every_dialects_form_of_answer_is_read_whatever_the_rest_of_the_body_is() {
    use Dialect::{AnthropicMessages, GeminiGenerate, OpenaiChat, OpenaiResponses};
    let schema = r#"{"type":"object","properties":{"age":{"type":"integer"}}}"#;
    let google = r#"{"type":"OBJECT","properties":{"age":{"type":"INTEGER","nullable":true}}}"#;
    let mixed = r#"{"type":"OBJECT","properties":{"age":{"type":"integer"}}}"#;
    let of_schema = [
        (
            OpenaiChat,
            format!(
                r#"{{"messages":[],"response_format":{{"type":"json_schema","json_schema":{{"name":"x","schema":{schema}}}}}}}"#
            ),
        ),
        (
            OpenaiResponses,
            format!(
                r#"{{"input":"x","previous_response_id":"resp_1","text":{{"format":{{"type":"json_schema","name":"x","schema":{schema}}}}}}}"#
            ),
        ),
        (
            AnthropicMessages,
            format!(
                r#"{{"messages":[],"output_config":{{"effort":"low","format":{{"type":"json_schema","schema":{schema}}}}}}}"#
            ),
        ),
        (
            AnthropicMessages,
            format!(r#"{{"messages":[],"output_format":{{"type":"json_schema","schema":{schema}}}}}"#),
        ),
        (
            GeminiGenerate,
            format!(
                r#"{{"contents":[],"generationConfig":{{"responseMimeType":"application/json","responseJsonSchema":{schema}}}}}"#
            ),
        ),
        (
            GeminiGenerate,
            format!(
                r#"{{"contents":[],"generation_config":{{"response_mime_type":"application/json","response_schema":{google}}}}}"#
            ),
        ),
        (GeminiGenerate, format!(r#"{{"contents":[],"generationConfig":{{"responseSchema":{mixed}}}}}"#)),
    ];
    for (dialect, body) in of_schema {
        assert_eq!(asked(dialect, &body), Ok(Some(StructuredFormat::JsonSchema)), "{body}");
    }
}

#[test]
fn any_json_text_and_forms_nobody_knows_are_told_apart() {
    use Dialect::{AnthropicMessages, GeminiGenerate, OpenaiChat, OpenaiResponses};
    let any = [
        (OpenaiChat, r#"{"messages":[],"response_format":{"type":"json_object"}}"#),
        (OpenaiResponses, r#"{"input":"x","text":{"format":{"type":"json_object"}}}"#),
        (GeminiGenerate, r#"{"contents":[],"generationConfig":{"responseMimeType":"application/json"}}"#),
    ];
    for (dialect, body) in any {
        assert_eq!(asked(dialect, body), Ok(Some(StructuredFormat::JsonObject)), "{body}");
    }
    let none = [
        (OpenaiChat, r#"{"messages":[],"response_format":{"type":"text"}}"#),
        (OpenaiResponses, r#"{"input":"x","text":{"verbosity":"low"}}"#),
        (AnthropicMessages, r#"{"messages":[],"output_config":{"effort":"low"}}"#),
        (GeminiGenerate, r#"{"contents":[],"generationConfig":{"temperature":1}}"#),
    ];
    for (dialect, body) in none {
        assert_eq!(asked(dialect, body), Ok(None), "{body}");
    }
    // A schema in a form that is not understood is not passed over.
    let odd = [
        (
            OpenaiChat,
            r#"{"messages":[],"response_format":{"type":"json_schema","schema":{}}}"#,
            "response_format",
        ),
        (AnthropicMessages, r#"{"messages":[],"output_format":{"type":"json"}}"#, "output_format"),
        (
            GeminiGenerate,
            r#"{"contents":[],"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}}}"#,
            "generationConfig.responseSchema",
        ),
    ];
    for (dialect, body, field) in odd {
        assert_eq!(asked(dialect, body), Err(field.to_owned()), "{body}");
    }
}
