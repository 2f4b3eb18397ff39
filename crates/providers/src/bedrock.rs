//! Amazon Bedrock, its Converse API, with an API key or signed. Every region has an own address, and a key is good in its
//! own region only. The model and whether to stream stand in the path: a model's id, an inference profile's, or the ARN of
//! either.
//!
//! Read in botocore 1.43.67 `botocore/data/bedrock-runtime/2023-09-30/service-2.json` (paths, bearer tokens, exceptions and
//! their status), at <https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html> (`AWS_BEARER_TOKEN_BEDROCK`,
//! `authorization`) and <https://docs.aws.amazon.com/general/latest/gr/bedrock.html> (addresses). An error's name stands in
//! `x-amzn-errortype`; messages as seen in <https://github.com/anomalyco/opencode/issues/47073> (a key that is none),
//! <https://github.com/aws-samples/bedrock-chat/issues/95> (a prompt that is too long),
//! <https://github.com/terricain/aioboto3/issues/352> and <https://github.com/langchain-ai/open_deep_research/issues/224>
//! (models). Its listing is another service's.

use std::fmt::Write;

use trunkline_domain::attempt::Cause;
use trunkline_domain::{Dialect, Operation};
use trunkline_wire::quirks::Quirks;

use crate::adapter::{Adapter, PrepareError, UpstreamRequest};
use crate::classify::rule::Says::{Code, Start, Within};
use crate::classify::rule::{Errors, rule};
use crate::spec::{Answering, Api, BaseUrl, Cloud, Proof, ProviderSpec, Target};

/// Amazon Bedrock.
pub(crate) static SPEC: ProviderSpec = ProviderSpec {
    id: "bedrock",
    name: "Amazon Bedrock",
    otel: "aws.bedrock",
    catalogue: "amazon-bedrock",
    docs: "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    base_url: BaseUrl::PerCustomer("https://bedrock-runtime.us-east-1.amazonaws.com"),
    env: &["AWS_BEARER_TOKEN_BEDROCK"],
    clouds: &[Cloud::Aws],
    signing_name: Some("bedrock"),
    apis: &[Api { operation: Operation::Chat, dialect: Dialect::BedrockConverse, path: "/model" }],
    quirks: Quirks::REFERENCE,
    listing: None,
    // As Anthropic says of Claude.
    portable_state: &[Dialect::BedrockConverse],
    errors: ERRORS,
    adapter: &Bedrock,
    proof: Proof::Proven,
    ..ProviderSpec::COMPATIBLE
};

const MODEL: &str = "botocore data/bedrock-runtime/2023-09-30/service-2.json";
const COMMON: &str = "https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html";
const ACCESS: &str = "https://github.com/strands-agents/harness-sdk/issues/38";
const KEYS: &str = "https://github.com/anomalyco/opencode/issues/47073";
const LENGTH: &str = "https://github.com/aws-samples/bedrock-chat/issues/95";

/// What a message's beginning says more exactly than the name, then what the name means, where the status says less or
/// something else.
const ERRORS: Errors = Errors {
    words: &[
        rule(Start("authentication failed"), Cause::Unauthorized, KEYS),
        rule(Within("input is too long"), Cause::ContextTooLong, LENGTH),
        rule(Start("the provided model identifier is invalid"), Cause::ModelNotFound, ACCESS),
        rule(Start("invocation of model id"), Cause::ModelNotFound, ACCESS),
        rule(Code("UnrecognizedClientException"), Cause::Unauthorized, COMMON),
        rule(Code("InvalidSignatureException"), Cause::Unauthorized, COMMON),
        rule(Code("IncompleteSignatureException"), Cause::Unauthorized, COMMON),
        rule(Code("MissingAuthenticationTokenException"), Cause::Unauthorized, COMMON),
        rule(Code("ExpiredTokenException"), Cause::Unauthorized, COMMON),
        rule(Code("AccessDeniedException"), Cause::Forbidden, MODEL),
        rule(Code("ThrottlingException"), Cause::RateLimited, MODEL),
        rule(Code("ServiceQuotaExceededException"), Cause::RateLimited, MODEL),
        rule(Code("ModelNotReadyException"), Cause::Overloaded, MODEL),
        rule(Code("ServiceUnavailableException"), Cause::Overloaded, MODEL),
        rule(Code("ResourceNotFoundException"), Cause::ModelNotFound, MODEL),
        rule(Code("ModelErrorException"), Cause::ServerError, MODEL),
        rule(Code("ModelStreamErrorException"), Cause::ServerError, MODEL),
        rule(Code("ModelTimeoutException"), Cause::ServerError, MODEL),
    ],
    // A model's error without a name.
    statuses: &[(424, Cause::ServerError, MODEL)],
    // `ValidationException:http://…`
    code_header: Some("x-amzn-errortype"),
};

struct Bedrock;

impl Adapter for Bedrock {
    fn prepare(&self, target: &Target<'_>, request: &mut UpstreamRequest) -> Result<(), PrepareError> {
        let method = match target.answering {
            Answering::Whole => "converse",
            Answering::Streamed => "converse-stream",
            Answering::Counted => return Err(PrepareError("bedrock does not count tokens here".to_owned())),
        };
        let mut path = String::from("/model/");
        for byte in target.model.as_str().bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                // Writing to a `String` cannot fail.
                _ = write!(path, "%{byte:02X}");
            }
        }
        request.path = format!("{path}/{method}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use trunkline_domain::UnixMs;
    use trunkline_wire::codec::ErrorWords;

    use super::*;
    use crate::adapter::ErrorAnswer;
    use crate::classify::classify;

    fn path(model: &str, answering: Answering) -> Result<String, PrepareError> {
        let model = model.into();
        let base_url = "https://bedrock-runtime.us-east-1.amazonaws.com";
        let target = Target { base_url, model: &model, api: &SPEC.apis[0], api_version: None, answering };
        let mut request =
            UpstreamRequest { path: "/model".to_owned(), headers: HeaderMap::new(), edits: Vec::new() };
        Bedrock.prepare(&target, &mut request).map(|()| request.path)
    }

    #[test]
    fn the_path_names_the_model_and_whether_to_stream() {
        let id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
        let escaped = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0";
        assert_eq!(path(id, Answering::Whole).unwrap(), format!("{escaped}/converse"));
        assert_eq!(path(id, Answering::Streamed).unwrap(), format!("{escaped}/converse-stream"));
        assert!(path(id, Answering::Counted).is_err());
        let arn = path("arn:aws:bedrock:us-east-1:1:inference-profile/a", Answering::Whole).unwrap();
        assert_eq!(arn, "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fa/converse");
    }

    #[test]
    fn an_errors_name_says_more_than_its_status() {
        let cause = |status, header: &'static str, kind: &str, message: &str| {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert("x-amzn-errortype", HeaderValue::from_static(header));
            }
            let text = |text: &str| (!text.is_empty()).then(|| text.into());
            let words = ErrorWords { message: text(message), kind: text(kind), ..ErrorWords::default() };
            let answer = ErrorAnswer { status, headers: &headers, words: Some(&words), now: UnixMs(0) };
            classify(&SPEC, &answer).error.cause
        };
        let namespace = "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/";
        for (status, header, kind, message, expected) in [
            (400, namespace, "", "The role is wrong.", Cause::InvalidRequest),
            (400, namespace, "", "Input is too long for requested model.", Cause::ContextTooLong),
            (
                400,
                "",
                "",
                "The model returned the following errors: Input is too long for requested model.",
                Cause::ContextTooLong,
            ),
            (
                400,
                namespace,
                "",
                "The model returned the following errors: prompt is too long: 9 tokens",
                Cause::ContextTooLong,
            ),
            (400, namespace, "", "The provided model identifier is invalid.", Cause::ModelNotFound),
            (400, "ServiceQuotaExceededException", "", "", Cause::RateLimited),
            (
                403,
                "",
                "",
                "Authentication failed: Please make sure your API Key is valid.",
                Cause::Unauthorized,
            ),
            (403, "UnrecognizedClientException", "", "The security token is invalid.", Cause::Unauthorized),
            (403, "AccessDeniedException", "", "User is not authorized", Cause::Forbidden),
            (404, "ResourceNotFoundException", "", "Model not found.", Cause::ModelNotFound),
            (424, "ModelErrorException", "", "", Cause::ServerError),
            (424, "", "", "", Cause::ServerError),
            (429, "ModelNotReadyException", "", "", Cause::Overloaded),
            (429, "ThrottlingException", "", "Too many tokens", Cause::RateLimited),
            (200, "", "ThrottlingException", "Too many tokens", Cause::RateLimited),
            (200, "", "ModelStreamErrorException", "", Cause::ServerError),
            (200, "", "ValidationException", "wrong", Cause::InvalidRequest),
            (200, "", "SomethingElse", "", Cause::ServerError),
        ] {
            assert_eq!(cause(status, header, kind, message), expected, "{status} {header}{kind} {message}");
        }
    }

    #[test]
    fn an_error_is_known_by_its_name() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amzn-errortype", HeaderValue::from_static("ThrottlingException:http://x"));
        let answer = ErrorAnswer { status: 429, headers: &headers, words: None, now: UnixMs(0) };
        assert_eq!(classify(&SPEC, &answer).error.code.as_deref(), Some("ThrottlingException"));
    }
}
