//! Ids of calls as a server takes them: a conversation may come from another server, with ids of its form.

use std::borrow::Cow;

use crate::quirks::CallIds;

/// The length of [`CallIds::Nine`].
const NINE: usize = 9;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// FNV-1a of 64 bits (<https://datatracker.ietf.org/doc/html/rfc9923>): the same everywhere and always, so that a call and its
/// result stay a pair and prompts cached by prefix stay cached.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The id itself where the server takes it, else one made of it.
pub(crate) fn fitting(id: &str, ids: CallIds) -> Cow<'_, str> {
    match ids {
        CallIds::Any => Cow::Borrowed(id),
        CallIds::Nine if id.len() == NINE && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Cow::Borrowed(id)
        }
        CallIds::Nine => Cow::Owned(made_of(id)),
    }
}

fn made_of(id: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let mut rest = id.bytes().fold(BASIS, step);
    let digit = |_| {
        let place = usize::try_from(rest % 62).unwrap_or(0);
        rest /= 62;
        char::from(LETTERS.get(place).copied().unwrap_or(b'0'))
    };
    (0..NINE).map(digit).collect()
}
