//! What inference servers on one's own machine have in common: OpenAI's dialects below `/v1`, a key only if the server
//! was started with one, no bill. Not a provider itself; `vllm.rs`, `llamacpp.rs`, `lmstudio.rs`, `sglang.rs` and
//! `ollama.rs` are.

use trunkline_wire::quirks::Quirks;

use crate::spec::{Api, AuthScheme, CancelBilling, Proof, ProviderSpec};

/// The rest of a local server's file. Closing the connection frees the server, and nothing is billed.
pub(crate) const LOCAL_SERVER: ProviderSpec = ProviderSpec {
    auth: AuthScheme::OptionalBearer,
    apis: &[Api::CHAT, Api::COMPLETIONS, Api::EMBEDDINGS],
    quirks: Quirks::REFERENCE,
    cancel: CancelBilling::Stops,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};
