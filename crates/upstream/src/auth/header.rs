//! Authorisation headers from secrets, made sensitive so that nothing prints them. What it is not: the choice of a
//! scheme, which a provider's specification makes.

use http::header::{AUTHORIZATION, InvalidHeaderName, InvalidHeaderValue};
use http::{HeaderName, HeaderValue};
use trunkline_domain::Secret;
use zeroize::Zeroizing;

/// `authorization: Bearer …` (RFC 6750 §2.1).
pub fn bearer(secret: &Secret<String>) -> Result<(HeaderName, HeaderValue), AuthError> {
    let text = Zeroizing::new(format!("Bearer {}", secret.expose()));
    Ok((AUTHORIZATION, sensitive(&text)?))
}

/// The secret alone, in a header of this name.
pub fn header(name: &str, secret: &Secret<String>) -> Result<(HeaderName, HeaderValue), AuthError> {
    Ok((HeaderName::try_from(name)?, sensitive(secret.expose())?))
}

pub(super) fn sensitive(text: &str) -> Result<HeaderValue, AuthError> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why a secret cannot be sent. Never repeats it.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It holds a line break or another character no header can carry.
    #[error("the credential holds a character that cannot be sent in a header, such as a line break")]
    Value(#[from] InvalidHeaderValue),
    /// The header's name is not one.
    #[error("the header's name is not a valid one")]
    Name(#[from] InvalidHeaderName),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_sent_and_never_printed() {
        let secret = Secret::new("sk-canary".to_owned());
        let (name, value) = bearer(&secret).unwrap();
        assert_eq!((name, value.as_bytes()), (AUTHORIZATION, b"Bearer sk-canary".as_slice()));
        assert!(!format!("{value:?}").contains("canary"));
        let (name, value) = header("X-Api-Key", &secret).unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-api-key", b"sk-canary".as_slice()));
    }

    #[test]
    fn a_credential_that_cannot_be_sent_is_refused_without_repeating_it() {
        let error = bearer(&Secret::new("sk-canary\n".to_owned())).unwrap_err();
        assert!(!error.to_string().contains("canary") && !format!("{error:?}").contains("canary"));
        assert!(header("not a name", &Secret::new(String::new())).is_err());
    }
}
