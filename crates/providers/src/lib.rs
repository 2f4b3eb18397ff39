//! Who speaks what: providers as data, one small file each, and the little about them that data cannot say.
//!
//! What it is: [`registry::ALL`], a table of [`spec::ProviderSpec`]; [`classify`], which tells typed causes from a
//! provider's status and words; [`rate_limits`], which reads its headers. What it is not: I/O, wire formats
//! (`trunkline-wire`), prices and models (`trunkline-catalogue`). Nothing matches on a provider: whoever needs to know
//! something asks its spec.
//!
//! Where to look first: [`spec`], then `openai.rs` (nothing differs), `mistral.rs` (a lot differs), `together.rs` (a
//! status means something else) and `anthropic.rs` (an adapter).
//!
//! # How to add one
//!
//! 1. `src/<id>.rs`: the id is the file's name. Take base URL, variables and differences from the provider's own pages
//!    or SDK and say which in the module's first lines. This is a complete provider:
//!
//! ```
//! use trunkline_providers::spec::{Api, BaseUrl, ProviderSpec};
//! use trunkline_wire::quirks::{Quirks, StreamUsage};
//!
//! /// Example AI.
//! pub static SPEC: ProviderSpec = ProviderSpec {
//!     id: "example",
//!     name: "Example AI",
//!     otel: "example",
//!     catalogue: "example",
//!     docs: "https://docs.example.com/api",
//!     base_url: BaseUrl::Fixed("https://api.example.com/v1"),
//!     env: &["EXAMPLE_API_KEY"],
//!     apis: &[Api::CHAT, Api::EMBEDDINGS],
//!     quirks: Quirks {
//!         unsupported: &["logprobs"],
//!         stream_usage: StreamUsage::AlwaysTolerant,
//!         ..Quirks::REFERENCE
//!     },
//!     ..ProviderSpec::COMPATIBLE
//! };
//!
//! assert_eq!(SPEC.apis.len(), 2);
//! ```
//!
//! 2. A `mod` line here and the name in [`registry`].
//! 3. `fixtures/providers/<id>/`: at least an answer, a stream, usage and an error, each with its provenance; then say
//!    `proof: Proof::Proven`. Without them the provider stays [`spec::Proof::Unverified`] and is shown as such. Its errors
//!    go into `fixtures/errors/<id>.toml`.

pub mod adapter;
pub mod classify;
pub mod rate_limits;
pub mod registry;
pub mod spec;

mod local_server;

mod ai21;
mod anthropic;
mod ark;
mod azure;
mod baseten;
mod bedrock;
mod cerebras;
mod cohere;
mod custom;
mod dashscope;
mod dashscope_cn;
mod deepinfra;
mod deepseek;
mod fireworks;
mod gemini;
mod github_models;
mod groq;
mod huggingface;
mod hunyuan;
mod hyperbolic;
mod ionos;
mod llamacpp;
mod lmstudio;
mod minimax;
mod minimax_cn;
mod mistral;
mod moonshot;
mod moonshot_cn;
mod nebius;
mod novita;
mod nvidia;
mod ollama;
mod ollama_cloud;
mod openai;
mod openrouter;
mod ovhcloud;
mod perplexity;
mod qianfan;
mod sambanova;
mod sandbox;
mod scaleway;
mod sglang;
mod siliconflow;
mod siliconflow_cn;
mod stepfun;
mod together;
mod upstage;
mod vertex;
mod vllm;
mod writer;
mod xai;
mod xiaomi;
mod zai;
mod zhipu;
