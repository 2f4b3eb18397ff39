//! OpenAI's chat dialect: the laws on made-up requests and answers, what a foreign value loses, and what servers do that
//! the documents do not say.

use proptest::prelude::*;
use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    ChatRequest, ChatResponse, Choice, Delta, Effort, Extras, FinishReason, Media, MediaSource, Minted,
    Minter, Opaque, Part, PartKind, RawJson, Reasoning, Role, StreamEvent, Thinking, Thought, Tool,
    ToolCallKind, ToolKind, ToolResult, Turn, fold, unfold,
};
use trunkline_wire::codec::{AnswerProblem, ErrorWords, LossKind, Subject};
use trunkline_wire::quirks::{CacheMarks, DeveloperRole, Quirks};
use trunkline_wire::recast::{EncodeTarget, Losses};

use super::{
    Ending, TOLERANT, assert_sequential, bare, bare_response, codec, decode_request, encode_request, events,
    generate, identity, replace_extras, stream,
};

const CHAT: Dialect = Dialect::OpenaiChat;

fn body(request: &ChatRequest, quirks: &Quirks) -> (Value, Vec<(String, Subject, LossKind)>) {
    let (bytes, losses) = encode_request(CHAT, request, quirks);
    let losses =
        losses.as_slice().iter().map(|loss| (loss.path.to_string(), loss.subject, loss.kind)).collect();
    (serde_json::from_slice(&bytes).unwrap(), losses)
}

fn of_turns(turns: Vec<Turn>) -> ChatRequest {
    ChatRequest { model: "m".into(), turns, ..ChatRequest::default() }
}

fn dropped(path: &str, subject: Subject) -> (String, Subject, LossKind) {
    (path.to_owned(), subject, LossKind::Dropped)
}

fn adapted(path: &str, subject: Subject) -> (String, Subject, LossKind) {
    (path.to_owned(), subject, LossKind::Adapted)
}

/// The stream of these chunks' choices.
fn chunks(choices: &[&str]) -> Vec<u8> {
    let chunk = |choice: &&str| format!("data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{choice}]}}\n\n");
    choices.iter().map(chunk).collect::<String>().into_bytes()
}

fn read(stream: &[u8]) -> (Vec<StreamEvent>, Ending) {
    events(CHAT, &TOLERANT, [stream])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_request_comes_back_as_it_was_written(written in generate::request()) {
        let request = decode_request(CHAT, written.to_string().as_bytes());
        let (again, losses) = body(&request, &TOLERANT);
        prop_assert_eq!(again, written);
        prop_assert_eq!(losses, vec![]);
    }

    #[test]
    fn what_is_said_in_general_terms_is_read_back(written in generate::request()) {
        let mut request = bare(decode_request(CHAT, written.to_string().as_bytes()));
        // What only its own spelling carries is left out: it cannot be said in general terms.
        for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            part.signature = None;
            part.cache = None;
        }
        request.turns.iter_mut().for_each(|turn| turn.parts.retain(|part| !matches!(part.kind, PartKind::Reasoning(_))));
        let quirks = Quirks { extensions: &["top_k", "reasoning"], ..TOLERANT };
        request.tools.iter_mut().for_each(|tool| tool.cache = None);
        let (bytes, losses) = encode_request(CHAT, &request, &quirks);
        prop_assert!(losses.is_empty(), "{:?}", losses);
        prop_assert_eq!(bare(decode_request(CHAT, &bytes)), request);
    }

    #[test]
    fn any_answer_is_the_same_buffered_and_streamed(written in generate::response(), size in 1..40_usize) {
        let response = codec(CHAT).decode_response(written.to_string().as_bytes(), &TOLERANT).unwrap();
        let request = ChatRequest {
            stream_options: Some(trunkline_domain::chat::StreamOptions { include_usage: Some(true), ..Default::default() }),
            ..ChatRequest::default()
        };
        let mut losses = Losses::default();
        let buffered = codec(CHAT).encode_response(&response, &identity(&response, &request), &mut losses);
        let buffered = codec(CHAT).decode_response(&buffered, &TOLERANT).unwrap();
        let (bytes, more) = stream(CHAT, &unfold(response.clone()), &identity(&response, &request));
        prop_assert!(losses.is_empty() && more.is_empty());
        let (read, ending) = events(CHAT, &TOLERANT, bytes.chunks(size));
        prop_assert_eq!(ending, Ending::Complete);
        assert_sequential(&read);
        let streamed = bare_response(fold(read));
        prop_assert_eq!(&streamed, &bare_response(buffered));
        prop_assert_eq!(streamed, bare_response(response));
    }

    #[test]
    fn nothing_makes_a_decoder_panic(written in generate::request(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = written.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(envelope) = trunkline_wire::envelope::Envelope::parse(bytes.clone().into())
            && let Ok(request) = codec(CHAT).decode_request(&envelope)
        {
            encode_request(CHAT, &request, &Quirks::REFERENCE);
        }
        let _ = codec(CHAT).decode_response(&bytes, &TOLERANT);
        let _ = read(&[b"data: ", bytes.as_slice(), b"\n\n"].concat());
    }
}

#[test]
fn unknown_fields_of_another_dialect_are_lost_by_name() {
    let bytes = std::fs::read(format!(
        "{}/../../fixtures/openai_chat/everything/request.json",
        env!("CARGO_MANIFEST_DIR")
    ));
    let mut request = decode_request(CHAT, &bytes.unwrap());
    request.sampling.prediction = None;
    request.tools.retain(|tool| matches!(tool.kind, ToolKind::Function { .. }));
    replace_extras(&mut request, &|extras| {
        let known: Vec<_> = extras.fields().iter().filter(|(key, _)| &**key == "future").cloned().collect();
        *extras = Extras::new(Dialect::AnthropicMessages, 7, known);
    });
    let (body, losses) = body(&request, &TOLERANT);
    assert!(!body.to_string().contains("future"), "{body}");
    let paths: Vec<&str> =
        losses.iter().map(|(path, ..)| path.as_str()).filter(|path| path.ends_with("future")).collect();
    assert_eq!(
        paths,
        [
            "output.format.future",
            "tools[1].future",
            "future",
            "turns[0].parts[1].future",
            "turns[0].future",
            "turns[7].parts[0].future",
            "turns[8].parts[0].future"
        ]
    );
}

#[test]
fn what_the_dialect_cannot_say_is_lost_by_name() {
    let opaque = Opaque {
        dialect: Dialect::AnthropicMessages,
        raw: RawJson::parse("{\"type\":\"server_tool_use\"}").unwrap(),
    };
    let video =
        Media { source: MediaSource::Url("https://example.test/v".into()), media_type: None, detail: None };
    let marked = Part { cache: Some(Default::default()), ..Part::text("a") };
    let mut request = of_turns(vec![Turn::new(
        Role::User,
        vec![marked, PartKind::Opaque(opaque.clone()).into(), PartKind::Video(video).into()],
    )]);
    request.sampling.top_k = Some(3);
    request.tools = vec![Tool {
        name: "".into(),
        description: None,
        kind: ToolKind::Opaque(opaque),
        cache: None,
        extras: Extras::default(),
    }];
    request.reasoning = Some(Reasoning { budget_tokens: Some(400), ..Reasoning::default() });
    request.sampling.output_max = Some(1000);
    let (body, losses) = body(&request, &TOLERANT);
    assert_eq!(body["messages"], json!([{ "role": "user", "content": [{ "type": "text", "text": "a" }] }]));
    assert_eq!(body["reasoning_effort"], "medium");
    assert_eq!(
        losses,
        [
            dropped("top_k", Subject::Sampling),
            adapted("reasoning.budget_tokens", Subject::Reasoning),
            dropped("tools[0]", Subject::Tools),
            dropped("turns[0].parts[0].cache", Subject::Cache),
            dropped("turns[0].parts[1]", Subject::Content),
            dropped("turns[0].parts[2]", Subject::Content),
        ]
    );
}

#[test]
fn a_server_gets_what_its_quirks_say() {
    let quirks = Quirks {
        extensions: &["top_k"],
        renamed: &[("max_completion_tokens", "max_tokens")],
        unsupported: &["logprobs"],
        cache_marks: CacheMarks::CacheControl,
        developer_role: DeveloperRole::Unknown,
        reasoning_field: Some("reasoning_content"),
        ..TOLERANT
    };
    let thought = Thought { text: vec!["hm".into()], ..Thought::default() };
    let marked = Part { cache: Some(Default::default()), ..Part::text("a") };
    let mut request = of_turns(vec![
        Turn::new(Role::Developer, vec![marked]),
        Turn::new(Role::Assistant, vec![PartKind::Reasoning(thought).into(), Part::text("b")]),
    ]);
    request.sampling.top_k = Some(3);
    request.sampling.logprobs = Some(true);
    request.sampling.output_max = Some(9);
    let (body, losses) = body(&request, &quirks);
    let mark = json!({ "type": "ephemeral" });
    let expected = json!({ "model": "m", "max_tokens": 9, "top_k": 3, "messages": [
        { "role": "system", "content": [{ "type": "text", "text": "a", "cache_control": mark }] },
        { "role": "assistant", "reasoning_content": "hm", "content": "b" },
    ] });
    assert_eq!(body, expected);
    assert_eq!(losses, [dropped("logprobs", Subject::Sampling)]);
}

#[test]
fn usage_is_asked_for_and_the_cap_of_a_hold_governs() {
    let request = decode_request(CHAT, br#"{"model":"m","messages":[],"max_tokens":50,"stream":null}"#);
    let target = EncodeTarget {
        model: "up",
        quirks: &Quirks::REFERENCE,
        stream: true,
        output_cap: Some(20),
        output_max: None,
        minter: None,
    };
    let body = codec(CHAT).encode_request(&request, &target, &mut Losses::default()).unwrap();
    let expected = json!({ "model": "up", "max_tokens": 20, "stream": true, "stream_options": { "include_usage": true }, "messages": [] });
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    assert_eq!(body.windows(8).filter(|window| window == b"\"stream\"").count(), 1, "no key twice");
}

#[test]
fn a_signature_goes_to_nobody_but_its_maker() {
    let body = br#"{"model":"m","messages":[{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"c2ln","format":"anthropic-claude-v1"}]}]}"#;
    let mut request = decode_request(CHAT, body);
    let maker = |account: &str| Minter { account: account.into(), model: "m".into() };
    for state in request.signatures_mut() {
        assert_eq!((state.dialect, &*state.value), (Dialect::AnthropicMessages, "c2ln"));
        state.by = Some(maker("a"));
    }
    for (account, sent) in [("a", true), ("b", false)] {
        let minter = maker(account);
        let target = EncodeTarget {
            model: "m",
            quirks: &TOLERANT,
            stream: false,
            output_cap: None,
            output_max: None,
            minter: Some(&minter),
        };
        let mut losses = Losses::default();
        let body = codec(CHAT).encode_request(&request, &target, &mut losses).unwrap();
        assert_eq!(String::from_utf8_lossy(&body).contains("c2ln"), sent);
        let lost: Vec<_> = losses.as_slice().iter().map(|loss| loss.subject).collect();
        assert_eq!(lost.is_empty(), sent, "{lost:?}");
    }
}

#[test]
fn pictures_of_a_tools_result_follow_it() {
    let picture = |name: &str| {
        let source = MediaSource::Url(format!("https://example.test/{name}").into());
        Part::from(PartKind::Image(Media { source, media_type: None, detail: None }))
    };
    let result = |id: &str, content| {
        let (call_id, kind) = (id.into(), ToolCallKind::Function);
        Part::from(PartKind::ToolResult(ToolResult {
            call_id,
            name: None,
            kind,
            content,
            is_error: Some(true),
        }))
    };
    let results =
        vec![result("c1", vec![Part::text("seen"), picture("a")]), result("c2", vec![picture("b")])];
    let (body, losses) = body(&of_turns(vec![Turn::new(Role::Tool, results)]), &TOLERANT);
    let image = |name: &str| json!({ "type": "image_url", "image_url": { "url": format!("https://example.test/{name}") } });
    let expected = json!([
        { "role": "tool", "tool_call_id": "c1", "content": "seen" },
        { "role": "tool", "tool_call_id": "c2", "content": "" },
        { "role": "user", "content": [image("a"), image("b")] },
    ]);
    assert_eq!(body["messages"], expected);
    assert!(losses.iter().all(|(_, subject, kind)| *subject == Subject::Tools && *kind == LossKind::Adapted));
    assert_eq!(losses.len(), 4);
}

#[test]
fn requests_that_are_none_are_refused_by_name() {
    for (body, field) in [
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":{}}"#, "messages"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":5}]}"#,
            "messages[1]",
        ),
        (r#"{"model":"m","messages":[{"content":"a"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"robot","content":"a"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"function","name":"f","content":"a"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"tool","content":"a"}]}"#, "messages[0].tool_call_id"),
        (r#"{"model":"m","messages":[{"role":"user","content":"a","refusal":"b"}]}"#, "messages[0].refusal"),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"moon"}]}]}"#,
            "messages[0].tool_calls[0]",
        ),
        (r#"{"model":"m","messages":[{"role":"user","role":"user"}]}"#, "messages[0]"),
        (r#"{"model":"m","messages":[],"functions":[]}"#, "functions"),
        (r#"{"model":"m","messages":[],"temperature":"hot"}"#, "temperature"),
        (r#"{"model":"m","messages":[],"tools":{}}"#, "tools"),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, "max_tokens"),
        (r#"{"model":5,"messages":[]}"#, "model"),
    ] {
        let error = codec(CHAT).decode_request(&super::super::envelope(body)).expect_err(body);
        assert_eq!(error.field, field, "{body}");
        assert!(error.message.contains(field) && !error.message.contains("line"), "{}", error.message);
    }
}

#[test]
fn the_gateways_own_fields_are_no_loss() {
    let request =
        decode_request(CHAT, br#"{"model":"m","messages":[],"models":["a"],"provider":{},"tags":["t"]}"#);
    assert_eq!(body(&request, &TOLERANT), (json!({ "model": "m", "messages": [] }), vec![]));
}

#[test]
fn instructions_keep_their_place() {
    let request = decode_request(
        CHAT,
        br#"{"model":"m","messages":[{"role":"system","content":"a"},{"role":"developer","content":"b"},{"role":"user","content":"c"},{"role":"system","content":"d"}]}"#,
    );
    let (instructions, rest) = request.instructions();
    assert_eq!(instructions.len(), 2);
    assert_eq!(rest.iter().map(|turn| turn.role).collect::<Vec<_>>(), [Role::User, Role::System]);
}

#[test]
fn efforts_stand_for_switches() {
    for (reasoning, expected) in [
        (Reasoning { thinking: Some(Thinking::Disabled), ..Reasoning::default() }, json!("none")),
        (
            Reasoning {
                thinking: Some(Thinking::Adaptive),
                effort: Some(Effort::Max),
                ..Reasoning::default()
            },
            json!("max"),
        ),
        (Reasoning { thinking: Some(Thinking::Adaptive), ..Reasoning::default() }, Value::Null),
    ] {
        let request = ChatRequest { reasoning: Some(reasoning), ..of_turns(Vec::new()) };
        let (body, losses) = body(&request, &TOLERANT);
        assert_eq!((&body["reasoning_effort"], losses), (&expected, vec![]));
    }
}

#[test]
fn calls_are_told_apart_however_they_are_numbered() {
    let call = |delta: &str| format!(r#"{{"index":0,"delta":{{"tool_calls":[{delta}]}}}}"#);
    let done = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#.to_owned();
    let cases = [
        // Numbered as documented.
        [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
            r#"{"index":0,"function":{"arguments":"2"}}"#,
            r#"{"index":1,"id":"b","function":{"name":"g","arguments":"3"}}"#,
        ],
        // All numbered 0.
        [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}"#,
            r#"{"index":0,"id":"a","function":{"arguments":"2"}}"#,
            r#"{"index":0,"id":"b","function":{"name":"g","arguments":"3"}}"#,
        ],
        // Not numbered; another id in every delta.
        [
            r#"{"id":"a","function":{"name":"f","arguments":"1"}}"#,
            r#"{"id":"x","function":{"name":"","arguments":"2"}}"#,
            r#"{"id":"b","function":{"name":"g","arguments":"3"}}"#,
        ],
    ];
    for case in cases {
        let choices: Vec<String> = case.into_iter().map(call).chain([done.clone()]).collect();
        let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
        let stream = [chunks(&choices), b"data: [DONE]\n\n".to_vec()].concat();
        let (events, ending) = read(&stream);
        assert_eq!(ending, Ending::Complete);
        assert_sequential(&events);
        let folded = fold(events);
        let calls: Vec<(&str, &str, &str)> = folded.choices[0]
            .parts
            .iter()
            .filter_map(Part::tool_call)
            .map(|call| (&*call.id, &*call.name, &*call.arguments))
            .collect();
        assert_eq!(calls, [("a", "f", "12"), ("b", "g", "3")]);
        assert_eq!(folded.choices[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
    }
}

#[test]
fn streams_that_break_the_rules_are_errors() {
    let first = r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]}}"#;
    let second = r#"{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"2"}}]}}"#;
    let late = r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"3"}}]}}"#;
    let stop = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
    let text = r#"{"index":0,"delta":{"content":"x"}}"#;
    for choices in [&[first, second, late][..], &[text, stop, text], &[late]] {
        assert_eq!(read(&chunks(choices)).1, Ending::Problem(AnswerProblem::Malformed), "{choices:?}");
    }
    let words = ErrorWords { message: Some("busy".into()), ..ErrorWords::default() };
    for error in ["data: {\"error\":\"busy\"}\n\n", "event: error\ndata: {\"message\":\"busy\"}\n\n"] {
        let (events, ending) = read(&[chunks(&[text]), error.as_bytes().to_vec()].concat());
        assert_eq!(ending, Ending::Problem(AnswerProblem::Error(words.clone())));
        assert!(events.iter().any(StreamEvent::is_content));
    }
    for garbage in ["data: <html>\n\n", "data: {\"a\":1}\n\n", "data: {\"choices\":{}}\n\n", "data: null\n\n"]
    {
        assert_eq!(read(garbage.as_bytes()).1, Ending::Problem(AnswerProblem::Malformed), "{garbage}");
    }
}

#[test]
fn odd_first_chunks_do_not_name_the_answer() {
    let azure =
        b"data: {\"id\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n".to_vec();
    let (events, _) = read(&[azure, chunks(&[r#"{"index":0,"delta":{"content":"x"}}"#])].concat());
    assert!(matches!(&events[0], StreamEvent::Start { id, .. } if &**id == "c"));
}

#[test]
fn an_answer_of_another_dialect_is_put_in_this_ones_words() {
    let cited =
        trunkline_domain::chat::Citation { url: Some("https://example.test".into()), ..Default::default() };
    let unplaced =
        trunkline_domain::chat::Citation { title: Some("a document".into()), ..Default::default() };
    let thought = Thought { text: vec!["hm".into()], ..Thought::default() };
    let signature = Some(Minted::unknown(Dialect::AnthropicMessages, "c2ln".into()));
    let choice = Choice {
        parts: vec![
            Part { signature, ..Part::new(PartKind::Reasoning(thought)) },
            Part::text("\u{e9}a"),
            PartKind::Text { text: "bc".into(), citations: vec![cited, unplaced] }.into(),
        ],
        finish: Some(trunkline_domain::chat::Finish {
            reason: FinishReason::StopSequence,
            raw: "stop_sequence".into(),
            stop_sequence: Some("X".into()),
        }),
        ..Choice::default()
    };
    let response = ChatResponse { id: "i".into(), choices: vec![choice], ..ChatResponse::default() };
    let request = ChatRequest::default();
    let mut losses = Losses::default();
    let body = codec(CHAT).encode_response(&response, &identity(&response, &request), &mut losses);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let message = &body["choices"][0]["message"];
    assert_eq!(message["content"], "\u{e9}abc");
    assert_eq!(
        message["annotations"],
        json!([{ "type": "url_citation", "url_citation": { "url": "https://example.test", "title": "", "start_index": 2, "end_index": 4 } }])
    );
    assert_eq!(
        message["reasoning_details"],
        json!([{ "type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1" }])
    );
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(losses.as_slice().iter().map(|loss| &*loss.path).collect::<Vec<_>>(), ["citations"]);
    let (bytes, streamed) = stream(CHAT, &unfold(response.clone()), &identity(&response, &request));
    assert_eq!(streamed, losses);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(r#""start_index":2,"end_index":4"#) && text.ends_with("data: [DONE]\n\n"));
    assert!(!text.contains("\"usage\""), "nobody asked for it");
}

#[test]
fn a_signature_alone_still_opens_a_thought() {
    let sealed = r#"{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"AA==","format":"openai-responses-v1","id":"rs_1"}]}}"#;
    let (events, _) = read(&chunks(&[sealed]));
    let delta = events.iter().find_map(|event| match event {
        StreamEvent::PartDelta { delta: Delta::Signature(state), .. } => Some(state.clone()),
        _ => None,
    });
    assert_eq!(delta, Some(Minted::unknown(Dialect::OpenaiResponses, "AA==".into())));
}
