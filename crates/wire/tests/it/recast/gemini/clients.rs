//! What Google's clients and models do that no other dialect expects, each named after its symptom.

use super::*;

#[test]
fn a_validated_choice_of_tools_is_served_elsewhere_without_the_schema_and_says_so() {
    let asked = |calling: Value| {
        json!({
            "contents": [{ "role": "user", "parts": [{ "text": "Hello" }] }],
            "tools": [{ "functionDeclarations": [{ "name": "f" }] }],
            "toolConfig": { "functionCallingConfig": calling },
        })
    };
    for calling in
        [json!({ "mode": "VALIDATED" }), json!({ "mode": "VALIDATED", "allowedFunctionNames": [] })]
    {
        for (to, auto) in [
            (CHAT, json!("auto")),
            (Dialect::OpenaiResponses, json!("auto")),
            (MESSAGES, json!({ "type": "auto" })),
        ] {
            let (body, losses) = translate(GEMINI, to, &asked(calling.clone()));
            assert_eq!(body["tool_choice"], auto, "{to:?}");
            let path = "toolConfig.functionCallingConfig".to_owned();
            assert_eq!(losses, [(path, Subject::Other, LossKind::Dropped)], "{to:?}");
        }
        let (body, losses) = translate(GEMINI, GEMINI, &asked(calling.clone()));
        assert_eq!(body["toolConfig"], json!({ "functionCallingConfig": calling }));
        assert!(losses.is_empty(), "{losses:?}");
    }
    let unknown = asked(json!({ "mode": "VALIDATED", "x_future": 1 }));
    let (_, losses) = translate(GEMINI, CHAT, &unknown);
    assert_eq!(losses, [("tool_choice".to_owned(), Subject::Tools, LossKind::Dropped)]);
}

#[test]
fn gemini_3_refused_the_tool_calls_of_a_conversation_another_model_began() {
    let call = |id: &str| json!({ "type": "tool_use", "id": id, "name": "f", "input": {} });
    let body = |model: &str| {
        json!({ "model": model, "max_tokens": 9, "messages": [
            { "role": "user", "content": "a" },
            { "role": "assistant", "content": [{ "type": "text", "text": "b" }, call("c1"), call("c2")] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "c1" }, { "type": "tool_result", "tool_use_id": "c2" },
            ] },
        ] })
    };
    let signatures = |model: &str| {
        let (body, losses) = translate(MESSAGES, GEMINI, &body(model));
        assert_eq!(losses, []);
        let parts = body["contents"][1]["parts"].as_array().unwrap();
        parts.iter().map(|part| part["thoughtSignature"].clone()).collect::<Vec<_>>()
    };
    // Of calls at once, the first is signed; up to Gemini 2.5 nobody looks.
    assert_eq!(signatures("gemini-3-pro"), [Value::Null, json!(UNSIGNED), Value::Null]);
    assert_eq!(signatures("gemini-2.5-pro"), [Value::Null, Value::Null, Value::Null]);
    let own = json!({ "contents": [{ "role": "model", "parts": [
        { "functionCall": { "name": "f", "args": {} }, "thoughtSignature": UNSIGNED },
    ] }] });
    let request = decode_request(GEMINI, own.to_string().as_bytes());
    assert_eq!(request.turns[0].parts[0].signature, None, "it says that there is none");
    assert_eq!(translate(GEMINI, GEMINI, &own).0, own);
}

#[test]
fn bytes_of_googles_python_client_were_no_base64_for_other_providers() {
    let body = json!({ "contents": [{ "role": "user", "parts": [
        { "inlineData": { "mimeType": "image/png", "data": "-_8_" } },
    ] }] });
    let (messages, _) = translate(GEMINI, MESSAGES, &body);
    assert_eq!(messages["messages"][0]["content"][0]["source"]["data"], "+/8/");
    let (chat, _) = translate(GEMINI, CHAT, &body);
    assert_eq!(chat["messages"][0]["content"][0]["image_url"]["url"], "data:image/png;base64,+/8/");
}

#[test]
fn anthropic_refused_the_empty_text_a_stream_of_gemini_ends_in() {
    let body = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "a" }] },
        { "role": "model", "parts": [{ "text": "b" }, { "text": "" }] },
        { "role": "user", "parts": [{ "text": "c" }] },
        { "role": "model", "parts": [{ "text": "d" }, { "text": "", "thoughtSignature": "c2ln" }] },
    ] });
    let (messages, losses) = translate(GEMINI, MESSAGES, &body);
    assert_eq!(messages["messages"][1]["content"], "b");
    assert_eq!(messages["messages"][3]["content"], "d");
    let signature = ("turns[3].parts[1]".to_owned(), Subject::State, LossKind::Dropped);
    assert!(losses.contains(&signature), "{losses:?}");
}
