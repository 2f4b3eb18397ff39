//! Callers of one dialect at providers of another.

use trunkline_domain::attempt::Cause;
use trunkline_domain::ledger::{EntryState, RequestRecord};
use trunkline_domain::{Dialect, ErrorKind};
use trunkline_engine::inbound::{Inbound, PathFacts};
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::{After, End};
use trunkline_wire::gemini::path::Framing;

use crate::rig::{Rig, TWO_ACCOUNTS, read};

fn messages(more: &str) -> String {
    format!(
        r#"{{"model":"acme/m","max_tokens":64,{more}"messages":[{{"role":"user","content":"hello there"}}]}}"#
    )
}

#[tokio::test]
async fn an_anthropic_caller_is_answered_by_an_openai_provider() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let seen = rig.send(rig.inbound(Dialect::AnthropicMessages, &messages(""))).await.unwrap();
    assert!(seen.body.starts_with(r#"{"id":"msg_"#), "{}", seen.body);
    assert!(seen.body.contains(r#""stop_reason":"end_turn""#), "{}", seen.body);
    assert!(!seen.headers.contains_key("x-trunkline-losses"));
    assert_eq!(rig.provider("east").violations(), Vec::<String>::new());
    let rows = rig.rows_of(seen.request).await;
    assert!(rows[0].settlement.cost.0 > 0);
}

#[tokio::test]
async fn buffered_and_streamed_cost_the_same_in_another_dialect() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.send(rig.inbound(Dialect::AnthropicMessages, &messages(""))).await.unwrap();
    let seen =
        rig.send(rig.inbound(Dialect::AnthropicMessages, &messages("\"stream\":true,"))).await.unwrap();
    assert!(seen.body.starts_with("event: message_start\n"), "{}", seen.body);
    assert!(
        seen.body.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        "{}",
        seen.body
    );
    assert!(seen.body.contains(": x-trunkline-cost-usd="), "{}", seen.body);
    let rows = rig.rows().await;
    assert_eq!(rows[0].settlement.usage, rows[1].settlement.usage);
    assert_eq!(rows[0].settlement.cost, rows[1].settlement.cost);
    rig.assert_nothing_held();
}

#[tokio::test]
async fn what_is_lost_is_named_in_a_header_and_in_the_receipt() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let mut inbound = rig.inbound(Dialect::AnthropicMessages, &messages("\"top_k\":5,"));
    inbound.headers.insert("x-trunkline-receipt", "full".parse().unwrap());
    let seen = rig.send(inbound).await.unwrap();
    assert_eq!(seen.headers.get("x-trunkline-losses").unwrap(), "top_k");
    assert!(seen.body.contains(r#""losses":["top_k"]"#), "{}", seen.body);
    assert!(seen.body.contains(r#""edits":["recast:anthropic_messages->openai_chat"]"#), "{}", seen.body);
}

#[tokio::test]
async fn what_a_streams_caller_could_not_be_told_was_named_nowhere() {
    let claude = TWO_ACCOUNTS
        .replace("kind = \"custom\"", "kind = \"anthropic\"")
        .replace("id = \"m-1\"", "id = \"claude-m-1\"");
    // Google's answers do not say which stop sequence ended them.
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}],"generationConfig":{"stopSequences":["fake"]}}"#;
    let lost = "choices[0].stop_sequence";
    for resume in ["false", "true"] {
        let rig = Rig::new(&claude).await;
        let ask = |stream| {
            let mut inbound = rig.inbound(Dialect::GeminiGenerate, body);
            inbound.path = Some(PathFacts { model: "acme/m".into(), stream });
            inbound.headers.insert("x-trunkline-resume", resume.parse().unwrap());
            inbound
        };
        let whole = rig.send(ask(None)).await.unwrap();
        assert_eq!(whole.headers.get("x-trunkline-losses").unwrap(), lost);
        let stream = rig.send(ask(Some(Framing::Sse))).await.unwrap();
        assert!(stream.body.contains(r#""finishReason":"STOP""#), "{}", stream.body);
        let named = |record: RequestRecord| record.losses.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(named(rig.record(whole.request).await), [lost]);
        assert_eq!(named(rig.record(stream.request).await), [lost], "resume = {resume}");
    }
}

#[tokio::test]
async fn where_no_loss_is_tolerated_the_request_is_refused_and_nothing_is_sent() {
    let by_route = format!("{TWO_ACCOUNTS}[routes.all]\ntargets = [\"acme/m\"]\nstrict = true\n");
    let by_subject =
        format!("{TWO_ACCOUNTS}[routes.all]\ntargets = [\"acme/m\"]\nlosses.sampling = \"adapt\"\n");
    for (config, model, wish) in [
        (TWO_ACCOUNTS, "acme/m", "\"routing\":{\"strict\":true},"),
        (&*by_route, "all", ""),
        (&*by_subject, "all", ""),
    ] {
        let rig = Rig::new(config).await;
        let body = messages(&format!("\"top_k\":5,{wish}")).replace("acme/m", model);
        let error = rig.send(rig.inbound(Dialect::AnthropicMessages, &body)).await.unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::UnsupportedParameter, Some("top_k")));
        assert_eq!(rig.provider("east").log().len(), 0);
        rig.assert_nothing_held();
        let lossless = messages(wish).replace("acme/m", model);
        assert_eq!(rig.send(rig.inbound(Dialect::AnthropicMessages, &lossless)).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_body_that_is_no_message_is_refused_by_its_field() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let body = messages("\"temperature\":\"hot\",");
    let error = rig.send(rig.inbound(Dialect::AnthropicMessages, &body)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert_eq!(error.param.as_deref(), Some("temperature"));
    rig.assert_nothing_held();
    assert_eq!(rig.provider("east").log().len(), 0);
}

#[tokio::test]
async fn a_tool_only_the_callers_provider_has_is_refused_and_nothing_is_sent() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let body = messages("\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}],");
    let error = rig.send(rig.inbound(Dialect::AnthropicMessages, &body)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnsupportedParameter);
    assert!(error.message.contains("tools[0]"), "{error:?}");
    rig.assert_nothing_held();
    assert_eq!(rig.provider("east").log().len(), 0);
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_the_callers_kind_of_error() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.provider("east").push(Script::default().ending(End::Cut(After::Pieces(4))));
    let seen =
        rig.send(rig.inbound(Dialect::AnthropicMessages, &messages("\"stream\":true,"))).await.unwrap();
    let (_, end) = seen.body.rsplit_once("event: ").unwrap();
    assert!(
        end.starts_with("error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""),
        "{}",
        seen.body
    );
    assert!(seen.body.contains("\"text\":\"Hello "), "{}", seen.body);
}

#[tokio::test]
async fn a_caller_of_responses_is_answered_buffered_and_streamed_at_the_same_cost() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let whole =
        rig.send(rig.inbound(Dialect::OpenaiResponses, r#"{"model":"acme/m","input":"hello there"}"#));
    assert!(whole.await.unwrap().body.starts_with(r#"{"id":"resp_"#));
    let body = r#"{"model":"acme/m","input":"hello there","stream":true}"#;
    let seen = rig.send(rig.inbound(Dialect::OpenaiResponses, body)).await.unwrap();
    assert!(seen.body.starts_with("event: response.created\n"), "{}", seen.body);
    assert!(seen.body.contains("event: response.completed\n"), "{}", seen.body);
    let rows = rig.rows().await;
    assert_eq!(rows[0].settlement.usage, rows[1].settlement.usage);
    assert_eq!(rows[0].settlement.cost, rows[1].settlement.cost);
    assert_eq!(rig.provider("east").violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_gemini_caller_names_the_model_in_the_path() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"hello there"}]}]}"#;
    for (stream, begins, ends) in [
        (None, "{\"candidates\":", "}"),
        (Some(Framing::Sse), "data: {\"candidates\":", "}\n\n"),
        (Some(Framing::JsonArray), "[{\"candidates\":", "]\r\n"),
    ] {
        let mut inbound = rig.inbound(Dialect::GeminiGenerate, body);
        inbound.path = Some(PathFacts { model: "acme/m".into(), stream });
        let answer = rig.engine.serve(inbound).await.map_err(|refusal| refusal.error).unwrap();
        let text = read(answer.body).await;
        assert!(text.starts_with(begins) && text.ends_with(ends), "{text}");
        assert!(text.contains("\"totalTokenCount\":"), "{text}");
        // google-genai takes a comment for a piece of an error.
        assert!(!text.lines().any(|line| line.starts_with(':')), "{text}");
        if stream == Some(Framing::JsonArray) {
            let elements: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            assert!(elements.len() > 1);
        }
    }
    assert_eq!(rig.provider("east").violations(), Vec::<String>::new());
}

/// An account's kind, and the path of its API.
type Kind = (&'static str, &'static str);

const OPENAI: Kind = ("custom", "v1");
const ANTHROPIC: Kind = ("anthropic", "v1");
const GEMINI: Kind = ("gemini", "v1beta");
const KINDS: [Kind; 3] = [OPENAI, ANTHROPIC, GEMINI];

/// Two accounts of one model whose providers speak what they speak.
fn accounts(east: Kind, west: Kind) -> String {
    let account = |name: &str, (kind, path): Kind, priority: u8| {
        format!(
            r#"
            [providers.{name}]
            kind = "{kind}"
            base_url = "http://{name}.test/{path}"
            api_key = {{ env = "KEY" }}
            priority = {priority}
            models = [{{ id = "gemini-3-fake", name = "acme/m", context_window = 8000, output_max = 1000, input_usd_per_million = 1, output_usd_per_million = 10 }}]
            "#
        )
    };
    account("east", east, 0) + &account("west", west, 1)
}

const CALLERS: [Dialect; 3] = [Dialect::OpenaiChat, Dialect::AnthropicMessages, Dialect::GeminiGenerate];

/// The same question in a caller's dialect.
fn question(rig: &Rig, caller: Dialect, stream: bool) -> Inbound {
    if caller == Dialect::GeminiGenerate {
        let body = r#"{"contents":[{"role":"user","parts":[{"text":"hello there"}]}]}"#;
        let mut inbound = rig.inbound(caller, body);
        let stream = stream.then_some(Framing::Sse);
        inbound.path = Some(PathFacts { model: "acme/m".into(), stream });
        return inbound;
    }
    rig.inbound(caller, &messages(if stream { "\"stream\":true," } else { "" }))
}

/// What ends a good stream of a dialect, and what ends one that breaks off.
fn ends(caller: Dialect) -> (&'static str, &'static str) {
    if caller == Dialect::AnthropicMessages {
        ("{\"type\":\"message_stop\"}", "event: error\ndata: {\"type\":\"error\"")
    } else if caller == Dialect::GeminiGenerate {
        ("}", "data: {\"error\":{\"code\":")
    } else {
        ("data: [DONE]", "data: {\"error\":{\"message\":")
    }
}

#[tokio::test]
async fn a_failing_provider_is_followed_by_one_of_another_dialect() {
    for (east, west) in [(ANTHROPIC, OPENAI), (OPENAI, ANTHROPIC), (ANTHROPIC, GEMINI), (GEMINI, OPENAI)] {
        for (caller, stream) in CALLERS.into_iter().flat_map(|caller| [(caller, false), (caller, true)]) {
            let rig = Rig::new(&accounts(east, west)).await;
            rig.provider("east").push(Script::error(529, "overloaded_error", None, "Overloaded"));
            let seen = rig.send(question(&rig, caller, stream)).await.unwrap();
            let case = format!("{caller:?} at {east:?}, then {west:?}: {}", seen.body);
            assert!(seen.body.contains("Hello "), "{case}");
            assert!(!stream || seen.body.trim_end().ends_with(ends(caller).0), "{case}");
            assert_eq!(seen.headers["x-trunkline-provider"], west.0, "{case}");
            assert_eq!(rig.provider("east").violations(), Vec::<String>::new(), "{case}");
            assert_eq!(rig.provider("west").violations(), Vec::<String>::new(), "{case}");
            let rows = rig.rows_of(seen.request).await;
            let told: Vec<_> = rows.iter().map(|row| (&*row.opening.account, row.settlement.cause)).collect();
            assert_eq!(told, [("east", Some(Cause::Overloaded)), ("west", None)], "{case}");
            rig.assert_nothing_held();
        }
    }
}

#[tokio::test]
async fn an_error_after_a_200_fails_over_in_every_dialect() {
    for (east, caller) in KINDS.into_iter().flat_map(|kind| CALLERS.map(|caller| (kind, caller))) {
        let rig = Rig::new(&accounts(east, OPENAI)).await;
        rig.provider("east").push(Script::overloaded_event());
        let seen = rig.send(question(&rig, caller, true)).await.unwrap();
        let case = format!("{caller:?} at {east:?}: {}", seen.body);
        assert!(seen.body.contains("Hello ") && seen.body.trim_end().ends_with(ends(caller).0), "{case}");
        assert_eq!(seen.headers["x-trunkline-attempts"], "2", "{case}");
        let rows = rig.rows_of(seen.request).await;
        assert_eq!(rows[0].settlement.cause, Some(Cause::Overloaded), "{case}");
        rig.assert_nothing_held();
    }
}

#[tokio::test]
async fn every_caller_pays_every_provider_what_it_bills_buffered_and_streamed() {
    for (kind, caller) in KINDS.into_iter().flat_map(|kind| CALLERS.map(|caller| (kind, caller))) {
        let rig = Rig::new(&accounts(kind, kind)).await;
        for stream in [false, true] {
            rig.send(question(&rig, caller, stream)).await.unwrap();
        }
        let rows = rig.rows().await;
        for (row, seen) in rows.iter().zip(rig.provider("east").log()) {
            let billed = seen.billed.unwrap();
            let usage = &row.settlement.usage;
            assert_eq!(seen.violations, Vec::<String>::new(), "{caller:?} at {kind:?}");
            assert_eq!(
                (usage.prompt_total(), usage.completion_total()),
                (billed.prompt_tokens, billed.completion_tokens)
            );
            // A dollar a million tokens in, ten out.
            let nano =
                i128::from(billed.prompt_tokens) * 1_000 + i128::from(billed.completion_tokens) * 10_000;
            assert_eq!(i128::from(row.settlement.cost.0), nano, "{caller:?} at {kind:?}");
        }
        assert_eq!(rows.len(), 2);
        rig.assert_nothing_held();
    }
}

#[tokio::test]
async fn a_stream_cut_in_any_dialect_ends_in_the_callers_kind_of_error() {
    for (kind, caller) in KINDS.into_iter().flat_map(|kind| CALLERS.map(|caller| (kind, caller))) {
        for end in [End::Cut(After::Pieces(6)), End::Truncate(After::Pieces(6)), End::Overloaded(6)] {
            let rig = Rig::new(&accounts(kind, kind)).await;
            rig.provider("east").push(Script::default().ending(end));
            let seen = rig.send(question(&rig, caller, true)).await.unwrap();
            let case = format!("{caller:?} at {kind:?}, {end:?}: {}", seen.body);
            assert!(seen.body.contains("Hello "), "{case}");
            let (before, _) = seen.body.rsplit_once(ends(caller).1).unwrap_or_else(|| panic!("{case}"));
            assert!(!before.contains(ends(caller).1), "one error: {case}");
            let row = rig.rows_of(seen.request).await.remove(0);
            assert_eq!(row.settlement.state, EntryState::Partial, "{case}");
            assert!(row.settlement.cost.0 > 0, "what was seen is charged: {case}");
            rig.assert_nothing_held();
        }
    }
}

#[tokio::test]
async fn what_a_provider_read_from_its_cache_is_counted_as_read() {
    let rig = Rig::new(&accounts(ANTHROPIC, OPENAI)).await;
    let system = r#""system":[{"type":"text","text":"one two three","cache_control":{"type":"ephemeral"}}],"#;
    for stream in ["", "\"stream\":true,"] {
        let body = messages(&format!("{system}{stream}"));
        rig.send(rig.inbound(Dialect::AnthropicMessages, &body)).await.unwrap();
    }
    let rows = rig.rows().await;
    let read: Vec<_> = rows.iter().map(|row| row.settlement.usage.cache_read_tokens).collect();
    assert_eq!(read, [0, 3]);
    for (row, seen) in rows.iter().zip(rig.provider("east").log()) {
        assert_eq!(row.settlement.usage.prompt_total(), seen.billed.unwrap().prompt_tokens);
    }
}
