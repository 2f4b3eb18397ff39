//! A model at a provider: what it is called there, what it takes, what it can do, what it costs.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use trunkline_domain::{ModelName, Operation, Text, UpstreamModel};

use crate::capability::{Capabilities, Modalities};
use crate::price::{PriceList, is_default};

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The provider's id in the catalogue. Not stored with each offer: the block it is in says it.
    #[serde(skip, default = "no_text")]
    pub provider: Text,
    /// What the provider calls the model.
    pub upstream_id: UpstreamModel,
    /// Where the offer's figures hold only in one region of the provider, which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
    /// The canonical slug `vendor/model`, with a suffix such as `:free` where the provider sells a variant apart.
    pub model: ModelName,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Text>,
    /// What sort of model it is.
    pub kind: Kind,
    /// Whether the model is also offered for completion of bare text.
    #[serde(default, skip_serializing_if = "is_default")]
    pub completes_text: bool,
    /// Whether the model answers only to interfaces this gateway does not speak.
    #[serde(default, skip_serializing_if = "is_default")]
    pub other_interface: bool,
    /// The most tokens of prompt and answer together; for some offers, of the prompt alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// The most tokens of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_max: Option<u64>,
    /// What it reads.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input: Modalities,
    /// What it makes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub output: Modalities,
    /// What it can do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub capabilities: Capabilities,
    /// What it costs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prices: PriceList,
    /// Whether it is still offered.
    #[serde(default, skip_serializing_if = "is_default")]
    pub status: Status,
    /// When the model came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Date>,
    /// When the provider stops offering it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires: Option<Date>,
    /// The sources disagree on its price; the newest one's stands.
    #[serde(default, skip_serializing_if = "is_default")]
    pub review: bool,
}

fn no_text() -> Text {
    Text::from("")
}

/// What sort of model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It converses.
    Chat,
    /// It continues bare text.
    Completion,
    /// It turns texts into vectors.
    Embedding,
    /// Nobody says: it is asked whatever callers ask.
    Unknown,
}

/// Whether an offer still stands, as far as public sources say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Listed by the newest sources that cover the provider.
    #[default]
    Current,
    /// Listed by older sources only.
    Absent,
    /// Announced to end.
    Deprecated,
    /// Ended.
    Retired,
}

impl Status {
    /// What lists show.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Absent => "absent",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }
}

impl Offer {
    /// Whether the model does an operation here. What no source says is taken as a no: a provider that serves legacy
    /// completions for all its models says so in its own specification.
    pub fn serves(&self, operation: Operation) -> bool {
        match operation {
            _ if self.other_interface => false,
            _ if self.kind == Kind::Unknown => true,
            Operation::Chat | Operation::CountTokens => self.kind == Kind::Chat,
            Operation::TextCompletion => self.kind == Kind::Completion || self.completes_text,
            Operation::Embeddings => self.kind == Kind::Embedding,
        }
    }

    /// Whether it is worth offering without being asked for by name.
    pub fn is_current(&self) -> bool {
        self.status == Status::Current
    }
}
