//! llama.cpp's own HTTP server. A stream whose shared context runs out ends with an error and without `data: [DONE]`;
//! while the model loads it answers 503. A last message of the assistant's is gone on with, unless it was started with
//! `--no-prefill-assistant`.
//!
//! Read in ggml-org/llama.cpp `tools/server/README.md` and `tools/server/server-context.cpp`, and seen from the server
//! in the PyPI package `xllamacpp` 2026.10.11549.

use crate::local_server::LOCAL_SERVER;
use crate::spec::{BaseUrl, Prefill, PrefillMark, ProviderSpec};

/// llama.cpp.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "llamacpp",
    name: "llama.cpp",
    otel: "llamacpp",
    catalogue: "llama-cpp",
    docs: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
    base_url: BaseUrl::Local { url: "http://127.0.0.1:8080/v1", account: "llamacpp" },
    prefill: Some(Prefill::chat(PrefillMark::LastMessage)),
    ..LOCAL_SERVER
};
