//! SGLang's OpenAI-compatible server. Errors are flat, without an `error` object.
//!
//! Read in sgl-project/sglang `python/sglang/srt/entrypoints/openai/protocol.py` (`UsageInfo`, `ErrorResponse`,
//! `StreamOptions`) and at <https://docs.sglang.io/docs/basic_usage/send_request> (port).

use trunkline_wire::quirks::{Quirks, StopSequence};

use crate::local_server::LOCAL_SERVER;
use crate::spec::{BaseUrl, ProviderSpec};

/// SGLang.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "sglang",
    name: "SGLang",
    otel: "sglang",
    catalogue: "sglang",
    docs: "https://docs.sglang.io/docs/basic_usage/send_request",
    base_url: BaseUrl::Local { url: "http://127.0.0.1:30000/v1", account: "local" },
    quirks: Quirks { stop_sequence: StopSequence::MatchedStop, ..Quirks::REFERENCE },
    ..LOCAL_SERVER
};
