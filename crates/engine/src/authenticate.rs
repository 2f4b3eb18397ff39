//! Who asks: the key a caller presents, as a record.

use http::HeaderMap;
use sha2::{Digest, Sha256};
use trunkline_domain::access::KeyHash;
use trunkline_domain::{Error, ErrorKind, UnixMs};

use crate::keys::{KeyRecord, Keys, Lookup};

/// Headers a key may come in, besides `authorization: Bearer`: the spellings of Anthropic's, Azure's and Google's
/// clients.
const KEY_HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// Looks the presented key up. A store that is away never makes a valid key a 401.
pub async fn authenticate(
    keys: &Keys,
    headers: &HeaderMap,
    now: UnixMs,
) -> Result<std::sync::Arc<KeyRecord>, Error> {
    let secret = presented(headers).ok_or_else(|| {
        Error::new(
            ErrorKind::Unauthenticated,
            "no API key was sent: use the header `authorization: Bearer sk-tl-…` with a key of this gateway",
        )
    })?;
    match keys.find(hash(secret)).await {
        Lookup::Found(record) => {
            record.check_alive(now)?;
            Ok(record)
        }
        Lookup::Unknown => Err(Error::new(
            ErrorKind::Unauthenticated,
            "this API key is not known here: make one with `trunkline keys create`, and send it as \
             `authorization: Bearer sk-tl-…`",
        )),
        Lookup::StoreAway => Err(Error::new(
            ErrorKind::StoreUnavailable,
            "the key is not in memory and the store did not answer in time: try again",
        )
        .retry_after(std::time::Duration::from_secs(1))),
    }
}

/// SHA-256 of a secret: what keys are stored and found by.
pub fn hash(secret: &str) -> KeyHash {
    KeyHash(Sha256::digest(secret.as_bytes()).into())
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer =
        headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
            let (scheme, secret) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
        });
    let other = || KEY_HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok().map(str::trim));
    bearer.or_else(other).filter(|secret| !secret.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_come_in_the_header_each_client_uses() {
        for (name, value) in [
            ("authorization", "Bearer sk-tl-x"),
            ("authorization", "bearer  sk-tl-x "),
            ("x-api-key", "sk-tl-x"),
            ("api-key", "sk-tl-x"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(presented(&headers), Some("sk-tl-x"), "{name}: {value}");
        }
        let mut basic = HeaderMap::new();
        basic.insert("authorization", "Basic abc".parse().unwrap());
        assert_eq!(presented(&basic), None);
    }
}
