//! What a request of another dialect becomes in Bedrock's, for each family of models, and what it loses.

use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    ChatRequest, Minted, Minter, Part, PartKind, Reasoning, Role, Thinking, Thought, Turn,
};
use trunkline_wire::codec::{LossKind, Subject};
use trunkline_wire::recast::{EncodeTarget, Losses};

use super::bedrock::CONVERSE;
use super::cohere::{CHAT, Lost, MESSAGES, lost};
use super::{TOLERANT, codec, decode_request, encode_request, json};

/// Claudes that think by budget and by effort.
const BY_BUDGET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const BY_EFFORT: &str = "anthropic.claude-opus-4-8";

/// A request of another dialect, written for a model of Bedrock's.
fn translate(from: Dialect, model: &str, body: &Value) -> (Value, Lost) {
    let mut request = decode_request(from, body.to_string().as_bytes());
    request.model = model.into();
    let (bytes, losses) = encode_request(CONVERSE, &request, &TOLERANT);
    (json(&bytes), lost(&losses))
}

fn chat(more: Value) -> Value {
    super::generate::merged(json!({ "model": "m", "messages": [{ "role": "user", "content": "Q" }] }), more)
}

fn adapted(path: &str, subject: Subject) -> (String, Subject, LossKind) {
    (path.to_owned(), subject, LossKind::Adapted)
}

fn dropped(path: &str, subject: Subject) -> (String, Subject, LossKind) {
    (path.to_owned(), subject, LossKind::Dropped)
}

/// A request of OpenAI's with most of what it has.
fn of_openai() -> Value {
    let function = |name: &str| json!({ "type": "function", "function": { "name": name, "parameters": { "type": "object" }, "strict": true } });
    json!({
        "model": "m", "max_completion_tokens": 9, "top_p": 1, "temperature": 1.5, "stop": "x", "user": "u", "seed": 1,
        "tools": [function("f"), { "type": "function", "function": { "name": "g", "description": "" } }],
        "parallel_tool_calls": false, "service_tier": "flex", "metadata": { "team": "a" },
        "response_format": { "type": "json_schema", "json_schema": { "name": "n", "strict": true, "schema": { "type": "object" } } },
        "messages": [
            { "role": "system", "content": "a" }, { "role": "developer", "content": "b" },
            { "role": "user", "content": [
                { "type": "text", "text": "See" }, { "type": "text", "text": "" }, { "type": "text", "text": " \n" },
                { "type": "image_url", "image_url": { "url": "data:image/jpg;base64,AAAA", "detail": "low" } },
                { "type": "file", "file": { "filename": "a_b.pdf", "file_data": "data:application/pdf;base64,AAAA" } },
            ] },
            { "role": "user", "content": "and this" },
            { "role": "assistant", "content": "", "tool_calls": [
                { "id": "call#1", "type": "function", "function": { "name": "f", "arguments": "{\"a\": 1" } },
                { "id": "c2", "type": "function", "function": { "name": "g", "arguments": "" } },
            ] },
            { "role": "tool", "tool_call_id": "call#1", "content": "one" },
            { "role": "tool", "tool_call_id": "c2", "content": "two" },
            { "role": "user", "content": "Well?" },
            { "role": "system", "content": "late" },
        ],
    })
}

#[test]
fn a_request_of_openai_becomes_one_of_bedrock() {
    let (body, losses) = translate(CHAT, BY_BUDGET, &of_openai());
    assert_eq!(
        body,
        json!({
            "system": [{ "text": "a" }, { "text": "b" }],
            "toolConfig": { "tools": [
                { "toolSpec": { "name": "f", "inputSchema": { "json": { "type": "object" } }, "strict": true } },
                { "toolSpec": { "name": "g", "inputSchema": { "json": { "type": "object", "properties": {} } } } },
            ] },
            "messages": [
                { "role": "user", "content": [
                    { "text": "See" },
                    { "image": { "format": "jpeg", "source": { "bytes": "AAAA" } } },
                    { "document": { "format": "pdf", "name": "a-b-pdf", "source": { "bytes": "AAAA" } } },
                    { "text": "and this" },
                ] },
                { "role": "assistant", "content": [
                    { "toolUse": { "toolUseId": "call_1", "name": "f", "input": { "arguments": "{\"a\": 1" } } },
                    { "toolUse": { "toolUseId": "c2", "name": "g", "input": {} } },
                ] },
                { "role": "user", "content": [
                    { "toolResult": { "toolUseId": "call_1", "content": [{ "text": "one" }] } },
                    { "toolResult": { "toolUseId": "c2", "content": [{ "text": "two" }] } },
                    { "text": "Well?" },
                    { "text": "late" },
                ] },
            ],
            "inferenceConfig": { "maxTokens": 9, "temperature": 1, "stopSequences": ["x"] },
            "additionalModelRequestFields": { "tool_choice": { "type": "auto", "disable_parallel_tool_use": true } },
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
            "outputConfig": { "textFormat": { "type": "json_schema", "structure": { "jsonSchema": { "schema": "{\"type\":\"object\"}", "name": "n" } } } },
            "requestMetadata": { "team": "a" },
            "serviceTier": { "type": "flex" },
        })
    );
    assert_eq!(
        losses,
        [
            adapted("turns[2].parts[2]", Subject::Content),
            adapted("turns[7]", Subject::Content),
            dropped("turns[2].parts[3].detail", Subject::Other),
            adapted("turns[2].parts[4].name", Subject::Other),
            adapted("turns[4].parts[0].arguments", Subject::Tools),
            adapted("temperature", Subject::Sampling),
            dropped("top_p", Subject::Sampling),
            dropped("seed", Subject::Sampling),
            dropped("user", Subject::Labels),
        ]
    );
}

#[test]
fn which_stop_sequence_ended_an_answer_is_asked_of_claude_only() {
    let asks = |model: &str, more: Value| {
        translate(CHAT, model, &chat(more)).0["additionalModelResponseFieldPaths"].clone()
    };
    let stops = || json!({ "stop": ["x"] });
    assert_eq!(asks(BY_BUDGET, stops()), json!(["/stop_sequence"]));
    assert_eq!(asks(BY_BUDGET, json!({})), Value::Null);
    assert_eq!(asks("us.amazon.nova-pro-v1:0", stops()), Value::Null);
}

#[test]
fn a_request_of_anthropic_becomes_one_of_bedrock() {
    let mark = json!({ "type": "ephemeral", "ttl": "1h" });
    let (body, losses) = translate(
        MESSAGES,
        BY_EFFORT,
        &json!({
            "model": "m", "max_tokens": 100, "top_k": 5, "thinking": { "type": "adaptive" }, "output_config": { "effort": "high" },
            "system": [{ "type": "text", "text": "S", "cache_control": mark }],
            "tools": [{ "name": "f", "input_schema": {}, "cache_control": { "type": "ephemeral" } }], "tool_choice": { "type": "any", "disable_parallel_tool_use": true },
            "messages": [
                { "role": "user", "content": [
                    { "type": "document", "title": "T", "context": "c", "citations": { "enabled": true }, "source": { "type": "text", "media_type": "text/plain", "data": "words" } },
                    { "type": "document", "source": { "type": "url", "url": "https://a.test/a.pdf" } },
                    { "type": "image", "source": { "type": "url", "url": "https://a.test/a.png" } },
                    { "type": "text", "text": "Q", "cache_control": mark },
                ] },
                { "role": "assistant", "content": [
                    { "type": "thinking", "thinking": "hm", "signature": "c2ln" },
                    { "type": "text", "text": "a", "citations": [{ "type": "char_location", "cited_text": "c", "document_index": 0, "document_title": "T", "start_char_index": 0, "end_char_index": 1 }] },
                    { "type": "tool_use", "id": "t", "name": "f", "input": { "a": 1 } },
                ] },
                { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "is_error": true, "content": [{ "type": "image", "source": { "type": "base64", "media_type": "image/gif", "data": "AAAA" } }] }] },
                { "role": "system", "content": "late" },
            ],
        }),
    );
    assert_eq!(
        body,
        json!({
            "system": [{ "text": "S" }, { "cachePoint": { "type": "default", "ttl": "1h" } }],
            "toolConfig": { "tools": [{ "toolSpec": { "name": "f", "inputSchema": { "json": {} } } }, { "cachePoint": { "type": "default" } }], "toolChoice": { "any": {} } },
            "messages": [
                { "role": "user", "content": [
                    { "document": { "format": "txt", "name": "T", "source": { "text": "words" }, "context": "c", "citations": { "enabled": true } } },
                    { "text": "Q" }, { "cachePoint": { "type": "default", "ttl": "1h" } },
                ] },
                { "role": "assistant", "content": [{ "text": "a" }, { "toolUse": { "toolUseId": "t", "name": "f", "input": { "a": 1 } } }] },
                { "role": "user", "content": [{ "toolResult": { "toolUseId": "t", "content": [{ "image": { "format": "gif", "source": { "bytes": "AAAA" } } }], "status": "error" } }] },
                { "role": "system", "content": [{ "text": "late" }] },
            ],
            "inferenceConfig": { "maxTokens": 100 },
            "additionalModelRequestFields": { "thinking": { "type": "adaptive" }, "tool_choice": { "disable_parallel_tool_use": true } },
            "outputConfig": { "effort": "high" },
        })
    );
    assert_eq!(
        losses,
        [
            dropped("turns[1].parts[1]", Subject::Content),
            dropped("turns[1].parts[2]", Subject::Content),
            dropped("turns[2].parts[0]", Subject::State),
            dropped("turns[2].parts[1].citations", Subject::State),
            dropped("top_k", Subject::Sampling),
        ]
    );
}

/// What is said to a model that is asked to think: its own fields, the dialect's effort, and what is lost.
fn thinking_of(model: &str, effort: &str, more: Value) -> (Value, Value, Vec<String>) {
    let body = super::generate::merged(chat(json!({ "reasoning_effort": effort })), more);
    let (body, losses) = translate(CHAT, model, &body);
    let losses = losses.into_iter().map(|(path, _, _)| path).collect();
    let said = |path: &str| body.pointer(path).cloned().unwrap_or_default();
    (said("/additionalModelRequestFields"), said("/outputConfig/effort"), losses)
}

#[test]
fn each_family_is_told_in_its_own_way_how_much_to_think() {
    const NOVA: &str = "amazon.nova-2-lite-v1:0";
    const PROFILE: &str = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x";
    let cap = |cap: u64| json!({ "max_completion_tokens": cap });
    let nova =
        |effort: &str| json!({ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": effort } });
    let budget = json!({ "thinking": { "type": "enabled", "budget_tokens": 2000 } });
    let (free, none) = (json!({}), Value::Null);
    let lost: &[&str] = &["reasoning"];
    let changed: &[&str] = &["reasoning.effort"];
    for (model, effort, more, fields, said, losses) in [
        (BY_BUDGET, "medium", cap(4000), budget, &none, changed),
        (BY_BUDGET, "none", cap(4000), json!({ "thinking": { "type": "disabled" } }), &none, &[]),
        (
            BY_EFFORT,
            "xhigh",
            free.clone(),
            json!({ "thinking": { "type": "adaptive" } }),
            &json!("xhigh"),
            &[],
        ),
        (NOVA, "high", free.clone(), nova("high"), &none, &[]),
        (NOVA, "high", cap(9), nova("medium"), &none, changed),
        (NOVA, "none", free.clone(), json!({ "reasoningConfig": { "type": "disabled" } }), &none, &[]),
        ("amazon.nova-pro-v1:0", "low", free.clone(), none.clone(), &none, lost),
        (
            "openai.gpt-oss-120b-1:0",
            "xhigh",
            free.clone(),
            json!({ "reasoning_effort": "high" }),
            &none,
            changed,
        ),
        ("us.openai.gpt-5.2", "low", free.clone(), json!({ "reasoning": { "effort": "low" } }), &none, &[]),
        ("us.deepseek.r1-v1:0", "low", free.clone(), none.clone(), &none, lost),
        ("us.deepseek.r1-v1:0", "none", free.clone(), none.clone(), &none, &[]),
        (PROFILE, "minimal", free.clone(), none.clone(), &json!("low"), changed),
    ] {
        let is = thinking_of(model, effort, more);
        let expected = (fields, said.clone(), losses.iter().map(ToString::to_string).collect());
        assert_eq!(is, expected, "{model} {effort}");
    }
}

#[test]
fn a_model_that_takes_an_effort_is_told_one() {
    let thinks = |thinking, budget_tokens| {
        let reasoning = Reasoning { thinking, budget_tokens, ..Reasoning::default() };
        let mut request = ChatRequest { model: "openai.gpt-oss-20b-1:0".into(), ..ChatRequest::default() };
        request.reasoning = Some(reasoning);
        request.sampling.output_max = Some(1000);
        json(&encode_request(CONVERSE, &request, &TOLERANT).0)["additionalModelRequestFields"]["reasoning_effort"].clone()
    };
    assert_eq!(thinks(Some(Thinking::Enabled), None), "medium");
    assert_eq!(thinks(Some(Thinking::Enabled), Some(800)), "high");
    assert_eq!(thinks(Some(Thinking::Disabled), Some(800)), "low");
}

#[test]
fn what_a_model_does_not_take_is_left_out_by_name() {
    let marked = json!({ "model": "m", "max_tokens": 9, "top_k": 5, "messages": [{ "role": "user", "content": [{ "type": "text", "text": "Q", "cache_control": { "type": "ephemeral" } }] }] });
    for (model, caches, fields) in [
        ("meta.llama3-3-70b-instruct-v1:0", false, Value::Null),
        ("amazon.nova-lite-v1:0", true, json!({ "inferenceConfig": { "topK": 5 } })),
        (BY_BUDGET, true, json!({ "top_k": 5 })),
    ] {
        let (body, losses) = translate(MESSAGES, model, &marked);
        assert_eq!(body["messages"][0]["content"].as_array().unwrap().len(), if caches { 2 } else { 1 });
        assert_eq!(body["additionalModelRequestFields"], fields, "{model}");
        let expected =
            [dropped("turns[0].parts[0].cache", Subject::Cache), dropped("top_k", Subject::Sampling)];
        assert_eq!(losses, if caches { &[] } else { &expected[..] });
    }
    let body = chat(json!({ "temperature": 0.5, "top_p": 0.5 }));
    let (written, losses) = translate(CHAT, BY_EFFORT, &body);
    assert_eq!(written["inferenceConfig"], Value::Null);
    assert_eq!(losses, [dropped("temperature", Subject::Sampling), dropped("top_p", Subject::Sampling)]);
    let (written, losses) = translate(CHAT, "meta.llama", &body);
    assert_eq!((&written["inferenceConfig"], losses), (&json!({ "temperature": 0.5, "topP": 0.5 }), vec![]));
    let tool = json!({ "type": "function", "function": { "name": "f" } });
    let body = chat(json!({ "tools": [tool], "parallel_tool_calls": false }));
    assert_eq!(translate(CHAT, "meta.llama", &body).1, [dropped("parallel_tool_calls", Subject::Tools)]);
    let body = chat(
        json!({ "parallel_tool_calls": false, "tool_choice": "auto", "service_tier": "scale", "metadata": { "a": "\u{e9}" }, "response_format": { "type": "json_object" } }),
    );
    let (written, losses) = translate(CHAT, BY_EFFORT, &body);
    assert_eq!(written, json!({ "messages": [{ "role": "user", "content": [{ "text": "Q" }] }] }));
    assert_eq!(
        losses,
        [
            dropped("output.format", Subject::Schema),
            dropped("metadata", Subject::Labels),
            dropped("service_tier", Subject::Labels)
        ]
    );
}

#[test]
fn a_choice_the_dialect_lacks_is_a_choice_of_tools() {
    let function = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let tools = json!([function("f"), function("g")]);
    let (body, losses) = translate(CHAT, "", &chat(json!({ "tools": tools, "tool_choice": "none" })));
    assert_eq!((&body["toolConfig"], losses), (&Value::Null, vec![adapted("tool_choice", Subject::Tools)]));
    let allowed =
        json!({ "type": "allowed_tools", "allowed_tools": { "mode": "required", "tools": [function("g")] } });
    let (body, losses) = translate(CHAT, "", &chat(json!({ "tools": tools, "tool_choice": allowed })));
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body["toolConfig"]["toolChoice"], json!({ "any": {} }));
    assert_eq!(losses, [adapted("tool_choice", Subject::Tools)]);
    let called = json!({ "model": "m", "tools": tools, "tool_choice": "none", "messages": [
        { "role": "user", "content": "Q" },
        { "role": "assistant", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
        { "role": "tool", "tool_call_id": "c", "content": "a" },
    ] });
    let (body, losses) = translate(CHAT, "", &called);
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 2);
    assert_eq!(losses, [adapted("tool_choice", Subject::Tools)]);
    let (body, losses) = translate(CHAT, "", &chat(json!({ "tools": tools, "tool_choice": function("g") })));
    assert_eq!((&body["toolConfig"]["toolChoice"], losses), (&json!({ "tool": { "name": "g" } }), vec![]));
}

#[test]
fn an_unknown_field_is_one_named_loss_elsewhere() {
    let body = json!({
        "x_request": 1, "x_null": null, "guardrailConfig": {}, "inferenceConfig": { "x_inference": 1 },
        "toolConfig": { "tools": [{ "x_tool": 1, "toolSpec": { "name": "f", "inputSchema": { "json": {} } } }] },
        "additionalModelRequestFields": { "thinking": { "type": "enabled", "budget_tokens": 1024, "x_thinking": 1 } },
        "messages": [{ "role": "user", "x_turn": 1, "content": [{ "text": "a", "x_part": 1 }, { "image": { "format": "png", "x_image": 1, "source": { "bytes": "AAAA" } } }] }],
    });
    let request = decode_request(CONVERSE, body.to_string().as_bytes());
    let (_, losses) = encode_request(CHAT, &request, &TOLERANT);
    let losses = lost(&losses);
    for path in [
        "x_request",
        "guardrailConfig",
        "inferenceConfig.x_inference",
        "tools[0].x_tool",
        "reasoning.x_thinking",
        "turns[0].x_turn",
        "turns[0].parts[0].x_part",
        "turns[0].parts[1].image.x_image",
    ] {
        assert_eq!(losses.iter().filter(|(lost, _, _)| lost == path).count(), 1, "{path} in {losses:?}");
    }
    let body = json!({ "model": "m", "x_request": 1, "messages": [{ "role": "user", "x_turn": 1, "content": "a" }] });
    let (_, losses) = translate(CHAT, "", &body);
    assert_eq!(losses, [dropped("turns[0].x_turn", Subject::Other), dropped("x_request", Subject::Other)]);
}

#[test]
fn a_signature_goes_back_to_its_maker_only() {
    let minter = |account: &str| Minter::Account(account.into());
    let signed = |dialect, by| {
        let thought = Thought { text: vec!["hm".into()], ..Thought::default() };
        let state = Minted { by, ..Minted::unknown(dialect, "c2ln".into()) };
        Part { signature: Some(state), ..PartKind::Reasoning(thought).into() }
    };
    for (part, taken) in [
        (signed(MESSAGES, Some(Minter::Model("acme/m".into()))), true),
        (signed(CONVERSE, None), true),
        (signed(CONVERSE, Some(minter("a"))), true),
        (signed(CONVERSE, Some(minter("b"))), false),
        (signed(MESSAGES, None), false),
    ] {
        let by = part.signature.as_ref().and_then(|state| state.by.clone());
        let maker = by.filter(|by| matches!(by, Minter::Model(_))).unwrap_or_else(|| minter("a"));
        let turns = vec![Turn::new(Role::Assistant, vec![part, Part::text("a")])];
        let request = ChatRequest { turns, ..ChatRequest::default() };
        let target = EncodeTarget {
            model: BY_BUDGET,
            quirks: &TOLERANT,
            stream: true,
            output_cap: Some(7),
            output_max: Some(9),
            minter: Some(&maker),
        };
        let mut losses = Losses::default();
        let body = json(&codec(CONVERSE).encode_request(&request, &target, &mut losses).unwrap());
        let thinking = &body["messages"][0]["content"][0]["reasoningContent"]["reasoningText"];
        assert_eq!(thinking["signature"] == "c2ln", taken);
        assert_eq!(losses.is_empty(), taken);
        assert_eq!(body["inferenceConfig"], json!({ "maxTokens": 7 }));
    }
}

#[test]
fn a_cap_of_the_holds_takes_the_place_of_a_null() {
    let body = json!({ "inferenceConfig": null, "messages": [] });
    let mut request = decode_request(CONVERSE, body.to_string().as_bytes());
    for field in [json!(null), json!({ "maxTokens": null })] {
        let body = json!({ "inferenceConfig": field, "messages": [] });
        request.extras = decode_request(CONVERSE, body.to_string().as_bytes()).extras;
        request.sampling.output_max = Some(5);
        let (bytes, _) = encode_request(CONVERSE, &request, &TOLERANT);
        assert_eq!(bytes, r#"{"messages":[],"inferenceConfig":{"maxTokens":5}}"#);
    }
}

#[test]
fn ids_are_what_the_dialect_takes() {
    let long = format!("call_{}", "x".repeat(70));
    let call = |id: &str| json!({ "role": "assistant", "tool_calls": [{ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } }] });
    let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": "a" });
    let (body, _) = translate(
        CHAT,
        "",
        &json!({ "model": "m", "messages": [call(&long), result(&long), call("a|b"), result("a|b")] }),
    );
    let id = |at: usize, kind: &str| {
        body["messages"][at]["content"][0][kind]["toolUseId"].as_str().unwrap().to_owned()
    };
    assert_eq!(id(0, "toolUse"), "x".repeat(64));
    assert_eq!(id(0, "toolUse"), id(1, "toolResult"));
    assert_eq!((id(2, "toolUse"), id(3, "toolResult")), ("a_b".to_owned(), "a_b".to_owned()));
}
