//! The configuration through its public seam: text in; settings, or rendered problems, out.

mod accepted;
mod fallbacks;
mod problems;
mod surroundings;

use trunkline_catalogue::offer::Kind;
use trunkline_catalogue::{
    Capabilities, Capability, Catalogue, Modalities, Offer, PriceList, SANDBOX, Status, Support,
};
use trunkline_domain::{ModelName, Text, UpstreamModel};
use trunkline_providers::spec::ProviderSpec;

use super::{Checked, ConfigFile, KnownModels, check};

/// A catalogue of a few models.
struct Few;

const KNOWN: [&str; 3] = ["openai/gpt-5", "gpt-5", "mistralai/mistral-large"];

/// What groq offers: a model that can do something, one that sees nothing and is called by no tool, one for vectors.
fn offers() -> Vec<Offer> {
    let able =
        |support| Capabilities::default().with(Capability::Tools, support).with(Capability::Vision, support);
    let offer = |id: &str, kind, window, support| Offer {
        provider: Text::from("groq"),
        upstream_id: UpstreamModel::from(id),
        region: None,
        model: ModelName::from(id),
        display_name: None,
        kind,
        completes_text: false,
        other_interface: false,
        context_window: window,
        output_max: None,
        input: Modalities::default(),
        output: Modalities::default(),
        capabilities: able(support),
        prices: PriceList::default(),
        status: Status::Current,
        released: None,
        retires: None,
        review: false,
    };
    vec![
        offer("openai/gpt-oss-120b", Kind::Chat, Some(131_072), Support::Yes),
        offer("acme/blind", Kind::Chat, Some(32_768), Support::No),
        offer("acme/long", Kind::Chat, Some(1_000_000), Support::Unknown),
        offer("acme/vectors", Kind::Embedding, Some(2_000_000), Support::Unknown),
        offer("acme/unknown", Kind::Unknown, None, Support::Unknown),
    ]
}

impl KnownModels for Few {
    fn knows(&self, name: &str) -> bool {
        KNOWN.contains(&name) || offers().iter().any(|offer| offer.model.as_str() == name)
    }

    fn offers(&self, provider: &ProviderSpec) -> Option<Vec<Offer>> {
        let embedded = Catalogue::embedded().unwrap();
        Some(match provider.id {
            "groq" => offers(),
            SANDBOX => embedded.offers(SANDBOX).unwrap(),
            _ => Vec::new(),
        })
    }

    fn suggestions(&self, name: &str) -> Vec<String> {
        super::problem::nearest(name, KNOWN).into_iter().map(str::to_owned).collect()
    }
}

/// Every problem as a terminal shows it.
fn problems(text: &str) -> String {
    rendered(&check(text, &Few))
}

fn rendered(checked: &Checked) -> String {
    checked.problems.iter().map(|problem| problem.render("trunkline.toml") + "\n").collect()
}

/// A text that must be without any problem.
fn valid(text: &str) -> ConfigFile {
    let checked = check(text, &Few);
    assert_eq!(rendered(&checked), "");
    checked.config.unwrap()
}
