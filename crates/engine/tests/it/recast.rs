//! Callers of one dialect at providers of another.

use trunkline_domain::{Dialect, ErrorKind};
use trunkline_engine::inbound::PathFacts;
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
