//! Zhipu BigModel (China): OpenAI-compatible by its own word, not verified here.
//!
//! Zhipu on the Chinese mainland; Z.ai is its international host.

use trunkline_domain::attempt::Cause;

use crate::classify::rule::Says::Code;
use crate::classify::rule::{Errors, rule};
use crate::spec::{Api, BaseUrl, ProviderSpec};

/// Zhipu BigModel (China).
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "zhipu",
    name: "Zhipu BigModel (China)",
    otel: "zhipu",
    catalogue: "zhipu",
    docs: "https://docs.bigmodel.cn",
    base_url: BaseUrl::Fixed("https://open.bigmodel.cn/api/paas/v4"),
    env: &["ZHIPU_API_KEY"],
    apis: &[Api::CHAT, Api::EMBEDDINGS],
    errors: ERRORS,
    ..ProviderSpec::COMPATIBLE
};

const PAGE: &str = "https://docs.bigmodel.cn/cn/api/api-code";

/// Its errors are numbers; the status says less than they do.
pub(crate) const ERRORS: Errors = Errors {
    words: &[
        rule(Code("1000"), Cause::Unauthorized, PAGE),
        rule(Code("1001"), Cause::Unauthorized, PAGE),
        rule(Code("1002"), Cause::Unauthorized, PAGE),
        rule(Code("1003"), Cause::Unauthorized, PAGE),
        rule(Code("1004"), Cause::Unauthorized, PAGE),
        rule(Code("1110"), Cause::Forbidden, PAGE),
        rule(Code("1111"), Cause::Forbidden, PAGE),
        rule(Code("1112"), Cause::Forbidden, PAGE),
        rule(Code("1113"), Cause::CreditsExhausted, PAGE),
        rule(Code("1121"), Cause::Forbidden, PAGE),
        rule(Code("1210"), Cause::InvalidRequest, PAGE),
        rule(Code("1211"), Cause::ModelNotFound, PAGE),
        rule(Code("1212"), Cause::ModelNotFound, PAGE),
        rule(Code("1213"), Cause::InvalidRequest, PAGE),
        rule(Code("1214"), Cause::InvalidRequest, PAGE),
        rule(Code("1215"), Cause::InvalidRequest, PAGE),
        rule(Code("1220"), Cause::Forbidden, PAGE),
        rule(Code("1221"), Cause::ModelNotFound, PAGE),
        rule(Code("1222"), Cause::ModelNotFound, PAGE),
        rule(Code("1261"), Cause::ContextTooLong, PAGE),
        rule(Code("1301"), Cause::ContentBlocked, PAGE),
        rule(Code("1302"), Cause::RateLimited, PAGE),
        rule(Code("1303"), Cause::RateLimited, PAGE),
        rule(Code("1304"), Cause::RateLimited, PAGE),
        rule(Code("1305"), Cause::Overloaded, PAGE),
        rule(Code("1308"), Cause::RateLimited, PAGE),
        rule(Code("1309"), Cause::CreditsExhausted, PAGE),
        rule(Code("1310"), Cause::RateLimited, PAGE),
        rule(Code("1311"), Cause::Forbidden, PAGE),
        rule(Code("1312"), Cause::Overloaded, PAGE),
        rule(Code("1313"), Cause::RateLimited, PAGE),
    ],
    ..Errors::SHARED
};
