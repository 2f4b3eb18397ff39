//! Signatures of what was handed out, as providers sign the thoughts they want back unchanged: an HMAC and the text it
//! is of, so that a text that is left out can still be known.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use ring::hmac::{HMAC_SHA256, Key, sign, verify};

/// The key of all fake providers: what one signs, another takes.
const KEY: &[u8] = b"the fake provider's signing key";

/// Bytes of an HMAC-SHA256.
const TAG: usize = 32;

/// Whose signature it is: one dialect's is none in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Anthropic,
    Gemini,
    OpenAi,
    Bedrock,
}

/// The signature of a text.
pub(crate) fn seal(purpose: Purpose, text: &str) -> String {
    let mut sealed = sign(&key(purpose), text.as_bytes()).as_ref().to_vec();
    sealed.extend_from_slice(text.as_bytes());
    BASE64_STANDARD.encode(sealed)
}

/// The text a signature is of, if it is one.
pub(crate) fn open(purpose: Purpose, signature: &str) -> Option<String> {
    let sealed = bytes(signature)?;
    let (tag, text) = sealed.split_at_checked(TAG)?;
    verify(&key(purpose), text, tag).ok()?;
    String::from_utf8(text.to_vec()).ok()
}

/// Bytes in either alphabet of base64, as readers of protocol buffers take them.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).or_else(|_| BASE64_URL_SAFE.decode(text)).ok()
}

fn key(purpose: Purpose) -> Key {
    let name = match purpose {
        Purpose::Anthropic => b'a',
        Purpose::Gemini => b'g',
        Purpose::OpenAi => b'o',
        Purpose::Bedrock => b'b',
    };
    Key::new(HMAC_SHA256, &[KEY, &[name]].concat())
}
