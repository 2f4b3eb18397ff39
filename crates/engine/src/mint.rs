//! New virtual keys: 160 random bits behind a prefix that secret scanners can recognise.

use trunkline_domain::access::{Budget, ModelPattern, RateLimits, VirtualKey};
use trunkline_domain::id::{KeyId, OrganisationId};
use trunkline_domain::{Secret, Text, UnixMs};
use uuid::Uuid;

use crate::authenticate::hash;

/// What a virtual key's secret starts with.
pub const KEY_PREFIX: &str = "sk-tl-";
/// What an admin token starts with.
pub const ADMIN_PREFIX: &str = "tl-admin-";
/// Random bytes of a secret: 160 bits.
const SECRET_BYTES: usize = 20;

/// What a new key is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySpec {
    /// A name people recognise.
    pub name: String,
    /// Models it may use; empty means all.
    pub models: Vec<ModelPattern>,
    /// Spending limits.
    pub budgets: Vec<Budget>,
    /// Rate limits.
    pub limits: RateLimits,
    /// When it stops working.
    pub expires_at: Option<UnixMs>,
}

/// Makes a key and its secret. Only the hash of the secret is in the key: the secret itself is shown once.
pub fn key(spec: KeySpec, organisation: OrganisationId, now: UnixMs) -> (VirtualKey, Secret<String>) {
    let secret = secret(KEY_PREFIX);
    let key = VirtualKey {
        id: KeyId(Uuid::now_v7()),
        name: Text::from(spec.name),
        organisation,
        team: None,
        user: None,
        hash: hash(secret.expose()),
        hint: hint(&secret),
        models: spec.models,
        budgets: spec.budgets,
        limits: spec.limits,
        created_at: now,
        expires_at: spec.expires_at,
        revoked_at: None,
    };
    (key, secret)
}

/// Gives a key another secret; everything else stays.
pub fn rotate(key: &VirtualKey) -> (VirtualKey, Secret<String>) {
    let secret = secret(KEY_PREFIX);
    (VirtualKey { hash: hash(secret.expose()), hint: hint(&secret), ..key.clone() }, secret)
}

/// A fresh secret with a prefix: Crockford's base 32 in lower case, without letters that are misread.
pub fn secret(prefix: &str) -> Secret<String> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut text = String::with_capacity(prefix.len() + SECRET_BYTES * 8 / 5);
    text.push_str(prefix);
    let bytes: [u8; SECRET_BYTES] = rand::random();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            let place = bits >> held & 31;
            text.extend(ALPHABET.get(place as usize).copied().map(char::from));
        }
    }
    Secret::new(text)
}

fn hint(secret: &Secret<String>) -> Text {
    let secret = secret.expose();
    Text::from(secret.get(secret.len().saturating_sub(4)..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_carry_160_bits_and_never_repeat() {
        let (a, b) = (secret(KEY_PREFIX), secret(KEY_PREFIX));
        assert_eq!(a.expose().len(), KEY_PREFIX.len() + 32);
        assert!(a.expose() != b.expose());
    }

    #[test]
    fn a_rotated_key_keeps_everything_but_its_secret() {
        let spec = KeySpec { name: "ci".into(), ..KeySpec::default() };
        let (old, _) = key(spec, OrganisationId::FIRST, UnixMs(1));
        let (new, secret) = rotate(&old);
        assert_eq!(new.hash, hash(secret.expose()));
        assert_eq!(VirtualKey { hash: old.hash, hint: old.hint.clone(), ..new }, old);
    }
}
