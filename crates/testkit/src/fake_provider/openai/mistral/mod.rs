//! Mistral's API: OpenAI's chat with differences, below `/mistral` (`POST /mistral/v1/chat/completions`), so that a path says
//! which of the two it is.
//!
//! - members: mistralai 3.7.0 for Python, `mistralai/client/models/chatcompletionrequest.py` and the messages, tools and
//!   formats it names; what it does not name is refused with 422 `extra_forbidden`, as reported in
//!   <https://github.com/editor-code-assistant/eca/issues/231> (a member) and
//!   <https://github.com/Gage-Technologies/mistral-go/pull/2> (one of a message);
//! - ids of calls are nine letters and digits (<https://github.com/nearai/ironclaw/issues/1241>), calls have as many results
//!   (<https://github.com/567-labs/instructor/issues/724>), no user speaks right after a tool
//!   (<https://github.com/datapizza-labs/datapizza-ai/issues/98>), and only an answer marked as begun comes last
//!   (<https://github.com/0xPlaygrounds/rig/pull/1130>);
//! - errors are flat (<https://docs.mistral.ai/resources/error-glossary>); what is in front of the API says of a key
//!   `{"message", "request_id"}`;
//! - a stream's last chunk has the usage, asked for or not, and a call comes whole in one chunk
//!   (<https://github.com/comet-ml/opik/pull/7385>).
//!
//! It does not think: thoughts among the content are left out.

mod shapes;
pub(crate) mod strict;

use serde_json::{Value, json};

use crate::fake_provider::findings::Said;

/// An error that is no matter of single members.
pub(crate) fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Said {
    let body = match status {
        401 => json!({ "message": message, "request_id": "fake" }),
        _ => json!({
            "object": "error", "message": message, "type": kind, "param": null, "code": code,
            "raw_status_code": status,
        }),
    };
    Said::new(status, body.to_string())
}

/// An error about members.
fn unprocessable(detail: &Value) -> Said {
    let message = json!({ "detail": [detail] });
    let kind = "invalid_request_error";
    let body = json!({ "object": "error", "message": message, "type": kind, "param": null, "code": null });
    Said::new(422, body.to_string())
}

/// The id of a call: nine letters and digits.
pub(super) fn call_id(number: u64, choice: usize, call: usize) -> String {
    format!("F{number:06}{}{}", choice % 10, call % 10)
}
