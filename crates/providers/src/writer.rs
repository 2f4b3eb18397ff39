//! Writer: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Writer.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "writer",
    name: "Writer",
    otel: "writer",
    catalogue: "writer",
    docs: "https://dev.writer.com",
    base_url: BaseUrl::Fixed("https://api.writer.com/v1"),
    env: &["WRITER_API_KEY"],
    apis: &[Api::CHAT, Api::COMPLETIONS],
    ..ProviderSpec::COMPATIBLE
};
