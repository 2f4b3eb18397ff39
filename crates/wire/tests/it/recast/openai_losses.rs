//! What OpenAI's chat dialect cannot say, and what its servers are given.

use serde_json::{Value, json};
use trunkline_domain::Dialect;
use trunkline_domain::chat::{
    CacheMark, ChatRequest, Citation, Effort, Extras, Media, MediaSource, Minted, Minter, Opaque, Part,
    PartKind, RawJson, Reasoning, Role, Thinking, Thought, Tool, ToolCall, ToolCallKind, ToolKind,
    ToolResult, Turn,
};
use trunkline_wire::codec::{LossKind, Subject};
use trunkline_wire::quirks::{CacheMarks, CallIds, DeveloperRole, Quirks};
use trunkline_wire::recast::{EncodeTarget, Losses};

use super::openai_chat::{CHAT, body, of_turns};
use super::{Case, TOLERANT, codec, decode_request, encode_request, replace_extras};

fn dropped(path: &str, subject: Subject) -> (String, Subject, LossKind) {
    (path.to_owned(), subject, LossKind::Dropped)
}

fn adapted(path: &str, subject: Subject) -> (String, Subject, LossKind) {
    (path.to_owned(), subject, LossKind::Adapted)
}

#[test]
fn unknown_fields_of_another_dialect_are_lost_by_name() {
    let case = Case::all("openai_chat").into_iter().find(|case| case.name == "everything").unwrap();
    let bytes = case.file("request.json");
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
    let marked = Part { cache: Some(CacheMark::default()), ..Part::text("a") };
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
fn a_call_made_elsewhere_has_an_id_the_server_takes() {
    let quirks = Quirks { call_ids: CallIds::Nine, ..TOLERANT };
    let request = decode_request(
        CHAT,
        br#"{"model":"m","messages":[
            {"role":"assistant","tool_calls":[{"id":"toolu_01","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"toolu_01","content":"a"}]}"#,
    );
    let (body, losses) = body(&request, &quirks);
    let id = body["messages"][0]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    assert_eq!(body["messages"][1]["tool_call_id"], id);
    assert!(losses.is_empty(), "{losses:?}");
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
    let marked = Part { cache: Some(CacheMark::default()), ..Part::text("a") };
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
    let maker = |account: &str| Minter::Account(account.into());
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
fn the_gateways_own_fields_are_no_loss() {
    let request =
        decode_request(CHAT, br#"{"model":"m","messages":[],"models":["a"],"provider":{},"tags":["t"]}"#);
    assert_eq!(body(&request, &TOLERANT), (json!({ "model": "m", "messages": [] }), vec![]));
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
fn a_tool_calls_signature_goes_to_nobody_but_its_maker_either() {
    let body = br#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"c2ln"}}}]}]}"#;
    let maker = |account: &str| Minter::Account(account.into());
    let mut request = decode_request(CHAT, body);
    request.signatures_mut().for_each(|state| state.by = Some(maker("a")));
    for (account, sent) in [("a", true), ("b", false)] {
        let minter = maker(account);
        let target = EncodeTarget { minter: Some(&minter), ..target(&TOLERANT) };
        let mut losses = Losses::default();
        let body = codec(CHAT).encode_request(&request, &target, &mut losses).unwrap();
        assert_eq!(String::from_utf8_lossy(&body).contains("c2ln"), sent);
        let paths: Vec<_> = losses.as_slice().iter().map(|loss| (&*loss.path, loss.subject)).collect();
        let lost = [("turns[0].parts[0].signature", Subject::State)];
        assert_eq!(paths, lost[..usize::from(!sent)]);
    }
}

fn target(quirks: &Quirks) -> EncodeTarget<'_> {
    EncodeTarget { model: "m", quirks, stream: false, output_cap: None, output_max: None, minter: None }
}

#[test]
fn state_is_accepted_in_its_dialect_and_from_its_maker() {
    let maker = |account: &str| Minter::Account(account.into());
    let (ours, theirs) = (maker("a"), maker("b"));
    let knowing = EncodeTarget { minter: Some(&ours), ..target(&TOLERANT) };
    let state =
        |by: Option<&Minter>| Minted { by: by.cloned(), ..Minted::unknown(Dialect::AnthropicMessages, ()) };
    for (target, by, accepted) in [
        (knowing, Some(&ours), true),
        (knowing, Some(&theirs), false),
        (knowing, None, true),
        (target(&TOLERANT), Some(&theirs), true),
    ] {
        assert_eq!(target.accepts(&state(by), Dialect::AnthropicMessages), accepted);
        assert!(!target.accepts(&state(by), Dialect::GeminiGenerate), "another dialect's");
    }
}

#[test]
fn what_a_model_signed_elsewhere_is_accepted_in_whatever_dialect_it_did() {
    let model = |name: &str| Minter::Model(name.into());
    let (ours, theirs) = (model("acme/m"), model("acme/n"));
    let target = EncodeTarget { minter: Some(&ours), ..target(&TOLERANT) };
    let state =
        |by: Option<&Minter>| Minted { by: by.cloned(), ..Minted::unknown(Dialect::BedrockConverse, ()) };
    for (by, accepted) in [(Some(&ours), true), (Some(&theirs), false), (None, false)] {
        assert_eq!(target.accepts(&state(by), Dialect::AnthropicMessages), accepted);
    }
}

#[test]
fn what_a_server_signed_itself_it_gets_back_however_its_caller_carried_it() {
    let ours = Minter::Account("a".into());
    let state = |by: &Minter| Minted {
        by: Some(by.clone()),
        ..Minted::unknown(Dialect::AnthropicMessages, "c2ln".into())
    };
    let thought = Thought { text: vec!["hm".into()], ..Thought::default() };
    let call =
        ToolCall { id: "c1".into(), name: "f".into(), kind: ToolCallKind::Function, arguments: "{}".into() };
    let quirks = Quirks { reasoning_field: Some("reasoning_details"), ..TOLERANT };
    for (by, sent) in [(ours.clone(), true), (Minter::Account("b".into()), false)] {
        let signed = |kind: PartKind| Part { signature: Some(state(&by)), ..kind.into() };
        let parts =
            vec![signed(PartKind::Reasoning(thought.clone())), signed(PartKind::ToolCall(call.clone()))];
        let request = of_turns(vec![Turn::new(Role::Assistant, parts)]);
        let mut losses = Losses::default();
        let target = EncodeTarget { minter: Some(&ours), ..target(&quirks) };
        let body = codec(CHAT).encode_request(&request, &target, &mut losses).unwrap();
        let message = &serde_json::from_slice::<Value>(&body).unwrap()["messages"][0];
        assert_eq!(message["reasoning_details"][0]["signature"] == "c2ln", sent, "{message}");
        assert_eq!(message["tool_calls"][0]["extra_content"]["google"]["thought_signature"] == "c2ln", sent);
        assert_eq!(String::from_utf8_lossy(&body).contains("c2ln"), sent);
        assert_eq!(losses.is_empty(), sent);
    }
}

#[test]
fn of_two_caps_the_smaller_governs() {
    for (old, new) in [(5, 9), (9, 5)] {
        let body =
            format!(r#"{{"model":"m","messages":[],"max_tokens":{old},"max_completion_tokens":{new}}}"#);
        assert_eq!(decode_request(CHAT, body.as_bytes()).sampling.output_max, Some(5), "{body}");
    }
}

#[test]
fn plain_text_of_another_dialect_is_a_string_and_what_it_carried_is_lost() {
    let known = vec![
        ("future".into(), RawJson::parse("1").unwrap()),
        ("nothing".into(), RawJson::parse("null").unwrap()),
    ];
    let part = Part {
        kind: PartKind::Text { text: "a".into(), citations: vec![Citation::default()] },
        cache: Some(CacheMark::default()),
        signature: Some(Minted::unknown(Dialect::GeminiGenerate, "c2ln".into())),
        extras: Extras::new(Dialect::AnthropicMessages, 3, known),
    };
    let (body, losses) = body(&of_turns(vec![Turn::new(Role::User, vec![part])]), &TOLERANT);
    assert_eq!(body["messages"], json!([{ "role": "user", "content": "a" }]));
    assert_eq!(
        losses,
        [
            dropped("turns[0].parts[0].citations", Subject::Content),
            dropped("turns[0].parts[0].cache", Subject::Cache),
            dropped("turns[0].parts[0].signature", Subject::State),
            dropped("turns[0].parts[0].future", Subject::Other),
        ]
    );
}

#[test]
fn text_after_a_call_is_moved_with_a_word_about_it() {
    let call =
        ToolCall { id: "c".into(), name: "f".into(), kind: ToolCallKind::Function, arguments: "{}".into() };
    let call = || Part::from(PartKind::ToolCall(call.clone()));
    for (parts, lost) in [
        (vec![Part::text("a"), call()], vec![]),
        (vec![call(), Part::text("a")], vec![adapted("turns[0]", Subject::Content)]),
    ] {
        let (body, losses) = body(&of_turns(vec![Turn::new(Role::Assistant, parts)]), &TOLERANT);
        assert_eq!((&body["messages"][0]["content"], losses), (&json!("a"), lost));
    }
}

#[test]
fn thinking_no_server_takes_back_is_lost_by_name() {
    let thought = Thought { text: vec!["hm".into()], ..Thought::default() };
    let signature = Some(Minted::unknown(Dialect::AnthropicMessages, "c2ln".into()));
    let part = Part { signature, ..Part::new(PartKind::Reasoning(thought)) };
    let turn = Turn::new(Role::Assistant, vec![part, Part::text("a")]);
    let (body, losses) = body(&of_turns(vec![turn]), &TOLERANT);
    assert_eq!(body["messages"], json!([{ "role": "assistant", "content": "a" }]));
    let lost = ["turns[0].parts[0].signature", "turns[0].thinking"];
    assert_eq!(losses, lost.map(|path| dropped(path, Subject::State)));
}

#[test]
fn two_caps_under_one_name_are_written_once() {
    let quirks = Quirks { renamed: &[("max_completion_tokens", "max_tokens")], ..TOLERANT };
    for caps in [
        r#""max_tokens":5,"max_completion_tokens":9"#,
        r#""max_completion_tokens":5,"max_tokens":9"#,
        r#""max_completion_tokens":5,"max_tokens":null"#,
    ] {
        let request = decode_request(CHAT, format!(r#"{{"model":"m","messages":[],{caps}}}"#).as_bytes());
        let written = encode_request(CHAT, &request, &quirks).0;
        let envelope = trunkline_wire::envelope::Envelope::parse(written).expect("no key twice");
        assert_eq!(
            (envelope.unsigned("max_tokens"), envelope.contains("max_completion_tokens")),
            (Some(5), false)
        );
    }
}
