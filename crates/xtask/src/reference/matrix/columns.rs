//! The columns of the matrix: every provider as far as it answers chats. One that serves different models in different
//! dialects has a column for each.

use trunkline_domain::{Dialect, Operation, UpstreamModel};
use trunkline_providers::registry::ALL;
use trunkline_providers::spec::{Api, BaseUrl, Proof, ProviderSpec};
use trunkline_wire::can_recast;

use super::fixtures::{self, Case, Examples};
use crate::reference::Problem;

/// A model of each kind that is served differently, by the dialect it is at home in.
const MODELS: &[(Dialect, &str)] = &[
    (Dialect::OpenaiChat, "gpt-5.4"),
    (Dialect::OpenaiResponses, "o3-pro"),
    (Dialect::AnthropicMessages, "claude-opus-4-5"),
    (Dialect::GeminiGenerate, "gemini-3-flash"),
    (Dialect::BedrockConverse, "anthropic.claude-opus-4-5-20251101-v1:0"),
    (Dialect::CohereChat, "command-a-reasoning-08-2025"),
    (Dialect::OllamaChat, "gpt-oss"),
];

/// A provider and a model of it.
pub(super) struct Column {
    pub(super) spec: &'static ProviderSpec,
    pub(super) model: UpstreamModel,
    /// The dialects in which that model can be asked.
    apis: Vec<&'static Api>,
    /// Whether the provider is known by something it showed itself.
    pub(super) proven: bool,
    /// Its own fixtures.
    pub(super) cases: Vec<Case>,
}

impl Column {
    /// All of them, by provider.
    pub(super) fn all() -> Result<Vec<Self>, Problem> {
        let mut columns: Vec<Self> = Vec::new();
        for &spec in ALL.iter().filter(|spec| spec.base_url != BaseUrl::InProcess) {
            for &(dialect, model) in MODELS {
                let model = UpstreamModel(model.into());
                let apis: Vec<_> = spec.apis.iter().filter(|api| serves(spec, api, &model)).collect();
                let known = columns.iter().any(|column| column.spec.id == spec.id && column.apis == apis);
                if apis.iter().any(|api| api.dialect == dialect) && !known {
                    let cases = fixtures::of_provider(spec.id)?;
                    let proven = spec.proof == Proof::Proven && shows_itself(spec, &apis, &cases)?;
                    columns.push(Self { spec, model, apis, proven, cases });
                }
            }
        }
        Ok(columns)
    }

    /// The API that serves a caller: of its own dialect if there is one, else the first it can be translated to.
    pub(super) fn api(&self, caller: Dialect) -> Option<&'static Api> {
        let spoken = self.apis.iter().find(|api| api.dialect == caller);
        spoken.or_else(|| self.apis.iter().find(|api| can_recast(caller, api.dialect))).copied()
    }

    /// The dialects in which it can be asked.
    pub(super) fn dialects(&self) -> impl Iterator<Item = Dialect> + '_ {
        self.apis.iter().map(|api| api.dialect)
    }

    /// Whether the provider is among those checked against their own documentation.
    pub(super) fn verified(&self) -> bool {
        self.spec.proof == Proof::Proven
    }
}

fn serves(spec: &ProviderSpec, api: &Api, model: &UpstreamModel) -> bool {
    api.operation == Operation::Chat && spec.adapter.serves(api, model)
}

/// Whether anything in the provider's own fixtures is more than constructed.
fn shows_itself(spec: &ProviderSpec, apis: &[&Api], cases: &[Case]) -> Result<bool, Problem> {
    if cases.iter().any(|case| !case.constructed) {
        return Ok(true);
    }
    for api in apis {
        let inventor = Examples::of(api.dialect)?.provider;
        let of_it = |case: &Case| case.provider.as_deref().unwrap_or(&inventor) == spec.id;
        if fixtures::of_dialect(api.dialect)?.iter().any(|case| of_it(case) && !case.constructed) {
            return Ok(true);
        }
    }
    Ok(false)
}
