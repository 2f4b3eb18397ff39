//! Bytes: what the provider reads and what the caller reads.

use trunkline_domain::{Dialect, ErrorKind};

use crate::rig::{Rig, TWO_ACCOUNTS, ask, ask_stream};

#[tokio::test]
async fn the_provider_reads_the_callers_bytes_but_for_named_edits() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let body = "{ \"messages\" : [{\"role\":\"user\",\"content\":\"h\\u00e9\"}],\n \"temperature\":1.0e0, \"model\" : \"acme/m\" }";
    let seen = rig.chat(body).await.unwrap();
    assert_eq!(seen.status, 200);
    let sent = rig.provider("east").log()[0].body.clone();
    assert_eq!(sent, body.replace("\"acme/m\"", "\"m-1\""));
    assert_eq!(rig.provider("east").violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_gateways_own_fields_do_not_reach_the_provider() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let body = r#"{"model":"acme/m","session_id":"s-1","usage":{"include":true},"tags":["a"],"routing":{},"messages":[{"role":"user","content":"x"}]}"#;
    let seen = rig.chat(body).await.unwrap();
    assert!(seen.body.contains("\"cost\":"), "{}", seen.body);
    assert_eq!(rig.provider("east").violations(), Vec::<String>::new());
    let rows = rig.rows_of(seen.request).await;
    assert_eq!(rows[0].opening.payer.session.as_deref(), Some("s-1"));
    assert_eq!(rows[0].opening.payer.tags, ["a".into()]);
}

#[tokio::test]
async fn usage_we_asked_for_is_withheld_from_a_caller_who_did_not() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let without = rig.chat(&ask_stream("acme/m")).await.unwrap();
    assert!(!without.body.contains("\"usage\":{"), "{}", without.body);
    let body = ask_stream("acme/m")
        .replace("\"stream\":true", "\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    let with = rig.chat(&body).await.unwrap();
    assert!(with.body.contains("\"usage\":{"), "{}", with.body);
    let rows = rig.rows().await;
    assert_eq!(rows[0].settlement.usage, rows[1].settlement.usage);
    assert_eq!(rows[0].settlement.cost, rows[1].settlement.cost);
}

#[tokio::test]
async fn buffered_and_streamed_cost_the_same() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    rig.chat(&ask("acme/m")).await.unwrap();
    rig.chat(&ask_stream("acme/m")).await.unwrap();
    let rows = rig.rows().await;
    assert_eq!(rows[0].settlement.usage, rows[1].settlement.usage);
    assert!(rows[0].settlement.cost.0 > 0);
    assert_eq!(rows[0].settlement.cost, rows[1].settlement.cost);
}

#[tokio::test]
async fn a_streams_cost_stands_in_a_comment_before_its_end() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let seen = rig.chat(&ask_stream("acme/m")).await.unwrap();
    let cost = rig.rows().await[0].settlement.cost;
    let end = format!(
        ": x-trunkline-cost-usd={cost} x-trunkline-provider=custom x-trunkline-model=acme/m x-trunkline-attempts=1\n\ndata: [DONE]\n\n"
    );
    assert!(seen.body.ends_with(&end), "{}", seen.body);
}

#[tokio::test]
async fn a_receipt_rides_in_the_answer_where_asked_for() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    for body in [ask("acme/m"), ask_stream("acme/m")] {
        let mut inbound = rig.inbound(Dialect::OpenaiChat, &body);
        inbound.headers.insert("x-trunkline-receipt", "full".parse().unwrap());
        let seen = rig.send(inbound).await.unwrap();
        assert!(seen.body.contains("\"trunkline_receipt\":{\"request_id\":"), "{}", seen.body);
        assert!(seen.body.contains("\"candidates\":[{\"deployment\":\"east/m-1\""), "{}", seen.body);
        assert!(seen.body.contains("\"edits\":[\"model\""), "{}", seen.body);
    }
}

#[tokio::test]
async fn an_unknown_member_of_routing_is_refused_by_name() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let body = r#"{"model":"acme/m","routing":{"teir":"simple"},"messages":[]}"#;
    let refusal = rig.chat(body).await.unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::InvalidRequest);
    assert!(refusal.message.contains("routing.teir"));
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_names_like_it() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let refusal = rig.chat(&ask("acme/n")).await.unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::ModelNotFound);
    assert!(refusal.message.contains("did you mean acme/m"), "{refusal}");
}

#[tokio::test]
async fn a_reload_changes_what_is_offered_without_a_restart() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    assert!(rig.chat(&ask("fast")).await.is_err());
    rig.reload(&format!("{TWO_ACCOUNTS}\n[routes.fast]\ntargets = [\"west/m-2\", \"acme/m\"]\n")).await;
    let seen = rig.chat(&ask("fast")).await.unwrap();
    assert_eq!(&*rig.rows_of(seen.request).await[0].opening.account, "west");
}

#[tokio::test]
async fn malformed_json_is_refused_with_its_position() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let refusal = rig.chat("{\"model\":\"acme/m\",\n \"messages\":[}").await.unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::InvalidRequest);
    assert!(refusal.message.contains("line 2"), "{refusal}");
}

#[tokio::test]
async fn a_stream_shows_its_cost_to_a_caller_who_asks_openrouters_way() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let body =
        ask_stream("acme/m").replace("\"stream\":true", "\"stream\":true,\"usage\":{\"include\":true}");
    let seen = rig.chat(&body).await.unwrap();
    assert!(seen.body.contains("\"cost\":"), "{}", seen.body);
}
