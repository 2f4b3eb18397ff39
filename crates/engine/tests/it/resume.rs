//! Streams that break off and are gone on with: what the caller reads, what the providers are asked, what is written down.

use std::collections::HashSet;
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::Value;
use trunkline_domain::attempt::Cause;
use trunkline_domain::ledger::EntryState;
use trunkline_domain::{Dialect, NanoUsd};
use trunkline_engine::inbound::{Inbound, PathFacts};
use trunkline_engine::mint::KeySpec;
use trunkline_testkit::fake_provider::Script;
use trunkline_testkit::fake_provider::script::{After, Begun, End};
use trunkline_wire::gemini::path::Framing;

use crate::rig::{Rig, Seen, ask_stream, budget};

/// Longer than what is held back, and without words said twice.
const TEXT: &str = "Alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa \
                    quebec romeo sierra tango uniform victor whiskey xray yankee zulu. That was the alphabet.";

/// Kind of provider, and what follows its host.
type Kind = (&'static str, &'static str);
const OPENAI: Kind = ("custom", "v1");
const ANTHROPIC: Kind = ("anthropic", "v1");
const GOOGLE: Kind = ("gemini", "v1beta");
const PAIRS: [(Kind, Kind); 5] =
    [(OPENAI, OPENAI), (OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI), (ANTHROPIC, ANTHROPIC), (GOOGLE, OPENAI)];

/// A dialect as its callers speak and read it.
#[derive(Clone, Copy, Debug)]
struct Caller {
    dialect: Dialect,
    /// A streamed request, with `MODEL` for its model and `MORE` for further members.
    request: &'static str,
    /// Where an event has text.
    text: &'static str,
    /// Where an event has the answer's id.
    id: &'static str,
    /// Where an event has prompt and completion tokens.
    usage: [&'static str; 2],
    /// What a whole stream has once.
    end: &'static str,
}

const CHAT: Caller = Caller {
    dialect: Dialect::OpenaiChat,
    request: r#"{MORE"model":"MODEL","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello there"}]}"#,
    text: "/choices/0/delta/content",
    id: "/id",
    usage: ["/usage/prompt_tokens", "/usage/completion_tokens"],
    end: "data: [DONE]\n\n",
};

const GEMINI: Caller = Caller {
    dialect: Dialect::GeminiGenerate,
    request: r#"{MORE"contents":[{"role":"user","parts":[{"text":"hello there"}]}]}"#,
    text: "/candidates/0/content/parts/0/text",
    id: "/responseId",
    usage: ["/usageMetadata/promptTokenCount", "/usageMetadata/candidatesTokenCount"],
    end: "\"finishReason\":\"STOP\"",
};

const MESSAGES: Caller = Caller {
    dialect: Dialect::AnthropicMessages,
    request: r#"{MORE"model":"MODEL","stream":true,"max_tokens":64,"messages":[{"role":"user","content":"hello there"}]}"#,
    text: "/delta/text",
    id: "/message/id",
    usage: ["/usage/input_tokens", "/usage/output_tokens"],
    end: "event: message_stop\n",
};

const RESPONSES: Caller = Caller {
    dialect: Dialect::OpenaiResponses,
    request: r#"{MORE"model":"MODEL","stream":true,"input":"hello there"}"#,
    text: "/delta",
    id: "/response/id",
    usage: ["/response/usage/input_tokens", "/response/usage/output_tokens"],
    end: "event: response.completed\n",
};

/// Two accounts of one model; the second goes on with what the first began.
fn accounts(east: Kind, west: Kind) -> String {
    let account = |name: &str, (kind, path): Kind, priority: u8, dollars: u8| {
        let id = if kind == "anthropic" { "claude-haiku-4-5" } else { "m-1" };
        let prefill = if kind == "custom" { "prefill = \"prefix\"" } else { "" };
        format!(
            r#"
            [providers.{name}]
            kind = "{kind}"
            base_url = "http://{name}.test/{path}"
            api_key = {{ env = "KEY" }}
            priority = {priority}
            {prefill}
            models = [{{ id = "{id}", name = "acme/m", context_window = 8000, output_max = 1000, input_usd_per_million = {dollars}, output_usd_per_million = {dollars}0 }}]
            "#
        )
    };
    format!(
        "{}{}[routes.steady]\ntargets = [\"acme/m\"]\nresume = true\n",
        account("east", east, 0, 1),
        account("west", west, 1, 2)
    )
}

/// A streamed request.
fn inbound(rig: &Rig, caller: &Caller, model: &str, more: &str) -> Inbound {
    let body = caller.request.replace("MODEL", model).replace("MORE", more);
    let path = PathFacts { model: model.into(), stream: Some(Framing::Sse) };
    let path = (caller.dialect == GEMINI.dialect).then_some(path);
    Inbound { path, ..rig.inbound(caller.dialect, &body) }
}

fn events(body: &str) -> impl DoubleEndedIterator<Item = Value> {
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    events.filter_map(|event| serde_json::from_str(event).ok())
}

/// The text a client of the dialect would put together.
fn text(caller: &Caller, body: &str) -> String {
    events(body).filter_map(|event| event.pointer(caller.text)?.as_str().map(str::to_owned)).collect()
}

/// The prompt and completion tokens a client of the dialect would read last.
fn usage(caller: &Caller, body: &str) -> (u64, u64) {
    let [prompt, completion] = caller.usage;
    let read = |event: Value| Some((event.pointer(prompt)?.as_u64()?, event.pointer(completion)?.as_u64()?));
    events(body).rev().find_map(read).unwrap_or_default()
}

fn is_whole(caller: &Caller, body: &str) -> bool {
    let error = body.contains("\"error\":{") || body.contains("event: error");
    body.matches(caller.end).count() == 1 && !error
}

async fn send(rig: &Rig, caller: &Caller) -> Seen {
    rig.send(inbound(rig, caller, "steady", "")).await.unwrap()
}

/// Runs a case in a runtime of its own, so that its engine and its journal are gone before the next.
fn alone<T>(case: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(case)
}

/// Cuts a stream after every event, for a caller of the dialect, between providers of every pair of dialects.
fn cut_everywhere(caller: &Caller) {
    let words = TEXT.split(' ').count();
    for pair in PAIRS {
        let cuts = 0..words as u64 + 6;
        let resumed = cuts.filter(|cut| alone(cut_after(*cut, caller, pair))).count();
        assert!(resumed + 4 > words, "{caller:?} {pair:?}: {resumed}");
    }
}

#[test]
fn a_stream_cut_anywhere_is_whole_for_callers_of_chat() {
    cut_everywhere(&CHAT);
}

#[test]
fn a_stream_cut_anywhere_is_whole_for_callers_of_messages() {
    cut_everywhere(&MESSAGES);
}

#[test]
fn a_stream_cut_anywhere_is_whole_for_callers_of_gemini() {
    cut_everywhere(&GEMINI);
}

#[test]
fn a_stream_cut_anywhere_is_whole_for_callers_of_responses() {
    cut_everywhere(&RESPONSES);
}

/// One stream cut after so many events; whether it was gone on with.
async fn cut_after(cut: u64, caller: &Caller, (east, west): (Kind, Kind)) -> bool {
    let rig = Rig::new(&accounts(east, west)).await;
    let after = After::Pieces(cut);
    let end = if cut.is_multiple_of(2) { End::Cut(after) } else { End::Truncate(after) };
    rig.provider("east").push(Script::says(TEXT).ending(end));
    rig.provider("west").push(Script::goes_on(TEXT, Begun::GoesOn));
    let seen = send(&rig, caller).await;
    let case = format!("{:?} {} {} cut {cut}: {}", caller.dialect, east.0, west.0, seen.body);
    assert_eq!(text(caller, &seen.body), TEXT, "{case}");
    assert_eq!(rig.provider("west").violations(), Vec::<String>::new(), "{case}");
    let (rows, record) = (rig.rows_of(seen.request).await, rig.record(seen.request).await);
    rig.assert_nothing_held();
    let [seam] = record.seams[..] else {
        // What had said that it is finished is not gone on with; what had not begun is tried elsewhere.
        assert!(is_whole(caller, &seen.body) || rows.len() == 1, "{case}");
        return false;
    };
    assert!(is_whole(caller, &seen.body), "{case}");
    assert_eq!((seam.attempt, record.final_attempt), (2, Some(2)), "{case}");
    let ids: HashSet<_> =
        events(&seen.body).filter_map(|event| Some(event.pointer(caller.id)?.to_string())).collect();
    assert_eq!(ids.len(), 1, "{case}");
    let causes: Vec<_> = rows.iter().map(|row| row.settlement.cause).collect();
    assert_eq!(causes, [Some(Cause::Cut), None], "{case}");
    assert_eq!(rows[1].settlement.state, EntryState::Settled, "{case}");
    let said = rows[0].settlement.usage.plus(&rows[1].settlement.usage);
    assert_eq!(usage(caller, &seen.body), (said.prompt_total(), said.completion_total()), "{case}");
    if caller.dialect != GEMINI.dialect {
        let seam = format!(": x-trunkline-resumed attempt=2 at_bytes={}", seam.at_bytes);
        assert_eq!(seen.body.matches(&seam).count(), 1, "{case}");
        let cost = rows[0].settlement.cost.saturating_add(rows[1].settlement.cost);
        assert!(seen.body.contains(&format!("x-trunkline-cost-usd={cost} ")), "{case}");
    }
    true
}

/// An engine whose first provider breaks off after six words, and whose second answers by this script.
async fn broken(config: &str, spec: KeySpec, sequel: Script) -> Rig {
    let rig = Rig::with_key(config, spec).await;
    rig.provider("east").push(Script::says(TEXT).ending(End::Cut(After::Pieces(7))));
    rig.provider("west").push(sequel);
    rig
}

fn open_to_open() -> String {
    accounts(OPENAI, OPENAI)
}

/// What was sent when the first provider broke off.
const SENT: &str = "Alpha bravo charlie delta echo foxtrot ";

/// The stream ended in the error of the break, and says why nobody went on.
fn assert_not_resumed(seen: &Seen, why: &str) {
    assert_eq!(text(&CHAT, &seen.body), SENT, "{}", seen.body);
    assert_eq!(seen.body.matches("\"code\":\"upstream_cut\"").count(), 1, "{}", seen.body);
    assert!(seen.body.contains("the provider's stream broke off (cut)"), "{}", seen.body);
    assert!(seen.body.contains(&format!(": x-trunkline-not-resumed={why}\n")), "{}", seen.body);
    assert!(seen.body.ends_with("data: [DONE]\n\n"), "{}", seen.body);
}

#[tokio::test]
async fn a_json_array_goes_on_as_one() {
    let rig = broken(&open_to_open(), KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
    let mut array = inbound(&rig, &GEMINI, "steady", "");
    array.path = Some(PathFacts { model: "steady".into(), stream: Some(Framing::JsonArray) });
    let seen = rig.send(array).await.unwrap();
    let elements: Vec<Value> = serde_json::from_str(&seen.body).unwrap();
    let said = elements.iter().filter_map(|element| element.pointer(GEMINI.text)?.as_str());
    assert_eq!(said.collect::<String>(), TEXT, "{}", seen.body);
}

#[tokio::test]
async fn a_beginning_goes_where_the_provider_takes_it() {
    let deepseek = accounts(OPENAI, ("deepseek", "v1"));
    let rig = broken(&deepseek, KeySpec::default(), Script::default()).await;
    // The fake does not know the address, and says so.
    assert_not_resumed(&send(&rig, &CHAT).await, "failed");
    let call = rig.provider("west").log().remove(0);
    assert!(call.path.ends_with("/beta/chat/completions"), "{}", call.path);
    assert!(call.body.contains(r#""prefix":true"#), "{}", call.body);
}

#[tokio::test]
async fn usage_comes_to_who_asked_for_it_or_for_the_cost_and_to_nobody_else() {
    let annotated = open_to_open().replace("resume = true", "resume = true\nannotate = true");
    for (config, costs) in [(open_to_open(), 0), (annotated, 1)] {
        let rig = broken(&config, KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
        let seen = rig.chat(&ask_stream("steady")).await.unwrap();
        assert_eq!(text(&CHAT, &seen.body), TEXT, "{}", seen.body);
        let rows = rig.rows_of(seen.request).await;
        let cost = rows[0].settlement.cost.saturating_add(rows[1].settlement.cost);
        assert_eq!(seen.body.matches("\"prompt_tokens\":").count(), costs, "{}", seen.body);
        assert_eq!(seen.body.matches(&format!("\"cost\":{cost},")).count(), costs, "{}", seen.body);
    }
}

#[tokio::test]
async fn a_repeated_tail_is_cut_and_said_to_be() {
    for characters in [8, 20, 39] {
        let sequel = Script::goes_on(TEXT, Begun::Repeats(characters));
        let rig = broken(&open_to_open(), KeySpec::default(), sequel).await;
        let seen = send(&rig, &CHAT).await;
        if characters == 39 {
            // All that was said, said again: that is a new beginning.
            assert_not_resumed(&seen, "not_continued");
            continue;
        }
        assert_eq!(text(&CHAT, &seen.body), TEXT, "{}", seen.body);
        let [seam] = rig.record(seen.request).await.seams[..] else { panic!("{}", seen.body) };
        assert_eq!((seam.at_bytes, seam.overlap_bytes), (SENT.len() as u64, characters as u64 + 1));
    }
}

#[tokio::test]
async fn a_new_beginning_and_a_tool_call_end_in_the_error_of_the_break() {
    let call = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}"#;
    let call = format!("{call}\n\n");
    for sequel in [Script::goes_on(TEXT, Begun::Anew), Script::events(&[&call])] {
        let rig = broken(&open_to_open(), KeySpec::default(), sequel).await;
        let seen = send(&rig, &CHAT).await;
        assert_not_resumed(&seen, "not_continued");
        let rows = rig.rows_of(seen.request).await;
        let causes: Vec<_> = rows.iter().map(|row| row.settlement.cause).collect();
        assert_eq!(causes, [Some(Cause::Cut), Some(Cause::NotContinued)], "both have a row");
        assert!(rows[1].settlement.cost > NanoUsd::ZERO, "who began again is paid for it");
        let record = rig.record(seen.request).await;
        assert_eq!((record.seams.len(), record.error.as_deref()), (0, Some("upstream_cut")));
        rig.assert_nothing_held();
    }
}

#[tokio::test]
async fn who_refuses_to_go_on_is_followed_by_the_error_of_the_break() {
    let refusal = Script::error(400, "invalid_request_error", None, "This model does not support prefill.");
    let rig = broken(&open_to_open(), KeySpec::default(), refusal).await;
    assert_not_resumed(&send(&rig, &CHAT).await, "failed");
    rig.assert_nothing_held();
}

#[tokio::test]
async fn whatever_breaks_a_stream_leads_on() {
    let garbage = "data: {\"choices\":[{]]\n\n";
    let chunk = |delta: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let said = chunk(&format!("\"content\":\"{SENT}\""));
    let config = open_to_open().replace("priority = 0", "priority = 0\n timeouts = { idle_ms = 60 }");
    for (first, cause) in [
        (Script::says(TEXT).ending(End::Overloaded(7)), Cause::Overloaded),
        (Script::says(TEXT).ending(End::Stall(After::Pieces(7))), Cause::IdleTimeout),
        (Script::says(TEXT).ending(End::Reset(After::Pieces(7))), Cause::Cut),
        (Script::says(TEXT).ending(End::Truncate(After::Pieces(7))), Cause::Cut),
        (Script::events(&[&said, garbage]), Cause::Malformed),
    ] {
        let rig = Rig::new(&config).await;
        rig.provider("east").push(first);
        rig.provider("west").push(Script::goes_on(TEXT, Begun::GoesOn));
        let seen = send(&rig, &CHAT).await;
        assert_eq!(text(&CHAT, &seen.body), TEXT, "{cause:?}: {}", seen.body);
        assert!(is_whole(&CHAT, &seen.body), "{cause:?}: {}", seen.body);
        assert_eq!(rig.rows_of(seen.request).await[0].settlement.cause, Some(cause));
    }
}

#[tokio::test]
async fn nobody_goes_on_unasked_or_where_it_cannot_be() {
    let rig = broken(&open_to_open(), KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
    let seen = rig.send(inbound(&rig, &CHAT, "acme/m", "")).await.unwrap();
    assert!(seen.body.contains("upstream_cut") && !seen.body.contains("resumed"), "{}", seen.body);
    let rig = broken(&open_to_open(), KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
    let declined = inbound(&rig, &CHAT, "steady", "\"routing\":{\"resume\":false},");
    let seen = rig.send(declined).await.unwrap();
    assert!(seen.body.contains("upstream_cut") && !seen.body.contains("resumed"), "{}", seen.body);
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}],"#;
    for more in [
        tool,
        r#""reasoning_effort":"low","#,
        r#""response_format":{"type":"json_object"},"#,
        r#""logprobs":true,"#,
        r#""n":2,"#,
    ] {
        let rig = Rig::new(&open_to_open()).await;
        rig.provider("east").push(Script::says(TEXT).ending(End::Cut(After::Pieces(2))));
        let seen = rig.send(inbound(&rig, &CHAT, "steady", more)).await.unwrap();
        assert!(seen.body.contains("upstream_cut"), "{more}: {}", seen.body);
        assert!(seen.body.contains("x-trunkline-not-resumed=request"), "{more}: {}", seen.body);
        assert_eq!(rig.provider("west").log().len(), 0, "{more}");
    }
    for config in [
        open_to_open().replace("prefill = \"prefix\"", ""),
        open_to_open().replace("prefill = \"prefix\"", "prefill = \"none\""),
        accounts(OPENAI, ANTHROPIC).replace("claude-haiku-4-5", "claude-opus-4-6"),
    ] {
        let rig = broken(&config, KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
        assert_not_resumed(&send(&rig, &CHAT).await, "nobody_continues");
        assert_eq!(rig.provider("west").log().len(), 0);
    }
}

#[tokio::test]
async fn a_request_may_ask_for_it_in_its_body_or_by_a_header() {
    let sequel = || Script::goes_on(TEXT, Begun::GoesOn);
    let rig = broken(&open_to_open(), KeySpec::default(), sequel()).await;
    let wish = inbound(&rig, &CHAT, "acme/m", "\"routing\":{\"resume\":true},");
    assert_eq!(text(&CHAT, &rig.send(wish).await.unwrap().body), TEXT);
    let rig = broken(&open_to_open(), KeySpec::default(), sequel()).await;
    let mut wish = inbound(&rig, &CHAT, "acme/m", "");
    wish.headers.insert("x-trunkline-resume", "true".parse().unwrap());
    assert_eq!(text(&CHAT, &rig.send(wish).await.unwrap().body), TEXT);
}

#[tokio::test]
async fn the_beginning_is_marked_as_the_provider_reads_it_and_the_cap_is_what_is_left() {
    let fields = open_to_open().replace("prefill = \"prefix\"", "prefill = \"continue_final_message\"");
    let last = open_to_open().replace("prefill = \"prefix\"", "prefill = \"last_message\"");
    let partial = open_to_open().replace("prefill = \"prefix\"", "prefill = \"partial\"");
    for (config, member, field) in [
        (open_to_open(), Some("prefix"), false),
        (partial, Some("partial"), false),
        (last, None, false),
        (fields, None, true),
    ] {
        let rig = broken(&config, KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
        send_capped(&rig).await;
        let log = rig.provider("west").log();
        let body: Value = serde_json::from_str(&log[0].body).unwrap();
        let turn = body["messages"].as_array().unwrap().last().unwrap();
        assert_eq!((&turn["role"], turn["content"].as_str()), (&"assistant".into(), Some(SENT.trim_end())));
        for name in ["prefix", "partial"] {
            assert_eq!(turn.get(name), (member == Some(name)).then_some(&Value::Bool(true)), "{body}");
        }
        let said = field.then_some((&Value::Bool(true), &Value::Bool(false)));
        assert_eq!(body.get("continue_final_message").zip(body.get("add_generation_prompt")), said, "{body}");
        // Ten tokens of four bytes were generated.
        assert_eq!(body["max_tokens"], 90, "{body}");
        assert_eq!(body["messages"].as_array().unwrap().len(), 2, "{body}");
        assert!(body.get("routing").is_none(), "{body}");
    }
}

async fn send_capped(rig: &Rig) -> Seen {
    let more = "\"max_tokens\":100,\"routing\":{\"resume\":true},";
    rig.send(inbound(rig, &CHAT, "steady", more)).await.unwrap()
}

#[tokio::test]
async fn a_continuation_that_does_not_fit_the_budget_is_not_tried() {
    // Room for the first attempt's hold and no more than its rest.
    let rig = broken(&open_to_open(), budget("0.002"), Script::goes_on(TEXT, Begun::GoesOn)).await;
    assert_not_resumed(&send_capped(&rig).await, "budget");
    assert_eq!(rig.provider("west").log().len(), 0);
    rig.assert_nothing_held();
    let rig = broken(&open_to_open(), budget("1"), Script::goes_on(TEXT, Begun::GoesOn)).await;
    assert_eq!(text(&CHAT, &send_capped(&rig).await.body), TEXT);
}

#[tokio::test]
async fn attempts_and_the_budget_of_retries_count_it() {
    let once = open_to_open().replace("resume = true", "resume = true\nattempts_max = 1");
    let rig = broken(&once, KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
    assert_not_resumed(&send(&rig, &CHAT).await, "attempts");
    let rig = broken(&open_to_open(), KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
    while rig.engine.core().retries.spend() {}
    assert_not_resumed(&send(&rig, &CHAT).await, "retries");
}

#[test]
fn a_continuation_that_breaks_off_is_gone_on_with_too() {
    let third = accounts(OPENAI, ANTHROPIC).replace(
        "[routes.steady]",
        "[providers.north]\nkind = \"custom\"\nbase_url = \"http://north.test/v1\"\napi_key = { env = \"KEY\" }\npriority = 2\nprefill = \"last_message\"\nmodels = [{ id = \"m-3\", name = \"acme/m\", context_window = 8000, output_max = 1000, input_usd_per_million = 3, output_usd_per_million = 30 }]\n[routes.steady]",
    );
    let words = TEXT.split(' ').count() as u64;
    (0..words + 4).for_each(|cut| alone(twice_broken(&third, cut)));
}

/// A stream that breaks off, and again after so many events of the continuation.
async fn twice_broken(config: &str, cut: u64) {
    let rig = Rig::new(config).await;
    rig.provider("east").push(Script::says(TEXT).ending(End::Cut(After::Pieces(7))));
    let breaks = Script::goes_on(TEXT, Begun::GoesOn).ending(End::Cut(After::Pieces(cut)));
    rig.provider("west").push(breaks);
    rig.provider("north").push(Script::goes_on(TEXT, Begun::GoesOn));
    let seen = rig.send(inbound(&rig, &CHAT, "steady", "")).await.unwrap();
    assert_eq!(text(&CHAT, &seen.body), TEXT, "cut {cut}: {}", seen.body);
    let rows = rig.rows_of(seen.request).await;
    let seams = rig.record(seen.request).await.seams;
    let at: Vec<u64> = seams.iter().map(|seam| seam.at_bytes).collect();
    assert!(at.is_sorted() && at.len() < rows.len(), "cut {cut}: {}", seen.body);
    let cost = rows.iter().fold(NanoUsd::ZERO, |sum, row| sum.saturating_add(row.settlement.cost));
    if is_whole(&CHAT, &seen.body) {
        assert!(seen.body.contains(&format!("x-trunkline-cost-usd={cost} ")), "cut {cut}: {}", seen.body);
    }
    rig.assert_nothing_held();
}

#[tokio::test]
async fn the_same_model_is_asked_before_another() {
    let config = open_to_open()
        .replace("targets = [\"acme/m\"]", "targets = [\"acme/m\", \"acme/other\", \"west/m-1\"]")
        .replacen("[providers.west]", "[providers.north]\nkind = \"custom\"\nbase_url = \"http://north.test/v1\"\napi_key = { env = \"KEY\" }\nprefill = \"prefix\"\nmodels = [{ id = \"o\", name = \"acme/other\", context_window = 8000, output_max = 1000, input_usd_per_million = 1, output_usd_per_million = 1 }]\n[providers.west]", 1);
    let rig = broken(&config, KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
    let seen = send(&rig, &CHAT).await;
    assert!(seen.body.contains("x-trunkline-provider=custom x-trunkline-model=acme/m"), "{}", seen.body);
    assert_eq!((rig.provider("west").log().len(), rig.provider("north").log().len()), (1, 0));
    // And another where there is no other of the same.
    let rig = Rig::new(&config).await;
    rig.provider("east").push(Script::says(TEXT).ending(End::Cut(After::Pieces(7))));
    rig.provider("west").push(Script::server_error());
    rig.provider("north").push(Script::goes_on(TEXT, Begun::GoesOn));
    let seen = send(&rig, &CHAT).await;
    assert_eq!(text(&CHAT, &seen.body), TEXT, "{}", seen.body);
    assert!(seen.body.contains("x-trunkline-model=acme/other x-trunkline-attempts=3"), "{}", seen.body);
}

#[tokio::test]
async fn what_broke_off_for_the_callers_own_reasons_is_not_gone_on_with() {
    let blocked = r#"data: {"error":{"message":"flagged","type":"invalid_request_error","code":"content_policy_violation"}}"#;
    let said = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":"Alpha bravo charlie delta echo foxtrot "},"finish_reason":null}]}"#;
    let rig = Rig::new(&open_to_open()).await;
    rig.provider("east").push(Script::events(&[&format!("{said}\n\n"), &format!("{blocked}\n\n")]));
    let seen = send(&rig, &CHAT).await;
    assert!(seen.body.contains(": x-trunkline-not-resumed=cause\n"), "{}", seen.body);
    assert_eq!(rig.provider("west").log().len(), 0, "{}", seen.body);
}

#[tokio::test]
async fn a_tool_call_after_the_seam_ends_the_stream_and_nobody_else_is_asked() {
    let chunk = |delta: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let (_, rest) = TEXT.split_once("foxtrot").unwrap();
    let said = chunk(&format!("\"content\":\"{rest}\""));
    let call = chunk(
        "\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]",
    );
    let rig = broken(&open_to_open(), KeySpec::default(), Script::events(&[&said, &call])).await;
    let seen = send(&rig, &CHAT).await;
    assert_eq!(text(&CHAT, &seen.body), TEXT, "{}", seen.body);
    assert!(seen.body.contains(": x-trunkline-not-resumed=not_continued\n"), "{}", seen.body);
    assert!(seen.body.contains("\"code\":\"upstream_cut\""), "{}", seen.body);
    assert_eq!(rig.rows_of(seen.request).await.len(), 2);
}

#[tokio::test]
async fn the_receipt_tells_of_the_seam() {
    let rig = broken(&open_to_open(), KeySpec::default(), Script::goes_on(TEXT, Begun::GoesOn)).await;
    let mut inbound = inbound(&rig, &CHAT, "steady", "");
    inbound.headers.insert("x-trunkline-receipt", "full".parse().unwrap());
    let seen = rig.send(inbound).await.unwrap();
    let seam = format!(r#""seams":[{{"attempt":2,"at_bytes":{},"overlap_bytes":1}}]"#, SENT.len());
    assert!(seen.body.contains(&seam), "{}", seen.body);
    assert!(seen.body.contains(r#""resume:openai_chat->openai_chat""#), "{}", seen.body);
}

#[tokio::test]
async fn a_caller_who_leaves_while_somebody_is_asked_to_go_on_leaves_two_rows() {
    let slow = Script { head_after_ms: 400, ..Script::goes_on(TEXT, Begun::GoesOn) };
    let rig = broken(&open_to_open(), KeySpec::default(), slow).await;
    let answer = rig.engine.serve(inbound(&rig, &CHAT, "steady", "")).await;
    let mut body = answer.map_err(|refusal| refusal.error).unwrap().body;
    // Until the text that was sent is read and nothing more comes.
    while tokio::time::timeout(Duration::from_millis(100), body.frame()).await.is_ok() {}
    drop(body);
    let rows = rig.rows().await;
    let causes: Vec<_> = rows.iter().map(|row| row.settlement.cause).collect();
    assert_eq!(causes, [Some(Cause::Cut), Some(Cause::ClientClosed)]);
    rig.assert_nothing_held();
}

#[test]
fn the_sandbox_shows_it() {
    // Where it breaks off depends on what is asked.
    (1..12).for_each(|words| alone(shown(&"hello there ".repeat(words))));
}

async fn shown(question: &str) {
    let config = "[providers.sandbox]\n[routes.steady]\ntargets = [\"sandbox/cut\", \"sandbox/echo-small\"]\nresume = true\n";
    let rig = Rig::new(config).await;
    let seen = rig.chat(&ask_stream("steady").replace("hello there", question)).await.unwrap();
    assert!(is_whole(&CHAT, &seen.body), "{}", seen.body);
    let said = text(&CHAT, &seen.body);
    assert!(said.contains("no real model was asked. You wrote: “hello there"), "{said}");
}
