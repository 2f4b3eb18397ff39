//! Gemini's dialect: the laws on made-up requests and answers, requests that are none, streams that are none, and what a
//! translation from and to OpenAI's and Anthropic's dialect says and loses by name.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    ChatRequest, FinishReason, Minted, Minter, PartKind, Role, StreamEvent, fold, unfold,
};
use trunkline_wire::codec::{AnswerFacts, AnswerProblem, ErrorWords, LossKind, Skim, Subject};
use trunkline_wire::codec_for;
use trunkline_wire::frame::Frame;
use trunkline_wire::framing::sse::SseFramer;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{EncodeTarget, Frames, Losses, StreamRecast};

use super::{
    Case, Ending, TOLERANT, assert_sequential, bare, bare_response, caller, codec, decode_request,
    encode_request, events, gemini_generate as generate, identity, json, stream,
};

mod clients;

const GEMINI: Dialect = Dialect::GeminiGenerate;
const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

/// What Google takes for the signature of a call that never had one.
const UNSIGNED: &str = "skip_thought_signature_validator";

type Lost = Vec<(String, Subject, LossKind)>;

fn lost(losses: &Losses) -> Lost {
    losses.as_slice().iter().map(|loss| (loss.path.to_string(), loss.subject, loss.kind)).collect()
}

fn translate(from: Dialect, to: Dialect, body: &Value) -> (Value, Lost) {
    let request = decode_request(from, body.to_string().as_bytes());
    let (bytes, losses) = encode_request(to, &request, &TOLERANT);
    (json(&bytes), lost(&losses))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_request_comes_back_as_it_was_written(written in generate::request()) {
        let request = decode_request(GEMINI, written.to_string().as_bytes());
        let (again, losses) = encode_request(GEMINI, &request, &TOLERANT);
        prop_assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), written);
        prop_assert!(losses.is_empty(), "{:?}", losses);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(GEMINI, written.to_string().as_bytes()));
        // What only its own spelling carries is left out: it cannot be said in general terms.
        request.reasoning = None;
        request.turns.retain(|turn| !turn.parts.is_empty());
        let mut at = 1;
        while at < request.turns.len() {
            let same = |role| request.turns[at].role == role && request.turns[at - 1].role == role;
            if same(Role::Tool) { request.turns.remove(at); } else { at += 1; }
        }
        let (bytes, losses) = encode_request(GEMINI, &request, &TOLERANT);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        prop_assert_eq!(bare(decode_request(GEMINI, &bytes)), request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(GEMINI).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest::default();
        let mut losses = Losses::default();
        let buffered = codec(GEMINI).encode_response(&response, &identity(&response, &request), &mut losses);
        let buffered = codec(GEMINI).decode_response(&buffered, &TOLERANT).unwrap();
        let (bytes, more) = stream(GEMINI, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty(), "{:?} {:?}", losses, more);
        let (read, ending) = events(GEMINI, &TOLERANT, bytes.chunks(size));
        prop_assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
        prop_assert_eq!(&bare_response(fold(read)), &bare_response(buffered));
        prop_assert_eq!(bare_response(response.clone()), bare_response(fold(unfold(response))));
    }

    #[test]
    fn nothing_makes_a_decoder_panic(written in generate::request(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = written.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(envelope) = trunkline_wire::envelope::Envelope::parse(bytes.clone().into()) {
            drop(codec_for(GEMINI).skim(&envelope));
            if let Ok(request) = codec(GEMINI).decode_request(&envelope) {
                encode_request(GEMINI, &request, &Quirks::REFERENCE);
                encode_request(CHAT, &request, &Quirks::REFERENCE);
            }
        }
        let whole = [b"data: ", bytes.as_slice(), b"\n\n"].concat();
        assert_sequential(&events(GEMINI, &TOLERANT, [whole.as_slice()]).0);
    }

    #[test]
    fn a_damaged_answer_makes_no_decoder_panic(written in generate::response(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = written.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        drop(codec_for(GEMINI).read_answer(&bytes, &TOLERANT));
        if let Ok(response) = codec(GEMINI).decode_response(&bytes, &TOLERANT) {
            let request = ChatRequest::default();
            codec(GEMINI).encode_response(&response, &identity(&response, &request), &mut Losses::default());
        }
    }
}

#[test]
fn both_spellings_of_a_member_say_the_same() {
    let camel = json!({
        "systemInstruction": { "parts": [{ "text": "s" }] },
        "contents": [
            { "parts": [{ "inlineData": { "mimeType": "image/png", "data": "AA" } }] },
            { "role": "model", "parts": [{ "functionCall": { "name": "f" }, "thoughtSignature": "c2ln" }] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "f", "response": {} } }] },
        ],
        "tools": [{ "functionDeclarations": [{ "name": "f", "parametersJsonSchema": {} }] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["f"] } },
        "generationConfig": { "maxOutputTokens": 5, "thinkingConfig": { "thinkingBudget": 9, "includeThoughts": true } },
        "safetySettings": [], "cachedContent": "c",
    });
    let mut snake = camel.to_string();
    for name in [
        "systemInstruction",
        "inlineData",
        "mimeType",
        "functionCall",
        "thoughtSignature",
        "functionResponse",
        "functionDeclarations",
        "parametersJsonSchema",
        "toolConfig",
        "functionCallingConfig",
        "allowedFunctionNames",
        "generationConfig",
        "maxOutputTokens",
        "thinkingConfig",
        "thinkingBudget",
        "includeThoughts",
        "safetySettings",
        "cachedContent",
    ] {
        let spelled: String = name
            .chars()
            .flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()]))
            .collect();
        snake = snake.replace(&format!("\"{name}\""), &format!("\"{spelled}\""));
    }
    assert!(snake.contains("function_calling_config") && !snake.contains("Config"));
    let (camel, snake) = (camel.to_string(), snake);
    // The order of unknown fields is the caller's; everything else is the same.
    assert_eq!(
        bare(decode_request(GEMINI, camel.as_bytes())),
        bare(decode_request(GEMINI, snake.as_bytes()))
    );
    let skim = |body: &str| codec_for(GEMINI).skim(&super::super::envelope(body)).unwrap();
    let (camel, snake) = (skim(&camel), skim(&snake));
    assert_eq!(
        (camel.output_max, camel.needs, camel.inline_media),
        (snake.output_max, snake.needs, snake.inline_media)
    );
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    for (body, field) in [
        (r"{}", "contents"),
        (r#"{"contents":{}}"#, "contents"),
        (r#"{"contents":[{"parts":[]},{"parts":5}]}"#, "contents[1]"),
        (r#"{"contents":[{"role":"system","parts":[]}]}"#, "contents[0].role"),
        (
            r#"{"contents":[{"role":"model","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#,
            "contents[0].parts",
        ),
        (r#"{"contents":[],"systemInstruction":"s"}"#, "systemInstruction"),
        (r#"{"contents":[],"system_instruction":"s"}"#, "system_instruction"),
        (r#"{"contents":[],"tools":{}}"#, "tools"),
        (r#"{"contents":[],"generationConfig":[]}"#, "generationConfig"),
        (r#"{"contents":[],"generationConfig":{"temperature":"hot"}}"#, "generationConfig.temperature"),
        (r#"{"contents":[],"generationConfig":{"maxOutputTokens":-1}}"#, "generationConfig.maxOutputTokens"),
        (r#"{"contents":[],"toolConfig":{},"tool_config":{}}"#, "tool_config"),
    ] {
        let error = codec(GEMINI).decode_request(&super::super::envelope(body)).expect_err(body);
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field) && !error.message.contains("line"), "{}", error.message);
    }
}

#[test]
fn a_request_of_openai_becomes_one_of_gemini() {
    let call = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
    let (body, losses) = translate(
        CHAT,
        GEMINI,
        &json!({
            "model": "gemini-3-flash",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "developer", "content": "Be kind." },
                { "role": "user", "content": [
                    { "type": "text", "text": "See" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                    { "type": "image_url", "image_url": { "url": "https://a.test/b.jpg?x" } },
                    { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB" } },
                ] },
                { "role": "assistant", "content": "", "tool_calls": [call("c1", "{\"a\": 1}"), call("c2", ""), call("c3", "not JSON")] },
                { "role": "tool", "tool_call_id": "c1", "content": "{\"t\": 1}" },
                { "role": "tool", "tool_call_id": "c2", "content": "two" },
                { "role": "tool", "tool_call_id": "c3", "content": "{\"output\": \"x\"}" },
                { "role": "user", "content": "Go on" },
            ],
            "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }],
            "tool_choice": "required",
            "stop": "x", "temperature": 1.5, "max_tokens": 99, "seed": 7, "n": 1, "user": "u",
            "reasoning_effort": "medium", "stream": true, "stream_options": { "include_usage": true },
            "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": { "type": "object" } } },
        }),
    );
    assert_eq!(
        body,
        json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }, { "text": "Be kind." }] },
            "tools": [{ "functionDeclarations": [{ "name": "f", "parametersJsonSchema": { "type": "object" } }] }],
            "toolConfig": { "functionCallingConfig": { "mode": "ANY" } },
            "contents": [
                { "role": "user", "parts": [
                    { "text": "See" },
                    { "inlineData": { "mimeType": "image/png", "data": "AAAA" } },
                    { "fileData": { "mimeType": "image/jpeg", "fileUri": "https://a.test/b.jpg?x" } },
                    { "inlineData": { "mimeType": "application/pdf", "data": "BBBB", "displayName": "a.pdf" } },
                ] },
                { "role": "model", "parts": [
                    { "functionCall": { "id": "c1", "name": "f", "args": { "a": 1 } }, "thoughtSignature": UNSIGNED },
                    { "functionCall": { "id": "c2", "name": "f", "args": {} } },
                    { "functionCall": { "id": "c3", "name": "f", "args": { "arguments": "not JSON" } } },
                ] },
                { "role": "user", "parts": [
                    { "functionResponse": { "id": "c1", "name": "f", "response": { "t": 1 } } },
                    { "functionResponse": { "id": "c2", "name": "f", "response": { "output": "two" } } },
                    { "functionResponse": { "id": "c3", "name": "f", "response": { "output": "{\"output\": \"x\"}" } } },
                    { "text": "Go on" },
                ] },
            ],
            "generationConfig": {
                "temperature": 1.5, "candidateCount": 1, "maxOutputTokens": 99, "stopSequences": ["x"], "seed": 7,
                "responseMimeType": "application/json", "responseJsonSchema": { "type": "object" },
                "thinkingConfig": { "includeThoughts": true, "thinkingLevel": "MEDIUM" },
            },
        })
    );
    assert_eq!(
        losses,
        [
            ("turns[3].parts[2].arguments".to_owned(), Subject::Tools, LossKind::Adapted),
            ("output.format.name".to_owned(), Subject::Other, LossKind::Dropped),
            ("user".to_owned(), Subject::Labels, LossKind::Dropped),
        ]
    );
}

#[test]
fn a_request_of_gemini_becomes_one_of_openai() {
    let (body, losses) = translate(
        GEMINI,
        CHAT,
        &json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "contents": [
                { "role": "user", "parts": [{ "text": "See" }] },
                { "role": "model", "parts": [
                    { "text": "Now" },
                    { "functionCall": { "name": "f", "args": { "a": 1 } } },
                    { "functionCall": { "name": "f", "args": { "a": 2 } } },
                ] },
                { "role": "user", "parts": [
                    { "functionResponse": { "name": "f", "response": { "result": "one" } } },
                    { "functionResponse": { "name": "f", "response": { "t": 2 } } },
                    { "text": "Go on" },
                ] },
            ],
            "tools": [{ "functionDeclarations": [{ "name": "f", "parameters": { "type": "OBJECT", "properties": { "a": { "type": "NUMBER", "nullable": true } } } }] }],
            "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["f"] } },
            "generationConfig": { "maxOutputTokens": 9, "stopSequences": ["x"], "temperature": 0.5 },
            "safetySettings": [{ "category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE" }],
        }),
    );
    let expected_messages = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": "See" },
        { "role": "assistant", "content": "Now", "tool_calls": [
            { "id": "call_1_1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } },
            { "id": "call_1_2", "type": "function", "function": { "name": "f", "arguments": "{\"a\":2}" } },
        ] },
        { "role": "tool", "tool_call_id": "call_1_1", "content": "one" },
        { "role": "tool", "tool_call_id": "call_1_2", "content": "{\"t\":2}" },
        { "role": "user", "content": "Go on" },
    ]);
    assert_eq!(body["messages"], expected_messages);
    assert_eq!(
        body["tools"][0]["function"]["parameters"],
        json!({ "type": "object", "properties": { "a": { "type": ["number", "null"] } } })
    );
    assert_eq!(body["tool_choice"], json!({ "type": "function", "function": { "name": "f" } }));
    assert_eq!((&body["stop"], &body["temperature"]), (&json!(["x"]), &json!(0.5)));
    assert_eq!(losses, [("safetySettings".to_owned(), Subject::Other, LossKind::Dropped)]);
}

#[test]
fn an_unknown_field_is_one_named_loss_elsewhere() {
    let (_, losses) = translate(
        GEMINI,
        CHAT,
        &json!({
            "contents": [{ "parts": [{ "text": "a", "x_part": 1 }], "x_turn": 1 }],
            "tools": [{ "functionDeclarations": [{ "name": "f", "x_tool": 1 }] }],
            "toolConfig": { "x_config": 1 }, "generationConfig": { "x_config": 1, "thinkingConfig": { "x_thinking": 1 } },
            "x_request": 1, "x_null": null,
        }),
    );
    let mut paths: Vec<&str> = losses.iter().map(|(path, _, _)| path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "generationConfig.x_config",
            "reasoning.x_thinking",
            "toolConfig.x_config",
            "tools[0].x_tool",
            "turns[0].parts[0].x_part",
            "turns[0].x_turn",
            "x_request",
        ]
    );
    let (_, losses) = translate(CHAT, GEMINI, &json!({ "model": "m", "messages": [], "x_request": 1 }));
    assert_eq!(losses, [("x_request".to_owned(), Subject::Other, LossKind::Dropped)]);
    let search = json!({ "contents": [], "tools": [{ "googleSearch": {} }] });
    let (_, losses) = translate(GEMINI, CHAT, &search);
    assert_eq!(losses, [("tools[0]".to_owned(), Subject::Tools, LossKind::Dropped)]);
}

#[test]
fn thinking_is_asked_for_in_the_way_the_model_takes() {
    let ask = |model: &str, effort: &str| {
        let body = json!({ "model": model, "messages": [], "reasoning_effort": effort, "max_completion_tokens": 10_000 });
        let (body, losses) = translate(CHAT, GEMINI, &body);
        (body["generationConfig"]["thinkingConfig"].clone(), losses.len())
    };
    assert_eq!(
        ask("gemini-2.5-flash", "low"),
        (json!({ "includeThoughts": true, "thinkingBudget": 2000 }), 1)
    );
    assert_eq!(ask("gemini-2.5-flash", "none"), (json!({ "thinkingBudget": 0 }), 0));
    assert_eq!(ask("gemini-2.5-pro", "none"), (json!({ "thinkingBudget": 128 }), 1));
    assert_eq!(ask("gemini-3-flash", "low"), (json!({ "includeThoughts": true, "thinkingLevel": "LOW" }), 0));
    assert_eq!(
        ask("gemini-3-flash", "xhigh"),
        (json!({ "includeThoughts": true, "thinkingLevel": "HIGH" }), 1)
    );
    assert_eq!(ask("gemini-3-flash", "none"), (json!({ "thinkingLevel": "MINIMAL" }), 1));
    assert_eq!(
        ask("gemini-3.8-flash", "minimal"),
        (json!({ "includeThoughts": true, "thinkingLevel": "LOW" }), 1)
    );
    assert_eq!(
        ask("gemini-3-pro", "medium"),
        (json!({ "includeThoughts": true, "thinkingLevel": "HIGH" }), 1)
    );
    let budget = json!({ "model": "m", "max_tokens": 9000, "messages": [], "thinking": { "type": "enabled", "budget_tokens": 2048 } });
    let mut budgeted = budget.clone();
    budgeted["model"] = json!("gemini-2.5-flash");
    assert_eq!(
        translate(MESSAGES, GEMINI, &budgeted).0["generationConfig"]["thinkingConfig"],
        json!({ "includeThoughts": true, "thinkingBudget": 2048 })
    );
    budgeted["thinking"]["display"] = json!("omitted");
    assert_eq!(
        translate(MESSAGES, GEMINI, &budgeted).0["generationConfig"]["thinkingConfig"]["includeThoughts"],
        false
    );
    let own = json!({ "contents": [], "generationConfig": { "thinkingConfig": { "thinkingBudget": 0 } } });
    assert_eq!(translate(GEMINI, GEMINI, &own).0, own);
}

#[test]
fn a_signature_goes_back_to_its_maker_only() {
    let body = json!({ "contents": [{ "role": "model", "parts": [{ "functionCall": { "name": "f", "args": {} }, "thoughtSignature": "c2ln" }] }] });
    let mut request = decode_request(GEMINI, body.to_string().as_bytes());
    let minter = |account: &str| Minter::Account(account.into());
    for state in request.signatures_mut() {
        state.by = Some(minter("a"));
    }
    for (account, sent) in [("a", true), ("b", false)] {
        let minter = minter(account);
        let target = EncodeTarget {
            model: "gemini-3-flash",
            quirks: &TOLERANT,
            stream: false,
            output_cap: Some(7),
            output_max: None,
            minter: Some(&minter),
        };
        let mut losses = Losses::default();
        let bytes = codec(GEMINI).encode_request(&request, &target, &mut losses).unwrap();
        let body = json(&bytes);
        let signature = if sent { "c2ln" } else { UNSIGNED };
        assert_eq!(body["contents"][0]["parts"][0]["thoughtSignature"], signature);
        assert_eq!(body["generationConfig"]["maxOutputTokens"], 7, "the hold's cap");
        assert_eq!(lost(&losses).is_empty(), sent);
    }
    request.turns[0].parts[0].signature = Some(Minted::unknown(MESSAGES, "x".into()));
    let (bytes, losses) = encode_request(GEMINI, &request, &TOLERANT);
    assert_eq!(json(&bytes)["contents"][0]["parts"][0]["thoughtSignature"], UNSIGNED);
    assert_eq!(
        lost(&losses),
        [("turns[0].parts[0].signature".to_owned(), Subject::State, LossKind::Dropped)]
    );
}

fn sse(pieces: &[Value]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| format!("data: {piece}\r\n\r\n").into_bytes()).collect()
}

#[test]
fn an_error_in_mid_stream_ends_it_and_garbage_is_no_answer() {
    let said = json!({ "candidates": [{ "content": { "parts": [{ "text": "a" }] } }] });
    let error = json!({ "error": { "code": 503, "message": "Overloaded", "status": "UNAVAILABLE" } });
    let words = ErrorWords {
        message: Some("Overloaded".into()),
        code: Some("UNAVAILABLE".into()),
        kind: Some("UNAVAILABLE".into()),
        ..ErrorWords::default()
    };
    let (read, ending) = events(GEMINI, &TOLERANT, [sse(&[said.clone(), error]).as_slice()]);
    assert_eq!(ending, Ending::Problem(AnswerProblem::Error(words)));
    assert!(matches!(read.first(), Some(StreamEvent::Start { .. })));
    for garbage in [json!({}), json!([]), json!({ "candidates": 1 }), json!({ "choices": [] })] {
        let (_, ending) = events(GEMINI, &TOLERANT, [sse(&[said.clone(), garbage]).as_slice()]);
        assert_eq!(ending, Ending::Problem(AnswerProblem::Malformed));
    }
    assert_eq!(events(GEMINI, &TOLERANT, [sse(&[said]).as_slice()]).1, Ending::Cut);
}

#[test]
fn a_finish_in_every_chunk_ends_nothing() {
    let chunk = |text: &str| json!({ "candidates": [{ "content": { "parts": [{ "text": text }] }, "finishReason": "STOP" }] });
    let (read, ending) = events(GEMINI, &TOLERANT, [sse(&[chunk("a"), chunk("b")]).as_slice()]);
    assert_eq!(ending, Ending::Complete);
    let answer = fold(read);
    assert!(matches!(&answer.choices[0].parts[0].kind, PartKind::Text { text, .. } if &**text == "ab"));
    assert_eq!(answer.choices[0].finish.as_ref().unwrap().reason, FinishReason::Stop);
}

#[test]
fn a_stream_of_openai_becomes_one_of_gemini() {
    let chunk = |delta: Value, finish: Value| json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
    let call = |arguments: &str, id: Value, name: Value| json!({ "tool_calls": [{ "index": 0, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } }] });
    let frames = [
        chunk(json!({ "role": "assistant", "content": "" }), Value::Null),
        chunk(json!({ "content": "He" }), Value::Null),
        chunk(json!({ "content": "y" }), Value::Null),
        chunk(call("", json!("c1"), json!("f")), Value::Null),
        chunk(call("{\"a\":", Value::Null, Value::Null), Value::Null),
        chunk(call("1}", Value::Null, Value::Null), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 } }),
    ];
    let request = ChatRequest::default();
    let identity =
        trunkline_wire::recast::AnswerIdentity { id: "r", model: "m", created: 1, request: &request };
    let mut recast = StreamRecast::new(codec(CHAT), &TOLERANT, caller(GEMINI), &identity);
    let mut out = Frames::default();
    for frame in frames.iter().map(ToString::to_string).chain(["[DONE]".to_owned()]) {
        recast.frame(&Frame::of_event(format!("data: {frame}\n\n").into()), &mut out);
    }
    let written: Vec<Value> = out
        .take()
        .map(|frame| json(frame.strip_prefix(b"data: ").unwrap().strip_suffix(b"\n\n").unwrap()))
        .collect();
    let part = |part: Value| json!({ "candidates": [{ "content": { "role": "model", "parts": [part] }, "index": 0 }], "modelVersion": "m", "responseId": "r" });
    assert_eq!(
        written,
        [
            part(json!({ "text": "He" })),
            part(json!({ "text": "y" })),
            part(json!({ "functionCall": { "id": "c1", "name": "f", "args": { "a": 1 } } })),
            json!({
                "candidates": [{ "content": { "role": "model", "parts": [{ "text": "" }] }, "finishReason": "STOP", "index": 0 }],
                "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5, "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": 3 }] },
                "modelVersion": "m", "responseId": "r",
            }),
        ]
    );
    assert!(out.losses.is_empty(), "{:?}", out.losses);
}

#[test]
fn a_blocked_prompt_is_a_filtered_answer_elsewhere() {
    let body = br#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3},"modelVersion":"m"}"#;
    let response = codec(GEMINI).decode_response(body, &TOLERANT).unwrap();
    let request = ChatRequest::default();
    let bytes =
        codec(CHAT).encode_response(&response, &identity(&response, &request), &mut Losses::default());
    assert_eq!(json(&bytes)["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn a_stream_is_metered_alike_whether_relayed_or_recast() {
    for case in Case::all("gemini_generate") {
        let Some(bytes) = case.file("response.sse") else { continue };
        let mut cutter = SseFramer::new(1 << 20);
        cutter.push(bytes.into());
        let frames: Vec<Frame> = std::iter::from_fn(|| cutter.next()).map(|frame| frame.unwrap()).collect();
        let mut tap = codec_for(GEMINI).stream_tap(&Skim::default(), &TOLERANT);
        let mut facts = AnswerFacts::default();
        let mut decoder = codec(GEMINI).stream_decoder(&TOLERANT);
        let mut events = Vec::new();
        for frame in &frames {
            assert!(!tap.complete(), "{}", case.name);
            tap.frame(frame);
            decoder.frame(frame, &mut events).unwrap();
        }
        assert!(tap.complete(), "{}", case.name);
        decoder.finish(&mut events).unwrap();
        for event in &events {
            facts.absorb(event);
        }
        // Calls and code count as written here, and without their punctuation there.
        facts.output_bytes = tap.facts().output_bytes;
        assert_eq!(tap.facts(), &facts, "{}", case.name);
        if let Some(body) = case.file("response.json") {
            let buffered = codec_for(GEMINI).read_answer(&body, &TOLERANT).unwrap();
            facts.output_bytes = buffered.output_bytes;
            assert_eq!(buffered, facts, "{}", case.name);
        }
    }
}
