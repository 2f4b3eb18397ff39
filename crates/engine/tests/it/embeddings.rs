//! Embeddings: callers of one form at providers of the other.

use trunkline_domain::{Dialect, ErrorKind, UsageSource};
use trunkline_engine::inbound::{Inbound, PathFacts};

use crate::rig::{Rig, TWO_ACCOUNTS};

/// Google's own API at one account, and an OpenAI-compatible one.
const BOTH: &str = r#"
    [providers.google]
    kind = "gemini"
    base_url = "http://google.test/v1beta"
    api_key = { env = "KEY" }
    models = [{ id = "g-1", name = "acme/g", kind = "embedding", context_window = 8000, input_usd_per_million = 1000000 }]

    [providers.east]
    kind = "custom"
    base_url = "http://east.test/v1"
    api_key = { env = "KEY" }
    models = [{ id = "o-1", name = "acme/o", kind = "embedding", context_window = 8000, input_usd_per_million = 1000000 }]
"#;

fn gemini(rig: &Rig, dialect: Dialect, model: &str, body: &str) -> Inbound {
    let path = PathFacts { model: model.into(), stream: None };
    Inbound { path: Some(path), ..rig.inbound(dialect, body) }
}

fn many(model: &str) -> String {
    let one = |text: &str| {
        format!(
            r#"{{"model":"models/{model}","content":{{"parts":[{{"text":"{text}"}}]}},"taskType":"CLUSTERING"}}"#
        )
    };
    format!(r#"{{"requests":[{},{}]}}"#, one("hello there"), one("more"))
}

#[tokio::test]
async fn googles_clients_reach_google_as_they_are() {
    let rig = Rig::new(BOTH).await;
    let body = many("g-1");
    let seen = rig.send(gemini(&rig, Dialect::GeminiBatchEmbed, "acme/g", &body)).await.unwrap();
    assert_eq!(seen.body, r#"{"embeddings":[{"values":[0.5,0.5,0.5]},{"values":[0.5,0.5,0.5]}]}"#);
    let sent = &rig.provider("google").log()[0];
    assert_eq!(sent.path, "/models/g-1:batchEmbedContents");
    assert_eq!(sent.body, body, "byte for byte");
    let one = r#"{"content":{"parts":[{"text":"a"}]}, "outputDimensionality":2}"#;
    let seen = rig.send(gemini(&rig, Dialect::GeminiEmbed, "acme/g", one)).await.unwrap();
    assert_eq!(seen.body, r#"{"embedding":{"values":[0.5,0.5]}}"#);
    assert_eq!(rig.provider("google").log()[1].path, "/models/g-1:embedContent");
    assert_eq!(rig.provider("google").violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_provider_that_reports_no_usage_is_estimated_and_said_so() {
    let rig = Rig::new(BOTH).await;
    let seen = rig.send(gemini(&rig, Dialect::GeminiBatchEmbed, "acme/g", &many("g-1"))).await.unwrap();
    let rows = rig.rows_of(seen.request).await;
    let settlement = &rows[0].settlement;
    assert_eq!(settlement.usage_source, UsageSource::Estimated);
    // "hello there" and "more" are fifteen bytes.
    assert_eq!(settlement.usage.input_tokens, 4);
    assert!(settlement.cost.0 > 0);
    rig.assert_nothing_held();
}

#[tokio::test]
async fn openais_clients_reach_google_translated() {
    let rig = Rig::new(BOTH).await;
    let body = r#"{"model":"acme/g","input":["a","b"],"dimensions":2,"user":"u"}"#;
    let seen = rig.send(rig.inbound(Dialect::OpenaiEmbeddings, body)).await.unwrap();
    assert_eq!(
        seen.body,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,0.5]},{"object":"embedding","index":1,"embedding":[0.5,0.5]}],"model":"acme/g"}"#
    );
    assert_eq!(seen.headers["x-trunkline-losses"], "user");
    assert_eq!(rig.provider("google").log()[0].path, "/models/g-1:batchEmbedContents");
    assert_eq!(rig.provider("google").violations(), Vec::<String>::new());
    rig.assert_nothing_held();
}

#[tokio::test]
async fn tokens_are_refused_where_the_provider_has_another_tokenizer() {
    let rig = Rig::new(BOTH).await;
    let body = r#"{"model":"acme/g","input":[1,2,3]}"#;
    let refusal = rig.send(rig.inbound(Dialect::OpenaiEmbeddings, body)).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.param.as_deref()), (ErrorKind::InvalidRequest, Some("input")));
    assert!(rig.provider("google").log().is_empty());
}

#[tokio::test]
async fn googles_clients_reach_an_openai_provider_translated() {
    let rig = Rig::new(BOTH).await;
    let seen = rig.send(gemini(&rig, Dialect::GeminiBatchEmbed, "acme/o", &many("acme/o"))).await.unwrap();
    assert!(seen.body.starts_with(r#"{"embeddings":[{"values":["#), "{}", seen.body);
    assert!(seen.body.contains(r#""usageMetadata":{"promptTokenCount":"#), "{}", seen.body);
    assert_eq!(seen.headers["x-trunkline-losses"], "taskType");
    let one = r#"{"content":{"parts":[{"text":"a"}]}}"#;
    let seen = rig.send(gemini(&rig, Dialect::GeminiEmbed, "acme/o", one)).await.unwrap();
    assert!(seen.body.starts_with(r#"{"embedding":{"values":["#), "{}", seen.body);
    assert_eq!(rig.provider("east").violations(), Vec::<String>::new());
    let rows = rig.rows_of(seen.request).await;
    assert_eq!(rows[0].settlement.usage_source, UsageSource::Reported);
    rig.assert_nothing_held();
}

#[tokio::test]
async fn a_chat_model_makes_no_vectors() {
    let rig = Rig::new(TWO_ACCOUNTS).await;
    let one = r#"{"content":{"parts":[{"text":"a"}]}}"#;
    // A model whose kind nobody says is tried, and the provider decides.
    assert!(rig.send(gemini(&rig, Dialect::GeminiEmbed, "acme/m", one)).await.is_ok());
    let refusal = rig.send(gemini(&rig, Dialect::GeminiEmbed, "no/such", one)).await.unwrap_err();
    assert_eq!(refusal.kind, ErrorKind::ModelNotFound);
}
