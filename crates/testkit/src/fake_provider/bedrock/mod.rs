//! Amazon Bedrock's API: Converse (`POST /model/{modelId}/converse`) and ConverseStream (`…/converse-stream`).
//!
//! Sources: botocore 1.44.8, `botocore/data/bedrock-runtime/2023-09-30/service-2.json` (every shape, exceptions and their
//! status), `botocore/eventstream.py` (framing); <https://smithy.io/2.0/aws/amazon-eventstream.html>;
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html> (signatures);
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html> (keys);
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>. Wording, as reported:
//! <https://github.com/anomalyco/opencode/issues/47073> (a wrong key),
//! <https://github.com/langchain-ai/langchain-aws/issues/192> (turns that do not alternate),
//! <https://github.com/aws-samples/bedrock-engineer/issues/8> (blank text),
//! <https://github.com/promptfoo/promptfoo/issues/914> (an unknown member); of other members it is that of the validation
//! of all AWS services: a path and a constraint.

pub(crate) mod answer;
pub(crate) mod frames;
mod shapes;
mod signed;
pub(crate) mod strict;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::findings::Said;

/// The header that names an error.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The error a status stands for.
pub(crate) fn error(status: u16, message: &str) -> Said {
    let kind = match status {
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500..=599 => "InternalServerException",
        _ => "ValidationException",
    };
    named(status, kind, message)
}

/// An error by its name.
fn named(status: u16, kind: &'static str, message: &str) -> Said {
    let headers = HeaderMap::from_iter([(ERROR_TYPE, HeaderValue::from_static(kind))]);
    Said { status, headers, body: json!({ "message": message }).to_string() }
}

/// What an overloaded service says in a stream that has begun.
pub(crate) fn error_event(message: &str) -> Bytes {
    frames::exception("serviceUnavailableException", &json!({ "message": message }))
}
