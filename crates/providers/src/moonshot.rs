//! Moonshot AI (Kimi, international): OpenAI-compatible by its own word, not verified here.

use trunkline_domain::attempt::Cause;

use crate::classify::rule::Says::Code;
use crate::classify::rule::{Errors, rule};
use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Moonshot AI (Kimi, international).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "moonshot",
    name: "Moonshot AI (Kimi, international)",
    otel: "moonshot",
    catalogue: "moonshot",
    docs: "https://platform.kimi.ai/docs",
    base_url: BaseUrl::Fixed("https://api.moonshot.ai/v1"),
    env: &["MOONSHOT_API_KEY"],
    apis: &[Api::CHAT],
    errors: ERRORS,
    ..ProviderSpec::COMPATIBLE
};

const PAGE: &str = "https://platform.kimi.ai/docs/api/errors";

/// Names of its own for what a key lacks.
pub(crate) const ERRORS: Errors = Errors {
    words: &[
        rule(Code("invalid_authentication_error"), Cause::Unauthorized, PAGE),
        rule(Code("incorrect_api_key_error"), Cause::Unauthorized, PAGE),
    ],
    ..Errors::SHARED
};
