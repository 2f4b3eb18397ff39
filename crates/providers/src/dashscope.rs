//! Alibaba Cloud Model Studio (DashScope), its OpenAI-compatible mode on the international host. The mainland host
//! (`https://dashscope.aliyuncs.com/compatible-mode/v1`) has keys of its own: see `dashscope_cn`.
//!
//! Read at <https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope> (addresses),
//! <https://help.aliyun.com/en/model-studio/error-code> (codes) and in vercel/ai `packages/alibaba/src/__fixtures__`
//! (recorded answers), `packages/alibaba/src/alibaba-chat-language-model.ts` (`max_tokens`, `stream_options`). The
//! model listing of its own SDK has another shape and is left out.

use trunkline_domain::attempt::Cause;
use trunkline_wire::quirks::Quirks;

use crate::classify::rule::Says::{Code, Start};
use crate::classify::rule::{Errors, rule};
use crate::spec::{Api, BaseUrl, Proof, ProviderSpec};

/// Alibaba Cloud Model Studio.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "dashscope",
    name: "Alibaba Cloud Model Studio",
    otel: "dashscope",
    catalogue: "alibaba-dashscope",
    docs: "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
    base_url: BaseUrl::Fixed("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    env: &["DASHSCOPE_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    quirks: Quirks { renamed: &[("max_completion_tokens", "max_tokens")], ..Quirks::REFERENCE },
    listing: None,
    errors: ERRORS,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

const PAGE: &str = "https://help.aliyun.com/en/model-studio/error-code";

/// Its `insufficient_quota` is the quota of requests and tokens per minute, not of money (that is `Arrearage`).
pub(crate) const ERRORS: Errors = Errors {
    words: &[
        rule(Code("insufficient_quota"), Cause::RateLimited, PAGE),
        rule(Start("range of input length should be"), Cause::ContextTooLong, PAGE),
    ],
    ..Errors::SHARED
};
