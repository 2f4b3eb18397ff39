//! `GET /admin/v1/providers`: every provider this program speaks to, how far its file is proven, and which accounts
//! are there. Look first at [`list`]; the command line calls it too when no gateway runs.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use trunkline_catalogue::Catalogue;
use trunkline_engine::snapshot::Snapshot;
use trunkline_providers::registry;
use trunkline_providers::spec::{BaseUrl, Proof, ProviderSpec};

use super::AdminState;

/// Providers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProviderList {
    /// By id.
    pub(crate) providers: Vec<ProviderLine>,
}

/// A provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProviderLine {
    /// Its id: what `kind` takes.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// `proven`, or `unverified`: no documented answer of its own was at hand.
    pub(crate) proof: String,
    /// What it serves.
    pub(crate) operations: Vec<String>,
    /// Environment variables that hold a key.
    pub(crate) env: Vec<String>,
    /// Where its API lives; none where every customer has an own address.
    pub(crate) base_url: Option<String>,
    /// Where its API is documented.
    pub(crate) docs: String,
    /// Models the catalogue knows of it.
    pub(crate) models: u32,
    /// Accounts that are there now.
    pub(crate) accounts: Vec<String>,
}

pub(super) async fn providers(State(state): State<AdminState>) -> Json<ProviderList> {
    let catalogue = state.engine.configurator().catalogue().await;
    Json(list(&state.engine.snapshot(), &catalogue))
}

/// Every provider.
pub(crate) fn list(snapshot: &Snapshot, catalogue: &Catalogue) -> ProviderList {
    let known = catalogue.providers();
    let line = |spec: &&'static ProviderSpec| {
        let mut accounts: Vec<String> = snapshot
            .accounts
            .values()
            .filter(|account| account.provider == *spec)
            .map(|account| account.name.to_string())
            .collect();
        accounts.sort();
        ProviderLine {
            id: spec.id.to_owned(),
            name: spec.name.to_owned(),
            proof: match spec.proof {
                Proof::Proven => "proven",
                Proof::Unverified => "unverified",
            }
            .to_owned(),
            operations: spec.operations().map(|operation| operation.as_str().to_owned()).collect(),
            env: spec.env.iter().map(|&name| name.to_owned()).collect(),
            base_url: match spec.base_url {
                BaseUrl::Fixed(url) | BaseUrl::Local { url, .. } => Some(url.to_owned()),
                BaseUrl::PerCustomer(_) | BaseUrl::InProcess => None,
            },
            docs: spec.docs.to_owned(),
            models: known.iter().find(|entry| *entry.id == *spec.catalogue).map_or(0, |entry| entry.offers),
            accounts,
        }
    };
    ProviderList { providers: registry::ALL.iter().map(line).collect() }
}
