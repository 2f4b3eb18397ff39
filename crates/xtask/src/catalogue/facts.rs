//! The form in which facts are gathered: as much of it as the catalogue uses. Prices are decimal texts in dollars per
//! million tokens, fees in dollars per unit.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Problem, read};

pub(super) struct Facts {
    pub(super) date: Date,
    pub(super) models: Vec<Model>,
    pub(super) providers: Vec<Provider>,
}

#[derive(Deserialize)]
struct Models {
    meta: Meta,
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Meta {
    generated: Date,
}

#[derive(Deserialize)]
struct Providers {
    providers: Vec<Provider>,
}

#[derive(Deserialize)]
pub(super) struct Provider {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) self_hosted: bool,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the facts name the canonical slug `model`")]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) provider_model_id: String,
    pub(super) region: Option<String>,
    pub(super) model: String,
    pub(super) name: Option<String>,
    pub(super) kind: String,
    pub(super) variant: Option<String>,
    pub(super) status: String,
    pub(super) context_window: Option<u64>,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) modalities: Modalities,
    pub(super) capabilities: BTreeMap<String, Option<bool>>,
    pub(super) prices: Option<Prices>,
    #[serde(default)]
    pub(super) price_review: bool,
    #[serde(default)]
    pub(super) price_newest: BTreeMap<String, Newest>,
    #[serde(default)]
    pub(super) endpoints: Vec<String>,
    pub(super) release_date: Option<String>,
    pub(super) deprecation_date: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Modalities {
    pub(super) input: Option<Vec<String>>,
    pub(super) output: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Newest {
    pub(super) value: String,
    pub(super) source: String,
    pub(super) date: String,
}

/// Prices by the names the facts use.
pub(super) type Figures = BTreeMap<String, String>;

#[derive(Clone, Default, Deserialize)]
pub(super) struct Prices {
    #[serde(default)]
    pub(super) tiers: Vec<Tier>,
    #[serde(default)]
    pub(super) batch: Figures,
    #[serde(default)]
    pub(super) flex: Figures,
    #[serde(default)]
    pub(super) priority: Figures,
    #[serde(default)]
    pub(super) ultrafast: Figures,
    #[serde(default)]
    pub(super) modes: BTreeMap<String, Mode>,
    #[serde(default)]
    pub(super) time_of_day: Vec<Hours>,
    #[serde(default)]
    pub(super) per_1k_searches: Figures,
    #[serde(default)]
    pub(super) unit_prices_usd: Figures,
    /// The plain figures, and what this catalogue does not use.
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Tier {
    pub(super) above_tokens: u64,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

#[derive(Clone, Deserialize)]
pub(super) struct Mode {
    pub(super) price: Option<Figures>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Hours {
    pub(super) windows: Vec<Window>,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

#[derive(Clone, Deserialize)]
pub(super) struct Window {
    pub(super) hours_utc: OneOrMany,
    pub(super) weekdays: Vec<u8>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Prices {
    /// The plain figures.
    pub(super) fn figures(&self) -> Figures {
        let text =
            |(name, value): (&String, &serde_json::Value)| Some((name.clone(), value.as_str()?.to_owned()));
        self.rest.iter().filter_map(text).collect()
    }
}

pub(super) fn load(folder: &Path) -> Result<Facts, Problem> {
    let Models { meta, models } = json(&folder.join("models.json"))?;
    let Providers { providers } = json(&folder.join("providers.json"))?;
    Ok(Facts { date: meta.generated, models, providers })
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Problem> {
    serde_json::from_slice(&read(path)?).map_err(|error| Problem::Json { path: path.to_owned(), error })
}
