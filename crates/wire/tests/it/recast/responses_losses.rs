//! OpenAI's Responses beside other dialects: what a translation says, and what it loses by name.

use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    CacheMark, ChatRequest, ChatResponse, Choice, Citation, Extras, Finish, FinishReason, Logprobs, Media,
    MediaSource, Minted, Minter, Part, PartKind, RawJson, Reasoning, Role, Speech, StreamEvent, Thinking,
    Thought, TokenLogprob, ToolCall, ToolCallKind, ToolResult, Turn, unfold,
};
use trunkline_wire::codec::{LossKind, Subject};
use trunkline_wire::quirks::{CacheMarks, DeveloperRole, Quirks};
use trunkline_wire::recast::{EncodeTarget, Losses};

use super::{TOLERANT, codec, decode_request, encode_request, identity, json, stream};

const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const RESPONSES: Dialect = Dialect::OpenaiResponses;

type Lost = Vec<(String, Subject, LossKind)>;

fn lost(losses: &Losses) -> Lost {
    losses.as_slice().iter().map(|loss| (loss.path.to_string(), loss.subject, loss.kind)).collect()
}

/// A request of one dialect, written in another one.
fn translate(from: Dialect, to: Dialect, body: &Value) -> (Value, Lost) {
    let request = decode_request(from, body.to_string().as_bytes());
    let (bytes, losses) = encode_request(to, &request, &TOLERANT);
    (json(&bytes), lost(&losses))
}

#[test]
fn a_request_of_chat_becomes_one_of_responses() {
    let call =
        json!({ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"a\": 1}" } });
    let code = json!({ "id": "c2", "type": "custom", "custom": { "name": "code", "input": "1" } });
    let (body, losses) = translate(
        CHAT,
        RESPONSES,
        &json!({
            "model": "gpt",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "developer", "content": "Be kind." },
                { "role": "user", "content": [
                    { "type": "text", "text": "See" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                    { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB" } },
                ] },
                { "role": "assistant", "content": "Now", "tool_calls": [call, code] },
                { "role": "tool", "tool_call_id": "c1", "content": "1" },
                { "role": "tool", "tool_call_id": "c2", "content": [{ "type": "text", "text": "2" }] },
                { "role": "assistant", "content": null, "refusal": "No." },
            ],
            "tools": [
                { "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } },
                { "type": "custom", "custom": { "name": "code", "format": { "type": "grammar", "grammar": { "syntax": "lark", "definition": "start: \"a\"" } } } },
            ],
            "tool_choice": { "type": "function", "function": { "name": "f" } }, "parallel_tool_calls": false,
            "stop": "x", "temperature": 0.5, "max_tokens": 99, "user": "u", "seed": 7, "n": 1, "presence_penalty": 0,
            "logprobs": true, "top_logprobs": 2, "reasoning_effort": "low", "verbosity": "high",
            "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": { "type": "object" } } },
            "stream": true, "stream_options": { "include_usage": true },
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "gpt", "instructions": "Be brief.",
            "tools": [
                { "type": "function", "name": "f", "parameters": { "type": "object" }, "strict": false },
                { "type": "custom", "name": "code", "format": { "type": "grammar", "syntax": "lark", "definition": "start: \"a\"" } },
            ],
            "tool_choice": { "type": "function", "name": "f" }, "parallel_tool_calls": false,
            "input": [
                { "role": "developer", "content": "Be kind." },
                { "role": "user", "content": [
                    { "type": "input_text", "text": "See" },
                    { "type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto" },
                    { "type": "input_file", "file_data": "data:application/pdf;base64,BBBB", "filename": "a.pdf" },
                ] },
                { "role": "assistant", "content": "Now" },
                { "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\": 1}" },
                { "type": "custom_tool_call", "call_id": "c2", "name": "code", "input": "1" },
                { "type": "function_call_output", "call_id": "c1", "output": "1" },
                { "type": "custom_tool_call_output", "call_id": "c2", "output": "2" },
                { "role": "assistant", "content": [{ "type": "refusal", "refusal": "No." }] },
            ],
            "max_output_tokens": 99, "temperature": 0.5, "top_logprobs": 2, "reasoning": { "effort": "low" },
            "text": { "format": { "type": "json_schema", "name": "n", "schema": { "type": "object" } }, "verbosity": "high" },
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
            "user": "u", "store": false, "stream": true,
        })
    );
    let dropped = |path: &str| (path.to_owned(), Subject::Sampling, LossKind::Dropped);
    assert_eq!(losses, [dropped("seed"), dropped("stop")]);
}

#[test]
fn a_request_of_responses_becomes_one_of_chat() {
    let (body, losses) = translate(
        RESPONSES,
        CHAT,
        &json!({
            "model": "m", "instructions": "Be brief.", "max_output_tokens": 99, "background": false, "truncation": "disabled",
            "input": [
                { "role": "user", "content": [{ "type": "input_text", "text": "See" }, { "type": "input_image", "image_url": "https://a.test/a.png", "detail": "low" }] },
                { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{ "type": "output_text", "text": "Now", "annotations": [], "logprobs": [] }] },
                { "type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed" },
                { "type": "function_call", "id": "fc_2", "call_id": "c2", "name": "g", "arguments": "", "status": "completed" },
                { "type": "function_call_output", "call_id": "c1", "output": "1" },
                { "type": "function_call_output", "call_id": "c2", "output": "2" },
                { "role": "user", "content": "Go on" },
            ],
            "tools": [{ "type": "function", "name": "f", "description": "d", "parameters": { "type": "object" }, "strict": true }],
            "tool_choice": "required", "text": { "format": { "type": "json_object" } }, "reasoning": { "effort": "high" },
            "include": ["reasoning.encrypted_content"], "store": false, "stream": true,
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "m", "max_completion_tokens": 99, "store": false, "reasoning_effort": "high", "stream": true,
            "response_format": { "type": "json_object" }, "tool_choice": "required",
            "tools": [{ "type": "function", "function": { "name": "f", "description": "d", "parameters": { "type": "object" }, "strict": true } }],
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": [{ "type": "text", "text": "See" }, { "type": "image_url", "image_url": { "url": "https://a.test/a.png", "detail": "low" } }] },
                { "role": "assistant", "content": "Now", "tool_calls": [
                    { "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{}" } },
                    { "id": "c2", "type": "function", "function": { "name": "g", "arguments": "" } },
                ] },
                { "role": "tool", "tool_call_id": "c1", "content": "1" },
                { "role": "tool", "tool_call_id": "c2", "content": "2" },
                { "role": "user", "content": "Go on" },
            ],
        })
    );
    assert_eq!(losses, [], "ids and states of items name nothing elsewhere");
}

#[test]
fn what_only_the_dialect_knows_is_lost_by_name() {
    let (_, losses) = translate(
        RESPONSES,
        CHAT,
        &json!({
            "model": "m", "x_future": 1, "truncation": "auto", "max_tool_calls": 3, "include": ["file_search_call.results"],
            "tools": [{ "type": "web_search" }], "reasoning": { "effort": "high", "context": "auto" },
            "text": { "format": { "type": "text" }, "x_future": 2 }, "stream_options": { "include_obfuscation": true },
            "input": [
                { "role": "user", "content": "a", "x_future": 3 },
                { "type": "web_search_call", "id": "ws", "status": "completed" },
                { "role": "assistant", "content": [{ "type": "output_text", "text": "b", "x_future": 4 }], "phase": "commentary" },
                { "type": "function_call", "call_id": "c", "name": "f", "arguments": "", "x_future": 5 },
            ],
        }),
    );
    let other = |path: &str| (path.to_owned(), Subject::Other, LossKind::Dropped);
    for expected in [
        other("x_future"),
        other("max_tool_calls"),
        other("truncation"),
        other("include"),
        other("text.x_future"),
        other("reasoning.context"),
        other("turns[0].x_future"),
        other("turns[1].parts[1].x_future"),
        other("turns[1].parts[1].message.phase"),
        other("turns[1].parts[2].x_future"),
        ("tools[0]".to_owned(), Subject::Tools, LossKind::Dropped),
        ("turns[1].parts[0]".to_owned(), Subject::Content, LossKind::Dropped),
    ] {
        assert!(losses.contains(&expected), "{expected:?} of {losses:?}");
    }
    let (_, losses) = translate(
        CHAT,
        RESPONSES,
        &json!({
            "model": "m", "x_future": 1, "top_k": 4, "frequency_penalty": 0.5, "logit_bias": { "1": 2 }, "modalities": ["text", "audio"],
            "messages": [{ "role": "user", "name": "n", "content": [{ "type": "text", "text": "a", "cache_control": { "type": "ephemeral" } }], "x_future": 2 }],
            "tools": [{ "type": "function", "function": { "name": "f", "x_future": 3 } }],
        }),
    );
    let sampling = |path: &str| (path.to_owned(), Subject::Sampling, LossKind::Dropped);
    for expected in [
        other("x_future"),
        other("turns[0].x_future"),
        other("turns[0].name"),
        other("tools[0].function.x_future"),
        sampling("top_k"),
        sampling("frequency_penalty"),
        sampling("logit_bias"),
        ("modalities".to_owned(), Subject::Content, LossKind::Dropped),
        ("turns[0].parts[0].cache".to_owned(), Subject::Cache, LossKind::Dropped),
    ] {
        assert!(losses.contains(&expected), "{expected:?} of {losses:?}");
    }
}

#[test]
fn a_server_is_written_for_as_it_is() {
    let mut instructed = decode_request(
        CHAT,
        br#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"30m"}}]},{"role":"developer","content":"b"}]}"#,
    );
    let quirks = Quirks {
        cache_marks: CacheMarks::Breakpoint,
        developer_role: DeveloperRole::Unknown,
        ..Quirks::REFERENCE
    };
    let (body, losses) = encode_request(RESPONSES, &instructed, &quirks);
    assert_eq!(
        json(&body)["input"],
        json!([
            { "role": "user", "content": [{ "type": "input_text", "text": "a", "prompt_cache_breakpoint": { "mode": "explicit", "ttl": "30m" } }] },
            { "role": "system", "content": "b" },
        ])
    );
    assert!(losses.is_empty());
    let reasoning = |reasoning: Reasoning, request: &mut ChatRequest| {
        request.reasoning = Some(reasoning);
        let (body, losses) = encode_request(RESPONSES, request, &quirks);
        (json(&body)["reasoning"].clone(), lost(&losses))
    };
    let disabled = Reasoning { thinking: Some(Thinking::Disabled), ..Reasoning::default() };
    assert_eq!(reasoning(disabled, &mut instructed), (json!({ "effort": "none" }), vec![]));
    let shown = Reasoning { shown: Some(true), ..Reasoning::default() };
    assert_eq!(reasoning(shown, &mut instructed), (json!({ "summary": "auto" }), vec![]));
    instructed.sampling.output_max = Some(1000);
    let budget = Reasoning { budget_tokens: Some(500), ..Reasoning::default() };
    let adapted = ("reasoning.budget_tokens".to_owned(), Subject::Reasoning, LossKind::Adapted);
    assert_eq!(reasoning(budget, &mut instructed), (json!({ "effort": "medium" }), vec![adapted]));
}

fn thought(text: &str, signature: Option<Minted<trunkline_domain::Text>>) -> Part {
    let thought = Thought { text: vec![text.into()], ..Thought::default() };
    Part { signature, ..Part::new(PartKind::Reasoning(thought)) }
}

#[test]
fn thinking_goes_back_to_who_sealed_it_and_to_nobody_else() {
    let minter = |account: &str| Minter::Account(account.into());
    let sealed = |by: Option<Minter>| Minted { dialect: RESPONSES, by, value: "gA".into() };
    let (ours, theirs) = (minter("ours"), minter("theirs"));
    for (signature, is_sent) in [
        (Some(sealed(Some(ours.clone()))), true),
        (Some(sealed(None)), true),
        (Some(sealed(Some(theirs))), false),
        (Some(Minted::unknown(MESSAGES, "c2ln".into())), false),
        (None, false),
    ] {
        let parts = vec![thought("t", signature), Part::text("a")];
        let turns = vec![Turn::new(Role::Assistant, parts)];
        let request = ChatRequest { turns, ..ChatRequest::default() };
        let target = EncodeTarget {
            model: "m",
            quirks: &TOLERANT,
            stream: false,
            output_cap: None,
            output_max: None,
            minter: Some(&ours),
        };
        let mut losses = Losses::default();
        let body = json(&codec(RESPONSES).encode_request(&request, &target, &mut losses).unwrap());
        let answer = json!({ "role": "assistant", "content": "a" });
        let item = json!({ "type": "reasoning", "id": "rs_0_0", "summary": [], "content": [{ "type": "reasoning_text", "text": "t" }], "encrypted_content": "gA" });
        assert_eq!(body["input"], if is_sent { json!([item, answer]) } else { json!([answer]) });
        let expected = ("turns[0].parts[0]".to_owned(), Subject::State, LossKind::Dropped);
        assert_eq!(lost(&losses), if is_sent { vec![] } else { vec![expected] });
    }
}

fn answer(parts: Vec<Part>) -> ChatResponse {
    let finish = Finish { reason: FinishReason::ToolCalls, raw: "tool_use".into(), stop_sequence: None };
    let choice = Choice { parts, finish: Some(finish), ..Choice::default() };
    ChatResponse { id: "resp_7".into(), model: "m".into(), choices: vec![choice], ..ChatResponse::default() }
}

/// An answer in this dialect, buffered; a stream of it must end with the same and lose the same.
fn written(response: &ChatResponse) -> (Value, Lost) {
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let body = codec(RESPONSES).encode_response(response, &identity(response, &request), &mut losses);
    let (bytes, streamed) = stream(RESPONSES, &unfold(response.clone()), &identity(response, &request));
    let bytes = String::from_utf8(bytes).unwrap();
    let last: Value = serde_json::from_str(bytes.trim_end().rsplit("\ndata: ").next().unwrap()).unwrap();
    assert_eq!(last.get("response"), Some(&json(&body)));
    let sorted = |losses: &Losses| {
        let mut losses = lost(losses);
        losses.sort_by(|a, b| a.0.cmp(&b.0));
        losses
    };
    assert_eq!(sorted(&streamed), sorted(&losses));
    (json(&body), lost(&losses))
}

#[test]
fn a_seal_travels_as_its_maker_wrote_it() {
    let redacted = Thought { redacted: true, ..Thought::default() };
    let redacted = Part {
        signature: Some(Minted::unknown(MESSAGES, "ZGF0YQ==".into())),
        ..Part::new(PartKind::Reasoning(redacted))
    };
    let parts = vec![thought("t", Some(Minted::unknown(MESSAGES, "c2ln".into()))), redacted];
    let (body, losses) = written(&answer(parts));
    assert_eq!(losses, []);
    let seals: Vec<&Value> =
        body["output"].as_array().unwrap().iter().map(|item| &item["encrypted_content"]).collect();
    assert_eq!(seals, ["c2ln", "ZGF0YQ=="]);
    // Where nobody remembers who made it, it is taken for this dialect's own, and goes to no other.
    let echoed = json!({ "model": "m", "max_output_tokens": 9, "input": body["output"] });
    let (_, losses) = translate(RESPONSES, MESSAGES, &echoed);
    assert_eq!(losses.iter().filter(|loss| loss.1 == Subject::State).count(), 2);
    // Where somebody does, it goes back.
    let mut request = decode_request(RESPONSES, echoed.to_string().as_bytes());
    request.signatures_mut().for_each(|seal| seal.dialect = MESSAGES);
    let back = json(&encode_request(MESSAGES, &request, &TOLERANT).0);
    assert_eq!(
        back["messages"][0]["content"][0],
        json!({ "type": "thinking", "thinking": "t", "signature": "c2ln" })
    );
    // It is nothing to this dialect's own servers.
    let (own, losses) = translate(
        CHAT,
        RESPONSES,
        &json!({ "model": "m", "messages": [{ "role": "assistant", "content": "a", "reasoning_details": [{ "type": "reasoning.text", "text": "t", "signature": "c2ln", "format": "anthropic-claude-v1" }] }] }),
    );
    assert_eq!(own["input"], json!([{ "role": "assistant", "content": "a" }]));
    assert_eq!(losses.len(), 1);
}

#[test]
fn items_of_another_providers_answer_get_ids_and_states() {
    let call = |id: &str| {
        let kind = ToolCallKind::Function;
        let call = ToolCall { id: id.into(), name: "f".into(), kind, arguments: "{}".into() };
        Part::new(PartKind::ToolCall(call))
    };
    let (body, losses) = written(&answer(vec![Part::text("a"), Part::text("b"), call("c"), call("")]));
    assert_eq!(
        body["output"],
        json!([
            { "id": "msg_7_0", "type": "message", "status": "completed", "role": "assistant", "content": [
                { "type": "output_text", "text": "a", "annotations": [], "logprobs": [] },
                { "type": "output_text", "text": "b", "annotations": [], "logprobs": [] },
            ] },
            { "id": "fc_7_1", "type": "function_call", "status": "completed", "call_id": "c", "name": "f", "arguments": "{}" },
            { "id": "fc_7_2", "type": "function_call", "status": "completed", "call_id": "call_7_2", "name": "f", "arguments": "{}" },
        ])
    );
    assert_eq!((&body["status"], losses), (&json!("completed"), vec![]));
    for member in
        ["id", "created_at", "model", "object", "output", "parallel_tool_calls", "tool_choice", "tools"]
    {
        assert!(!body[member].is_null(), "the official clients demand {member}");
    }
}

#[test]
fn an_end_is_said_in_the_words_of_the_dialect() {
    let reason = |reason| json!({ "reason": reason });
    for (class, status, details) in [
        (Some(FinishReason::Stop), "completed", Value::Null),
        (Some(FinishReason::StopSequence), "completed", Value::Null),
        (Some(FinishReason::Length), "incomplete", reason("max_output_tokens")),
        (Some(FinishReason::ContextWindow), "incomplete", reason("max_output_tokens")),
        (Some(FinishReason::ContentFilter), "incomplete", reason("content_filter")),
        (Some(FinishReason::Refusal), "incomplete", reason("content_filter")),
        (Some(FinishReason::Other), "incomplete", reason("raw")),
        (Some(FinishReason::Error), "failed", Value::Null),
        (None, "incomplete", Value::Null),
    ] {
        let mut response = answer(vec![Part::text("a")]);
        response.choices[0].finish =
            class.map(|reason| Finish { reason, raw: "raw".into(), stop_sequence: None });
        let (body, losses) = written(&response);
        assert_eq!((&body["status"], &body["incomplete_details"]), (&json!(status), &details), "{class:?}");
        let item = if status == "completed" { status } else { "incomplete" };
        assert_eq!(body["output"][0]["status"], item);
        assert_eq!(body["error"].is_null(), status != "failed");
        assert_eq!(losses, []);
    }
}

#[test]
fn a_refusal_without_a_word_is_not_a_whole_answer_that_says_nothing() {
    let mut response = answer(Vec::new());
    response.choices[0].finish =
        Some(Finish { reason: FinishReason::Refusal, raw: "refusal".into(), stop_sequence: None });
    let (body, _) = written(&response);
    assert_eq!((&body["status"], &body["output"]), (&json!("incomplete"), &json!([])));
}

#[test]
fn what_an_answer_has_no_place_for_is_lost_by_name() {
    let media = |source| PartKind::Image(Media { source, media_type: None, detail: None });
    let signed = Part { signature: Some(Minted::unknown(MESSAGES, "s".into())), ..Part::text("a") };
    let more = Extras::new(CHAT, 0, vec![("x_future".into(), RawJson::parse("1").unwrap())]);
    let mut response = answer(vec![
        signed,
        Part { extras: more.clone(), ..Part::text("b") },
        media(MediaSource::Url("https://a.test".into())).into(),
        media(MediaSource::Base64("AAAA".into())).into(),
        PartKind::Speech(Speech::default()).into(),
    ]);
    response.extras = more;
    response.choices[0].finish.as_mut().unwrap().stop_sequence = Some("END".into());
    response.choices[0].logprobs = Some(Logprobs {
        content: Vec::new(),
        refusal: vec![TokenLogprob { token: "a".into(), bytes: None, logprob: 0.into(), top: Vec::new() }],
    });
    response.choices.push(Choice { index: 1, parts: vec![Part::text("z")], ..Choice::default() });
    let (body, losses) = written(&response);
    assert_eq!(body["output"][1]["type"], "image_generation_call");
    assert_eq!(body["output"][1]["result"], "AAAA");
    for expected in [
        ("x_future", Subject::Other),
        ("choices[0].parts[0].signature", Subject::State),
        ("choices[0].parts[1].x_future", Subject::Other),
        ("choices[0].parts[2]", Subject::Content),
        ("choices[0].parts[4]", Subject::Content),
        ("logprobs.refusal", Subject::Sampling),
        ("choices[0].stop_sequence", Subject::Other),
        ("choices[1]", Subject::Content),
    ] {
        let (path, subject) = expected;
        assert!(losses.contains(&(path.to_owned(), subject, LossKind::Dropped)), "{path} of {losses:?}");
    }
}

#[test]
fn an_answer_repeats_what_was_asked() {
    let request = decode_request(
        CHAT,
        br#"{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"a"}],"temperature":0.5,"max_tokens":9,"metadata":{"a":"b"},"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","parallel_tool_calls":false,"reasoning_effort":"low","response_format":{"type":"json_object"}}"#,
    );
    let response = answer(vec![Part::text("a")]);
    let mut losses = Losses::default();
    let body =
        json(&codec(RESPONSES).encode_response(&response, &identity(&response, &request), &mut losses));
    for (member, expected) in [
        ("instructions", json!("S")),
        ("temperature", json!(0.5)),
        ("max_output_tokens", json!(9)),
        ("metadata", json!({ "a": "b" })),
        ("tools", json!([{ "type": "function", "name": "f", "parameters": null, "strict": false }])),
        ("tool_choice", json!("required")),
        ("parallel_tool_calls", json!(false)),
        ("reasoning", json!({ "effort": "low", "summary": null })),
        ("text", json!({ "format": { "type": "json_object" } })),
        ("store", json!(false)),
    ] {
        assert_eq!(body[member], expected);
    }
    assert!(losses.is_empty());
}

#[test]
fn marks_signatures_and_failures_that_have_no_place_are_lost_by_name() {
    let kind = ToolCallKind::Function;
    let call = ToolCall { id: "c".into(), name: "f".into(), kind, arguments: "".into() };
    let result =
        ToolResult { call_id: "c".into(), name: None, kind, content: Vec::new(), is_error: Some(true) };
    let signed = |kind: PartKind| Part {
        cache: Some(CacheMark::default()),
        signature: Some(Minted::unknown(MESSAGES, "s".into())),
        ..Part::new(kind)
    };
    let said = PartKind::Text { text: "".into(), citations: Vec::new() };
    let turns = vec![
        Turn::new(Role::User, vec![signed(said)]),
        Turn::new(Role::Assistant, vec![signed(PartKind::ToolCall(call))]),
        Turn::new(Role::Tool, vec![signed(PartKind::ToolResult(result))]),
    ];
    let request = ChatRequest { turns, ..ChatRequest::default() };
    let (_, losses) = encode_request(RESPONSES, &request, &TOLERANT);
    let losses = lost(&losses);
    for (path, subject, kind) in [
        ("turns[0].parts[0].signature", Subject::State, LossKind::Dropped),
        ("turns[0].parts[0].cache", Subject::Cache, LossKind::Dropped),
        ("turns[1].parts[0].signature", Subject::State, LossKind::Dropped),
        ("turns[1].parts[0].cache", Subject::Cache, LossKind::Dropped),
        ("turns[2].parts[0].cache", Subject::Cache, LossKind::Dropped),
        ("turns[2].parts[0].is_error", Subject::Tools, LossKind::Adapted),
    ] {
        assert!(losses.contains(&(path.to_owned(), subject, kind)), "{path} of {losses:?}");
    }
}

#[test]
fn figures_and_places_of_others_are_put_as_the_dialect_demands() {
    let citation = |span| Citation {
        url: Some("https://a.test".into()),
        cited_text: Some("said there".into()),
        span,
        ..Citation::default()
    };
    let citations = vec![citation(None), citation(Some((1, 2))), Citation::default()];
    let mut response = answer(vec![PartKind::Text { text: "h\u{e9}llo".into(), citations }.into()]);
    response.service_tier = Some("standard".into());
    let token = TokenLogprob { token: "h\u{e9}".into(), bytes: None, logprob: 0.into(), top: Vec::new() };
    response.choices[0].logprobs = Some(Logprobs { content: vec![token], refusal: Vec::new() });
    let (body, losses) = written(&response);
    assert_eq!(body["service_tier"], "default");
    let content = &body["output"][0]["content"][0];
    let page = |start: u64, end: u64| json!({ "type": "url_citation", "url": "https://a.test", "title": "", "start_index": start, "end_index": end });
    assert_eq!(content["annotations"], json!([page(0, 5), page(1, 2)]));
    assert_eq!(content["logprobs"][0]["bytes"], json!([104, 195, 169]));
    for (path, subject) in [("citations.cited_text", Subject::Other), ("citations", Subject::Content)] {
        assert!(losses.contains(&(path.to_owned(), subject, LossKind::Dropped)), "{path} of {losses:?}");
    }
}

#[test]
fn a_part_that_opens_signed_loses_its_signature_by_name() {
    let part = Part { signature: Some(Minted::unknown(MESSAGES, "s".into())), ..Part::text("") };
    let events = [StreamEvent::PartStart { choice: 0, index: 0, part }, StreamEvent::End];
    let (response, request) = (ChatResponse::default(), ChatRequest::default());
    let (_, losses) = stream(RESPONSES, &events, &identity(&response, &request));
    let expected = ("choices[0].parts[0].signature".to_owned(), Subject::State, LossKind::Dropped);
    assert_eq!(lost(&losses), [expected]);
}
