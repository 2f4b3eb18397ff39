//! Models that appear while running.

use trunkline_domain::ErrorKind;
use trunkline_testkit::fake_provider::Script;

use crate::rig::{Rig, ask};

const OPEN: &str = r#"
    [providers.east]
    kind = "openai"
    base_url = "http://east.test/v1"
    api_key = { env = "KEY" }
"#;

#[tokio::test]
async fn a_model_that_appears_at_a_provider_is_usable_at_once_without_a_restart() {
    let rig = Rig::new(OPEN).await;
    rig.provider("east")
        .push(Script::text(r#"{"object":"list","data":[{"id":"gpt-99-preview","object":"model"}]}"#));
    let seen = rig.chat(&ask("east/gpt-99-preview")).await.unwrap();
    assert_eq!(seen.status, 200);
    let row = rig.rows_of(seen.request).await.remove(0);
    assert_eq!(row.opening.upstream_model.as_str(), "gpt-99-preview");
    assert_eq!(&*row.opening.price_version, "unpriced");
    let table = rig.engine.snapshot();
    let found = table.offers.labelled("east/gpt-99-preview").unwrap();
    assert_eq!(table.offers.get(found).unwrap().state, trunkline_routing::world::OfferState::Discovered);
}

#[tokio::test]
async fn a_provider_is_not_asked_again_for_every_wrong_name() {
    let rig = Rig::new(OPEN).await;
    for _ in 0..3 {
        let refusal = rig.chat(&ask("east/no-such-model")).await.unwrap_err();
        assert_eq!(refusal.kind, ErrorKind::ModelNotFound);
    }
    let asked = rig.provider("east").log().iter().filter(|seen| seen.path.ends_with("/models")).count();
    assert_eq!(asked, 1);
}
