//! Ids of what providers keep, as callers see them: `resp_` and, in base 62, a version, the account, the provider's own id
//! and an HMAC-SHA256 over these and the tenant. Nothing is stored: an id opens with the same key, for the same tenant, or
//! not at all. The same answer has the same id whenever it is asked for. Where to look first: [`KeptIds`].

use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use trunkline_domain::{Secret, Text};

use crate::door::{Member, Tenant};

/// Bytes of the key.
pub const KEY_BYTES: usize = 32;
/// What providers' own ids begin with, and so ours.
const PREFIX: &str = "resp_";
/// The first byte of what is inside.
const VERSION: u8 = 1;
/// Bytes of the HMAC.
const MAC_BYTES: usize = 32;
/// The longest id of a provider's that is wrapped, in bytes.
const ID_BYTES_MAX: usize = 128;

/// Makes and opens ids.
pub struct KeptIds(Key);

/// An answer that a provider keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The account that keeps it, as the configuration names it.
    pub account: Text,
    /// Its id there.
    pub id: Text,
}

impl KeptIds {
    /// With the installation's key.
    pub fn new(key: &Secret<[u8; KEY_BYTES]>) -> Self {
        Self(Key::new(HMAC_SHA256, key.expose()))
    }

    /// The id a tenant sees. One that could not stand in a path, or is too long, is left as it is: it cannot be used again.
    pub fn wrap(&self, tenant: Tenant, account: &str, id: &str) -> String {
        let (Ok(length), true) = (u8::try_from(account.len()), is_plain(id)) else { return id.to_owned() };
        let mut inside = vec![VERSION, length];
        inside.extend_from_slice(account.as_bytes());
        inside.extend_from_slice(id.as_bytes());
        let mac = sign(&self.0, &signed(tenant, &inside));
        inside.extend_from_slice(mac.as_ref());
        format!("{PREFIX}{}", base62::encode(&inside))
    }

    /// What an id says, if it is this tenant's.
    pub fn open(&self, tenant: Tenant, wrapped: &str) -> Option<Kept> {
        let inside = base62::decode(wrapped.strip_prefix(PREFIX)?)?;
        let (inside, mac) = inside.split_at_checked(inside.len().checked_sub(MAC_BYTES)?)?;
        verify(&self.0, &signed(tenant, inside), mac).ok()?;
        let &[VERSION, length, ref rest @ ..] = inside else { return None };
        let (account, id) = rest.split_at_checked(usize::from(length))?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(Text::from);
        Some(Kept { account: text(account)?, id: text(id)? })
    }
}

impl std::fmt::Debug for KeptIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeptIds")
    }
}

/// What the HMAC is of: the tenant, which the id does not show, and what it does.
fn signed(tenant: Tenant, inside: &[u8]) -> Vec<u8> {
    let (kind, member) = match tenant.member {
        Member::Team(team) => (b't', team.0),
        Member::Key(key) => (b'k', key.0),
    };
    [tenant.organisation.0.as_bytes().as_slice(), &[kind], member.as_bytes(), inside].concat()
}

/// Whether an id is one segment of a path and nothing else.
fn is_plain(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain)
}

/// Bytes in 62 characters: eight bytes are eleven digits, fewer as many as they need.
mod base62 {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    /// Digits of so many bytes.
    const WIDTHS: [usize; 9] = [0, 2, 3, 5, 6, 7, 9, 10, 11];

    pub(super) fn encode(bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len() * 11 / 8 + 11);
        for chunk in bytes.chunks(8) {
            let mut number = chunk.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            let mut digits = [b'0'; 11];
            let width = WIDTHS.get(chunk.len()).copied().unwrap_or_default();
            for digit in digits.iter_mut().take(width).rev() {
                let place = usize::try_from(number % 62).unwrap_or_default();
                *digit = DIGITS.get(place).copied().unwrap_or_default();
                number /= 62;
            }
            text.extend(digits.iter().take(width).map(|digit| char::from(*digit)));
        }
        text
    }

    /// `None` for what was not encoded here: every string of bytes is written in one way only.
    pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(text.len());
        for chunk in text.as_bytes().chunks(11) {
            let mut number = 0_u64;
            for digit in chunk {
                let value = u64::try_from(DIGITS.iter().position(|known| known == digit)?).ok()?;
                number = number.checked_mul(62)?.checked_add(value)?;
            }
            let width = WIDTHS.iter().position(|width| *width == chunk.len())?;
            let all = number.to_be_bytes();
            let (over, kept) = all.split_at_checked(all.len() - width)?;
            if over.iter().any(|byte| *byte != 0) {
                return None;
            }
            bytes.extend_from_slice(kept);
        }
        Some(bytes)
    }

    #[cfg(test)]
    mod tests {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
                let text = encode(&bytes);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
                prop_assert_eq!(decode(&text), Some(bytes));
            }

            #[test]
            fn what_decodes_was_encoded(text in "[0-9A-Za-z]{0,40}") {
                if let Some(bytes) = decode(&text) {
                    prop_assert_eq!(encode(&bytes), text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use trunkline_domain::id::{KeyId, OrganisationId, TeamId};
    use uuid::Uuid;

    use super::*;

    fn tenant(member: Member) -> Tenant {
        Tenant { organisation: OrganisationId::FIRST, member }
    }

    #[test]
    fn an_id_opens_for_its_own_tenant_and_key_only() {
        let ids = KeptIds::new(&Secret::new([7; KEY_BYTES]));
        let one = Uuid::from_u128(1);
        let own = tenant(Member::Key(KeyId(one)));
        let wrapped = ids.wrap(own, "east", "resp_67cb32528d68");
        assert!(wrapped.starts_with("resp_") && !wrapped.contains("67cb32528d68"));
        assert_eq!(wrapped, ids.wrap(own, "east", "resp_67cb32528d68"));
        let kept = Kept { account: "east".into(), id: "resp_67cb32528d68".into() };
        assert_eq!(ids.open(own, &wrapped), Some(kept));
        let elsewhere = Tenant { organisation: OrganisationId(Uuid::from_u128(2)), ..own };
        for other in
            [tenant(Member::Key(KeyId(Uuid::from_u128(2)))), tenant(Member::Team(TeamId(one))), elsewhere]
        {
            assert_eq!(ids.open(other, &wrapped), None);
        }
        assert_eq!(KeptIds::new(&Secret::new([8; KEY_BYTES])).open(own, &wrapped), None);
        let bare = wrapped.strip_prefix(PREFIX).unwrap();
        let longer = format!("{wrapped}0");
        for forged in ["resp_67cb32528d68", "resp_", "", bare, &longer] {
            assert_eq!(ids.open(own, forged), None, "{forged}");
        }
        for at in 5..wrapped.len() {
            let mut forged = wrapped.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(ids.open(own, std::str::from_utf8(&forged).unwrap()), None, "{at}");
        }
    }

    #[test]
    fn an_id_that_could_not_stand_in_a_path_is_left_as_it_is() {
        let ids = KeptIds::new(&Secret::new([7; KEY_BYTES]));
        let own = tenant(Member::Key(KeyId(Uuid::from_u128(1))));
        for id in ["", "a/b", "a?b", "ä", &"a".repeat(ID_BYTES_MAX + 1)] {
            assert_eq!(ids.wrap(own, "east", id), id);
        }
        assert_eq!(ids.wrap(own, &"a".repeat(256), "resp_1"), "resp_1");
    }
}
