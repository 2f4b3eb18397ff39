//! Anthropic's dialect beside OpenAI's: what a translation says, and what it loses by name.

use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Choice, Effort, Extras, Finish, FinishReason, Minted, Minter, Part, PartKind,
    RawJson, Reasoning, Role, Thinking, Thought, ToolCall, ToolCallKind, Turn, fold, unfold,
};
use trunkline_wire::codec::{LossKind, Subject};
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{EncodeTarget, Frames, Losses, StreamRecast};

use super::{
    Ending, TOLERANT, caller, codec, decode_request, encode_request, events, identity, json, stream,
};

const CHAT: Dialect = Dialect::OpenaiChat;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const GEMINI: Dialect = Dialect::GeminiGenerate;

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
fn a_request_of_openai_becomes_one_of_anthropic() {
    let call = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
    let (body, losses) = translate(
        CHAT,
        MESSAGES,
        &json!({
            "model": "claude-opus-5",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "developer", "content": "Be kind." },
                { "role": "user", "content": [
                    { "type": "text", "text": "See" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                    { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB" } },
                ] },
                { "role": "assistant", "content": "", "tool_calls": [call("c1", "{\"a\": 1}"), call("c.2", "")] },
                { "role": "tool", "tool_call_id": "c1", "content": "1" },
                { "role": "tool", "tool_call_id": "c.2", "content": "2" },
                { "role": "user", "content": "Go on" },
                { "role": "system", "content": "Be formal." },
            ],
            "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" }, "strict": true } }],
            "tool_choice": "required", "parallel_tool_calls": false,
            "stop": "x", "temperature": 1.5, "max_tokens": 99, "user": "u", "seed": 7, "n": 1, "presence_penalty": 0,
            "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": { "type": "object" } } },
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "claude-opus-5",
            "system": [{ "type": "text", "text": "Be brief." }, { "type": "text", "text": "Be kind." }],
            "tools": [{ "name": "f", "input_schema": { "type": "object" }, "strict": true }],
            "tool_choice": { "type": "any", "disable_parallel_tool_use": true },
            "messages": [
                { "role": "user", "content": [
                    { "type": "text", "text": "See" },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } },
                    { "type": "document", "source": { "type": "base64", "media_type": "application/pdf", "data": "BBBB" }, "title": "a.pdf" },
                ] },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": "c1", "name": "f", "input": { "a": 1 } },
                    { "type": "tool_use", "id": "c_2", "name": "f", "input": {} },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "c1", "content": "1" },
                    { "type": "tool_result", "tool_use_id": "c_2", "content": "2" },
                    { "type": "text", "text": "Go on" },
                ] },
                { "role": "system", "content": "Be formal." },
            ],
            "max_tokens": 99, "stop_sequences": ["x"],
            "output_config": { "format": { "type": "json_schema", "schema": { "type": "object" } } },
            "metadata": { "user_id": "u" },
        })
    );
    assert_eq!(
        losses,
        [
            ("temperature".to_owned(), Subject::Sampling, LossKind::Dropped),
            ("seed".to_owned(), Subject::Sampling, LossKind::Dropped),
            ("output.format.name".to_owned(), Subject::Other, LossKind::Dropped),
        ]
    );
}

#[test]
fn a_request_of_anthropic_becomes_one_of_openai() {
    let (body, losses) = translate(
        MESSAGES,
        CHAT,
        &json!({
            "model": "gpt", "max_tokens": 99, "stop_sequences": ["x"], "service_tier": "standard_only",
            "system": [{ "type": "text", "text": "Be brief." }],
            "tools": [{ "name": "f", "description": "d", "input_schema": { "type": "object" } }],
            "tool_choice": { "type": "tool", "name": "f", "disable_parallel_tool_use": true },
            "output_config": { "effort": "high" }, "metadata": { "user_id": "u" },
            "messages": [
                { "role": "user", "content": "See" },
                { "role": "assistant", "content": [
                    { "type": "text", "text": "Now" }, { "type": "tool_use", "id": "t1", "name": "f", "input": { "a": 1 } },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "t1", "content": "1" }, { "type": "text", "text": "Go on" },
                ] },
            ],
            "x_future": 1,
        }),
    );
    assert_eq!(
        body,
        json!({
            "model": "gpt", "max_completion_tokens": 99, "stop": ["x"], "service_tier": "default", "user": "u",
            "reasoning_effort": "high",
            "tools": [{ "type": "function", "function": { "name": "f", "description": "d", "parameters": { "type": "object" } } }],
            "tool_choice": { "type": "function", "function": { "name": "f" } }, "parallel_tool_calls": false,
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": "See" },
                { "role": "assistant", "content": "Now", "tool_calls": [
                    { "id": "t1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } },
                ] },
                { "role": "tool", "tool_call_id": "t1", "content": "1" },
                { "role": "user", "content": "Go on" },
            ],
        })
    );
    assert_eq!(losses, [("x_future".to_owned(), Subject::Other, LossKind::Dropped)]);
}

/// What becomes of an effort or a budget, by model.
fn thinking(model: &str, reasoning: Reasoning, choice: &str) -> (Value, Value, Lost) {
    let mut request = decode_request(
        CHAT,
        json!({
            "model": model, "max_tokens": 10000, "tool_choice": choice, "temperature": 0.5,
            "messages": [{ "role": "user", "content": "a" }],
            "tools": [{ "type": "function", "function": { "name": "f" } }],
        })
        .to_string()
        .as_bytes(),
    );
    request.reasoning = Some(reasoning);
    let (bytes, losses) = encode_request(MESSAGES, &request, &TOLERANT);
    let body = json(&bytes);
    let member = |name: &str| body.get(name).cloned().unwrap_or_default();
    (member("thinking"), member("output_config"), lost(&losses))
}

#[test]
fn how_hard_to_think_is_said_as_the_model_takes_it() {
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = |budget_tokens| Reasoning { budget_tokens: Some(budget_tokens), ..Reasoning::default() };
    let adaptive = json!({ "type": "adaptive" });
    for (model, reasoning, thinks, config) in [
        ("claude-opus-5", effort(Effort::High), adaptive.clone(), json!({ "effort": "high" })),
        ("claude-opus-5", effort(Effort::Minimal), adaptive.clone(), json!({ "effort": "low" })),
        ("claude-opus-5", effort(Effort::None), json!({ "type": "disabled" }), Value::Null),
        ("claude-opus-5", budget(4000), adaptive, json!({ "effort": "medium" })),
        (
            "claude-haiku-4-5",
            effort(Effort::High),
            json!({ "type": "enabled", "budget_tokens": 8000 }),
            Value::Null,
        ),
        ("claude-haiku-4-5", budget(4000), json!({ "type": "enabled", "budget_tokens": 4000 }), Value::Null),
        ("claude-haiku-4-5", budget(10), json!({ "type": "enabled", "budget_tokens": 1024 }), Value::Null),
        (
            "claude-haiku-4-5",
            budget(99_999),
            json!({ "type": "enabled", "budget_tokens": 9999 }),
            Value::Null,
        ),
    ] {
        let (thinking, output_config, losses) = thinking(model, reasoning.clone(), "auto");
        assert_eq!((thinking, output_config), (thinks.clone(), config), "{model} {reasoning:?}");
        let excluded = ("temperature".to_owned(), Subject::Sampling, LossKind::Dropped);
        assert!(losses.contains(&excluded), "{model} {reasoning:?}");
    }
    let (thinking, output_config, losses) = thinking("claude-opus-5", effort(Effort::High), "required");
    assert_eq!((thinking, output_config), (Value::Null, json!({ "effort": "high" })));
    assert!(losses.contains(&("reasoning".to_owned(), Subject::Reasoning, LossKind::Adapted)));
}

#[test]
fn a_hold_that_lowers_the_cap_lowers_the_budget() {
    let request = decode_request(
        MESSAGES,
        json!({
            "model": "claude-sonnet-4-5", "max_tokens": 9000, "messages": [],
            "thinking": { "type": "enabled", "budget_tokens": 5000 },
        })
        .to_string()
        .as_bytes(),
    );
    for (output_cap, thinking) in [
        (None, json!({ "type": "enabled", "budget_tokens": 5000 })),
        (Some(4000), json!({ "type": "enabled", "budget_tokens": 3999 })),
        (Some(100), Value::Null),
    ] {
        let target = target(&request.model, output_cap, None);
        let mut losses = Losses::default();
        let body = json(&codec(MESSAGES).encode_request(&request, &target, &mut losses).unwrap());
        assert_eq!(body["thinking"], thinking);
        assert_eq!(body["max_tokens"], output_cap.unwrap_or(9000));
        assert_eq!(losses.is_empty(), output_cap.is_none());
    }
}

fn target<'a>(model: &'a str, output_cap: Option<u64>, minter: Option<&'a Minter>) -> EncodeTarget<'a> {
    EncodeTarget {
        model,
        quirks: &Quirks::REFERENCE,
        stream: false,
        output_cap,
        output_max: Some(64_000),
        minter,
    }
}

#[test]
fn thinking_goes_back_to_its_maker_only() {
    let minter = |account: &str| Minter::Account(account.into());
    let (ours, theirs) = (minter("a"), minter("b"));
    let thought = |by: Option<&Minter>, dialect| {
        let kind = PartKind::Reasoning(Thought { text: vec!["hm".into()], ..Thought::default() });
        Part {
            signature: Some(Minted { by: by.cloned(), ..Minted::unknown(dialect, "c2ln".into()) }),
            ..kind.into()
        }
    };
    for (part, kept) in [
        (thought(Some(&ours), MESSAGES), true),
        (thought(None, MESSAGES), true),
        (thought(Some(&theirs), MESSAGES), false),
        (thought(Some(&ours), Dialect::OpenaiResponses), false),
        (PartKind::Reasoning(Thought { text: vec!["hm".into()], ..Thought::default() }).into(), false),
    ] {
        let turns =
            vec![Turn::new(Role::Assistant, vec![part]), Turn::new(Role::User, vec![Part::text("a")])];
        let request = ChatRequest { turns, ..ChatRequest::default() };
        let mut losses = Losses::default();
        let target = target("m", None, Some(&ours));
        let body = json(&codec(MESSAGES).encode_request(&request, &target, &mut losses).unwrap());
        let messages = body["messages"].as_array().unwrap();
        let block = json!({ "type": "thinking", "thinking": "hm", "signature": "c2ln" });
        assert_eq!(messages[0]["content"].as_array() == Some(&vec![block]), kept);
        assert_eq!(messages.len(), if kept { 2 } else { 1 }, "nothing is left of a message: it goes");
        let expected: Lost = vec![("turns[0].parts[0]".to_owned(), Subject::State, LossKind::Dropped)];
        assert_eq!(lost(&losses), if kept { vec![] } else { expected });
        assert_eq!(body["max_tokens"], 64_000, "the dialect demands a cap");
    }
}

#[test]
fn older_models_take_instructions_in_mid_conversation_from_the_user() {
    let turns = [Role::User, Role::Developer].map(|role| Turn::new(role, vec![Part::text("a")])).to_vec();
    let request = ChatRequest { turns, ..ChatRequest::default() };
    for (model, role, is_lost) in [("claude-opus-5", "system", false), ("claude-sonnet-4-5", "user", true)] {
        let mut losses = Losses::default();
        let body =
            json(&codec(MESSAGES).encode_request(&request, &target(model, None, None), &mut losses).unwrap());
        assert_eq!(body["messages"][1]["role"], role);
        assert_eq!(!losses.is_empty(), is_lost);
    }
}

#[test]
fn unknown_members_of_another_dialect_are_named_losses() {
    let known = vec![
        ("future".into(), RawJson::parse("1").unwrap()),
        ("says_nothing".into(), RawJson::parse("null").unwrap()),
    ];
    let mut request = decode_request(CHAT, json!({
        "model": "m", "stream_options": { "include_usage": true }, "reasoning_effort": "high",
        "messages": [{ "role": "system", "content": "a" }, { "role": "user", "content": [{ "type": "text", "text": "a" }] }],
        "tools": [{ "type": "function", "function": { "name": "f" } }],
    }).to_string().as_bytes());
    super::replace_extras(&mut request, &|extras| *extras = Extras::new(CHAT, 7, known.clone()));
    let (_, losses) = encode_request(MESSAGES, &request, &TOLERANT);
    let mut paths: Vec<String> = lost(&losses)
        .into_iter()
        .filter(|(path, ..)| path.contains("future"))
        .map(|(path, ..)| path)
        .collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "future",
            "reasoning.future",
            "stream_options.future",
            "tools[0].future",
            "turns[0].future",
            "turns[0].parts[0].future",
            "turns[1].future",
            "turns[1].parts[0].future",
        ]
    );
    assert!(!lost(&losses).iter().any(|(path, ..)| path.contains("says_nothing")));
}

#[test]
fn an_answer_of_openai_streams_on_to_a_caller_of_anthropic() {
    let request = ChatRequest::default();
    let identity =
        trunkline_wire::recast::AnswerIdentity { id: "msg_1", model: "alias", created: 7, request: &request };
    let mut recast = StreamRecast::new(codec(CHAT), &TOLERANT, caller(MESSAGES), &identity);
    let mut out = Frames::default();
    let chunk = |delta: Value, finish: Value| json!({ "id": "c", "model": "up", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
    for data in [
        chunk(json!({ "role": "assistant", "reasoning_content": "hm" }), Value::Null),
        chunk(json!({ "content": "He" }), Value::Null),
        chunk(json!({ "content": "y" }), Value::Null),
        chunk(
            json!({ "tool_calls": [{ "index": 0, "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{}" } }] }),
            Value::Null,
        ),
        chunk(json!({}), json!("tool_calls")),
        json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": { "cached_tokens": 3 } } }),
    ] {
        recast.frame(&trunkline_wire::frame::Frame::of_event(format!("data: {data}\n\n").into()), &mut out);
    }
    recast.frame(&trunkline_wire::frame::Frame::of_event("data: [DONE]\n\n".into()), &mut out);
    let written: Vec<(String, Value)> = out
        .take()
        .map(|frame| {
            let text = String::from_utf8(frame.to_vec()).unwrap();
            let (name, data) = text.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name.to_owned(), json(data.trim().as_bytes()))
        })
        .collect();
    assert!(written.iter().all(|(name, data)| data["type"] == **name));
    let names: Vec<&str> = written.iter().map(|(name, _)| &**name).collect();
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    let text = ["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"];
    assert_eq!(
        names,
        [&["message_start"][..], &block, &text, &block, &["message_delta", "message_stop"]].concat()
    );
    assert_eq!(written[0].1["message"]["id"], "msg_1");
    assert_eq!(written[0].1["message"]["model"], "alias");
    assert_eq!(written[1].1["content_block"], json!({ "type": "thinking", "thinking": "", "signature": "" }));
    assert_eq!(
        written[8].1["content_block"],
        json!({ "type": "tool_use", "id": "c1", "name": "f", "input": {} })
    );
    assert_eq!(written[8].1["index"], 2);
    let last = &written[11].1;
    assert_eq!(last["delta"], json!({ "stop_reason": "tool_use", "stop_sequence": null }));
    assert_eq!(last["usage"]["input_tokens"], 4);
    assert_eq!(last["usage"]["cache_read_input_tokens"], 3);
    assert_eq!(last["usage"]["output_tokens"], 5);
    assert!(out.losses.is_empty());
}

#[test]
fn what_an_answer_of_another_dialect_has_besides_is_lost_by_name() {
    let call = trunkline_domain::chat::ToolCall {
        id: "".into(),
        name: "f".into(),
        kind: trunkline_domain::chat::ToolCallKind::Function,
        arguments: "{\"a\":".into(),
    };
    let signed = |dialect: Dialect, kind: PartKind| Part {
        signature: Some(Minted::unknown(dialect, "c2ln".into())),
        ..kind.into()
    };
    let parts = vec![
        signed(
            Dialect::OpenaiResponses,
            PartKind::Reasoning(Thought { summary: vec!["a".into(), "b".into()], ..Thought::default() }),
        ),
        PartKind::Refusal("no".into()).into(),
        signed(Dialect::GeminiGenerate, PartKind::ToolCall(call)),
    ];
    let finish = Some(Finish {
        reason: FinishReason::ContentFilter,
        raw: "content_filter".into(),
        stop_sequence: None,
    });
    let first = Choice { parts, finish, ..Choice::default() };
    let second = Choice { index: 1, parts: vec![Part::text("b")], ..Choice::default() };
    let response = ChatResponse {
        id: "msg_1".into(),
        model: "m".into(),
        choices: vec![first, second],
        ..ChatResponse::default()
    };
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let body = json(&codec(MESSAGES).encode_response(&response, &identity(&response, &request), &mut losses));
    assert_eq!(
        body["content"],
        json!([
            { "type": "thinking", "thinking": "a\n\nb", "signature": "c2ln" },
            { "type": "text", "text": "no" },
            { "type": "tool_use", "id": "choices_0__parts_2_", "name": "f", "input": { "arguments": "{\"a\":" } },
        ])
    );
    assert_eq!((&body["stop_reason"], &body["usage"]["input_tokens"]), (&json!("refusal"), &json!(0)));
    let mut paths: Vec<String> = lost(&losses).into_iter().map(|(path, ..)| path).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "choices[0].parts[1]",
            "choices[0].parts[2].arguments",
            "choices[0].parts[2].signature",
            "choices[1]",
        ]
    );
    let (bytes, losses) = stream(MESSAGES, &unfold(response.clone()), &identity(&response, &request));
    assert!(
        String::from_utf8(bytes).unwrap().contains(r#""partial_json":"{\"a\":""#),
        "as the model wrote it"
    );
    assert!(
        paths
            .iter()
            .filter(|path| !path.ends_with("arguments"))
            .all(|path| lost(&losses).iter().any(|(lost, ..)| lost == path))
    );
}

#[test]
fn whether_to_think_is_said_in_every_dialect() {
    for (said, effort) in [("disabled", Some("none")), ("adaptive", None)] {
        let (body, _) = translate(
            MESSAGES,
            CHAT,
            &json!({ "model": "m", "max_tokens": 9, "messages": [], "thinking": { "type": said } }),
        );
        assert_eq!(body["reasoning_effort"].as_str(), effort);
    }
    let reasoning = Reasoning { thinking: Some(Thinking::Disabled), ..Reasoning::default() };
    assert_eq!(thinking("claude-opus-5", reasoning, "auto").0, json!({ "type": "disabled" }));
}

#[test]
fn sampling_is_sent_to_models_that_take_it() {
    for (model, temperature, sent) in [
        ("claude-opus-5", "0.5", json!({})),
        ("claude-sonnet-4-5", "0.5", json!({ "temperature": 0.5 })),
        ("claude-3-7-sonnet", "0.5", json!({ "temperature": 0.5, "top_p": 0.9 })),
        ("claude-3-7-sonnet", "1.5", json!({ "temperature": 1, "top_p": 0.9 })),
        ("claude-sonnet-4-6", "null", json!({ "top_p": 0.9 })),
        ("somebody-elses", "0.5", json!({ "temperature": 0.5, "top_p": 0.9 })),
    ] {
        let body = format!(r#"{{"model":"{model}","messages":[],"temperature":{temperature},"top_p":0.9}}"#);
        let (body, losses) = translate(CHAT, MESSAGES, &json(body.as_bytes()));
        let drawn = ["temperature", "top_p"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), body.get(name)?.clone())));
        assert_eq!(Value::Object(drawn.collect()), sent, "{model}");
        assert!(losses.iter().all(|(_, subject, _)| *subject == Subject::Sampling));
    }
}

#[test]
fn thinking_survives_a_caller_of_another_dialect() {
    let said = json!([
        { "type": "thinking", "thinking": "hm", "signature": "c2ln" },
        { "type": "redacted_thinking", "data": "ZGF0YQ==" },
        { "type": "text", "text": "So" },
        { "type": "tool_use", "id": "t1", "name": "f", "input": {} },
    ]);
    let answer = json!({ "id": "msg_1", "model": "m", "role": "assistant", "content": said, "stop_reason": "tool_use" });
    let response = codec(MESSAGES).decode_response(answer.to_string().as_bytes(), &TOLERANT).unwrap();
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let shown = json(&codec(CHAT).encode_response(&response, &identity(&response, &request), &mut losses));
    let message = shown.pointer("/choices/0/message").unwrap();
    let result = json!({ "role": "tool", "tool_call_id": "t1", "content": "r" });
    let (again, lost) = translate(CHAT, MESSAGES, &json!({ "model": "m", "messages": [message, result] }));
    assert_eq!(again.pointer("/messages/0/content"), Some(&said));
    assert!(losses.is_empty() && lost.is_empty(), "{losses:?} {lost:?}");
}

#[test]
fn free_form_arguments_were_streamed_as_broken_json() {
    let call = ToolCall {
        id: "call_1".into(),
        name: "run".into(),
        kind: ToolCallKind::Freeform,
        arguments: "print(\"hi\")\n".into(),
    };
    let response = ChatResponse {
        choices: vec![Choice { parts: vec![PartKind::ToolCall(call).into()], ..Choice::default() }],
        ..ChatResponse::default()
    };
    let request = ChatRequest::default();
    let (bytes, losses) = stream(MESSAGES, &unfold(response.clone()), &identity(&response, &request));
    let (events, ending) = events(MESSAGES, &TOLERANT, [bytes.as_slice()]);
    assert_eq!(ending, Ending::Complete);
    let streamed = fold(events);
    let arguments = &streamed.choices[0].parts[0].tool_call().unwrap().arguments;
    assert_eq!(json(arguments.as_bytes()), json!({ "input": "print(\"hi\")\n" }));
    let wrapped = ("choices[0].parts[0].arguments".to_owned(), Subject::Tools, LossKind::Adapted);
    assert_eq!(lost(&losses), [wrapped]);
}

#[test]
fn the_stop_sequence_of_claude_vanished_for_callers_of_gemini() {
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5",
        "content": [{ "type": "text", "text": "a" }],
        "stop_reason": "stop_sequence", "stop_sequence": "END",
        "usage": { "input_tokens": 1, "output_tokens": 1 },
    });
    let response = codec(MESSAGES).decode_response(body.to_string().as_bytes(), &TOLERANT).unwrap();
    let request = ChatRequest::default();
    let identity = identity(&response, &request);
    let mut losses = Losses::default();
    caller(GEMINI).encode_response(&response, &identity, &mut losses);
    let expected = [("choices[0].stop_sequence".to_owned(), Subject::Other, LossKind::Dropped)];
    assert_eq!(lost(&losses), expected);
    let (_, losses) = stream(GEMINI, &unfold(response.clone()), &identity);
    assert_eq!(lost(&losses), expected);
}
