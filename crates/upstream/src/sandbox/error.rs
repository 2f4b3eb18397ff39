//! Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`.
//!
//! Fields: `openai/types/shared/error_object.py`; statuses: <https://platform.openai.com/docs/guides/error-codes>.

use serde_json::{Value, json};

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) param: Option<String>,
    pub(super) message: String,
    /// Seconds.
    pub(super) retry_after: Option<u32>,
}

impl ApiError {
    fn new(status: u16, kind: &'static str, message: String) -> Self {
        Self { status, kind, code: None, param: None, message, retry_after: None }
    }

    /// The request is wrong as a whole.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message.into())
    }

    /// A field is wrong.
    pub(super) fn field(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), code: Some(code), ..Self::invalid(message) }
    }

    /// A field is not there.
    pub(super) fn missing(param: &str) -> Self {
        Self::field(param, "missing_required_parameter", format!("Missing required parameter: '{param}'."))
    }

    /// A field has the wrong type.
    pub(super) fn wrong_type(param: &str, expected: &str, got: &Value) -> Self {
        let message =
            format!("Invalid type for '{param}': expected {expected}, but got {} instead.", type_name(got));
        Self::field(param, "invalid_type", message)
    }

    /// A field has a value that is not allowed.
    pub(super) fn value(param: impl Into<String>, expected: &str) -> Self {
        let param = param.into();
        let message = format!("Invalid value for '{param}': expected {expected}.");
        Self::field(param, "invalid_value", message)
    }

    /// A field this model does not take.
    pub(super) fn unsupported(param: &str) -> Self {
        let message = format!("Unsupported parameter: '{param}' is not supported with this model.");
        Self::field(param, "unsupported_parameter", message)
    }

    /// No such model.
    pub(super) fn model_not_found(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self { status: 404, code: Some("model_not_found"), ..Self::invalid(message) }
    }

    /// The model does something else.
    pub(super) fn wrong_operation(model: &str, path: &str) -> Self {
        let message = format!("The model `{model}` is not supported in the {path} endpoint.");
        Self { status: 404, param: Some("model".to_owned()), ..Self::invalid(message) }
    }

    /// No such path.
    pub(super) fn unknown_path(method: &str, path: &str) -> Self {
        let message = format!("Unknown request URL: {method} {path}.");
        Self { status: 404, code: Some("unknown_url"), ..Self::invalid(message) }
    }

    /// Too many requests.
    pub(super) fn rate_limited(model: &str) -> Self {
        let message = format!("Rate limit reached for {model} (simulated). Please try again in 1s.");
        Self {
            code: Some("rate_limit_exceeded"),
            retry_after: Some(1),
            ..Self::new(429, "requests", message)
        }
    }

    /// The server broke.
    pub(super) fn server_error() -> Self {
        let message = "The server had an error while processing your request (simulated).";
        Self::new(500, "server_error", message.to_owned())
    }

    /// No capacity.
    pub(super) fn overloaded() -> Self {
        let message = "The model is overloaded (simulated). Please try again later.";
        Self { code: Some("overloaded_error"), ..Self::new(503, "overloaded_error", message.to_owned()) }
    }

    /// The body.
    pub(super) fn body(&self) -> Value {
        json!({ "error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        } })
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
