//! StepFun: OpenAI-compatible by its own word, not verified here.

use crate::spec::{Api, BaseUrl, ProviderSpec};

/// StepFun.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "stepfun",
    name: "StepFun",
    otel: "stepfun",
    catalogue: "stepfun",
    docs: "https://platform.stepfun.com/docs",
    base_url: BaseUrl::Fixed("https://api.stepfun.com/v1"),
    env: &["STEPFUN_API_KEY"],
    apis: &[Api::CHAT],
    ..ProviderSpec::COMPATIBLE
};
