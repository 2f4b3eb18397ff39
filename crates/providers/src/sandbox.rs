//! The provider inside this process: simulated models for the first minutes and for tests. Here it is data like any
//! other provider; what answers in its place is wired in by whoever starts the gateway.

use trunkline_wire::quirks::Quirks;

use crate::spec::{Api, AuthScheme, BaseUrl, CancelBilling, Prefill, PrefillMark, Proof, ProviderSpec};

/// The sandbox.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "sandbox",
    name: "Sandbox",
    otel: "sandbox",
    catalogue: "sandbox",
    docs: "https://github.com/trunkline/trunkline",
    base_url: BaseUrl::InProcess,
    auth: AuthScheme::None,
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    quirks: Quirks::REFERENCE,
    listing: None,
    cancel: CancelBilling::Stops,
    prefill: Some(Prefill::chat(PrefillMark::LastMessage)),
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};
