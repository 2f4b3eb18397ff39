//! Answers of OAuth 2.0 token endpoints (RFC 6749 §5): a token and its life, or an error. Not a request: each cloud has
//! its own. Look first at [`Token`].

use std::sync::Arc;

use http::HeaderValue;
use serde::Deserialize;
use trunkline_domain::{Secret, UnixMs};
use zeroize::Zeroizing;

use super::ask::Answer;
use super::header::sensitive;
use super::lease::{AccessError, Issued};

/// Reads a secret that its owner replaces now and then, such as a projected service account token.
pub type ReadSecret = Arc<dyn Fn() -> Result<Secret<String>, String> + Send + Sync>;

/// A token as it is issued.
#[derive(Deserialize)]
pub(super) struct Token {
    access_token: Secretive,
    expires_in: Seconds,
}

/// A secret text.
struct Secretive(Secret<String>);

impl<'de> Deserialize<'de> for Secretive {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// Azure's metadata service writes the number as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

/// A refusal (RFC 6749 §5.2).
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

/// The token of an answer to a call made at `asked`.
pub(super) fn issued(answer: &Answer, asked: UnixMs) -> Result<Issued<HeaderValue>, AccessError> {
    if answer.status != 200 {
        return Err(refused(answer));
    }
    let Token { access_token, expires_in } = answer.json()?;
    let seconds = match expires_in {
        Seconds::Number(seconds) => Some(seconds),
        Seconds::Text(text) => text.parse().ok(),
    };
    let seconds = seconds.ok_or_else(|| answer.failed("its expires_in is no number"))?;
    let value = Zeroizing::new(format!("Bearer {}", access_token.0.expose()));
    let value = sensitive(&value).map_err(|error| answer.failed(error))?;
    Ok(Issued { value, expires: asked.plus_ms(seconds.saturating_mul(1_000)) })
}

fn refused(answer: &Answer) -> AccessError {
    let Ok(Refusal { error, error_description }) = serde_json::from_slice(&answer.body) else {
        return answer.refused(None);
    };
    // Entra puts trace ids on further lines.
    let description = error_description.as_deref().and_then(|text| text.lines().next()).unwrap_or_default();
    answer.refused(Some(&format!("{error}: {description}")))
}
