//! `GET /v1/providers`: the configured accounts a key can reach, in the shape of
//! <https://openrouter.ai/docs/api/api-reference/providers/list-providers>, with how far each provider's file is proven.

use std::collections::BTreeMap;

use axum::response::Response;
use http::request::Parts;
use serde::Serialize;
use trunkline_domain::{Error, Operation};
use trunkline_providers::spec::{Proof, ProviderSpec};

use super::Data;
use super::models::View;
use super::shape::is_simulated;
use crate::app::App;
use crate::render;

/// The accounts, by name.
pub(crate) async fn list(app: App, parts: Parts) -> Result<Response, Error> {
    let view = View::for_caller(&app, &parts).await?;
    let mut accounts: BTreeMap<&str, Provider<'_>> = BTreeMap::new();
    for deployment in view.deployments() {
        let simulated = is_simulated(deployment);
        let account = accounts
            .entry(&deployment.account)
            .or_insert_with(|| Provider::of(&deployment.account, deployment.provider, simulated));
        account.models += 1;
    }
    Ok(render::json(&Data { data: accounts.into_values().collect::<Vec<_>>() }))
}

#[derive(Serialize)]
struct Provider<'a> {
    name: &'static str,
    slug: &'a str,
    /// Not in the catalogue: never guessed.
    privacy_policy_url: Option<()>,
    terms_of_service_url: Option<()>,
    status_page_url: Option<()>,
    /// Ours: the provider's registry id.
    kind: &'static str,
    /// Ours: `proven`, or `unverified` where no documented answer of its own was at hand.
    proof: &'static str,
    /// Ours: where its API is documented.
    docs: &'static str,
    /// Ours: what it serves.
    operations: Vec<&'static str>,
    /// Ours: how many of its models the key may use.
    models: usize,
    /// Ours: answers come from a simulation.
    simulated: bool,
}

impl<'a> Provider<'a> {
    fn of(account: &'a str, spec: &'static ProviderSpec, simulated: bool) -> Self {
        Self {
            name: spec.name,
            slug: account,
            privacy_policy_url: None,
            terms_of_service_url: None,
            status_page_url: None,
            kind: spec.id,
            proof: match spec.proof {
                Proof::Proven => "proven",
                Proof::Unverified => "unverified",
            },
            docs: spec.docs,
            operations: spec.operations().map(Operation::as_str).collect(),
            models: 0,
            simulated,
        }
    }
}
