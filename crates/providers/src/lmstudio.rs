//! LM Studio's local server. Its documented output cap is `max_tokens`; how its streams end is not documented.
//!
//! Read in lmstudio-ai/docs `1_developer/3_openai-compat/index.mdx` (address, endpoints), `chat-completions.md`
//! (fields), `tools.mdx` (answers), `1_developer/0_core/authentication.mdx` (`LM_API_TOKEN`).

use trunkline_wire::quirks::{DoneMarker, Quirks};

use crate::local_server::LOCAL_SERVER;
use crate::spec::{BaseUrl, ProviderSpec};

/// LM Studio.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "lmstudio",
    name: "LM Studio",
    otel: "lmstudio",
    catalogue: "lm-studio",
    docs: "https://lmstudio.ai/docs/developer/openai-compat",
    base_url: BaseUrl::Local { url: "http://127.0.0.1:1234/v1", account: "lmstudio" },
    env: &["LM_API_TOKEN", "LMSTUDIO_API_KEY"],
    quirks: Quirks {
        renamed: &[("max_completion_tokens", "max_tokens")],
        done_marker: DoneMarker::Optional,
        ..Quirks::REFERENCE
    },
    ..LOCAL_SERVER
};
