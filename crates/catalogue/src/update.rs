//! Signed catalogues: how one proves where it comes from. What it is not: fetching, storing or rolling back, which are
//! the server's.
//!
//! A bundle is `TLSIG001`, the key's id (8 bytes: the beginning of the public key's SHA-256), an Ed25519 signature (64
//! bytes), and the catalogue's bytes. The signature covers `trunkline catalogue v1` and a zero byte before the
//! catalogue, so that it can stand for nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use crate::catalogue::Catalogue;
use crate::format::{BYTES_MAX, CatalogueError};

const MAGIC: &[u8; 8] = b"TLSIG001";
const CONTEXT: &[u8] = b"trunkline catalogue v1\0";
const SIGNATURE_BYTES: usize = 64;
const KEY_ID_BYTES: usize = 8;

/// The largest bundle, in bytes: what a reader may stop at.
pub const BUNDLE_BYTES_MAX: usize = BYTES_MAX + MAGIC.len() + KEY_ID_BYTES + SIGNATURE_BYTES;

/// An Ed25519 public key that may sign catalogues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// Names a key without showing it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KEY_ID_BYTES]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Why a bundle is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// It is not a bundle.
    #[error("this is not a signed catalogue")]
    NotABundle,
    /// It is signed with a key that is not configured.
    #[error("the catalogue is signed with key {0}, which is not among `catalogue.public_keys`")]
    UnknownKey(KeyId),
    /// The signature does not fit the bytes.
    #[error("the signature does not fit the catalogue: it was changed or damaged on its way")]
    BadSignature,
    /// It is signed, but not a catalogue this version reads.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

/// A text that is not a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key: 32 bytes in base64 are expected")]
pub struct InvalidKey;

impl PublicKey {
    /// A key from its 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        let hash = digest(&SHA256, &self.0);
        let mut id = [0; KEY_ID_BYTES];
        for (place, byte) in id.iter_mut().zip(hash.as_ref()) {
            *place = *byte;
        }
        KeyId(id)
    }
}

/// Base64, as configured.
impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidKey)?;
        bytes.try_into().map(Self).map_err(|_| InvalidKey)
    }
}

/// The catalogue in a bundle, if one of the keys signed it.
pub fn verify(bundle: &[u8], keys: &[PublicKey]) -> Result<Catalogue, UpdateError> {
    let rest = bundle.strip_prefix(MAGIC).ok_or(UpdateError::NotABundle)?;
    let (id, rest) = rest.split_first_chunk::<KEY_ID_BYTES>().ok_or(UpdateError::NotABundle)?;
    let (signature, catalogue) =
        rest.split_first_chunk::<SIGNATURE_BYTES>().ok_or(UpdateError::NotABundle)?;
    if catalogue.len() > BYTES_MAX {
        return Err(CatalogueError::TooLarge.into());
    }
    let id = KeyId(*id);
    let key = keys.iter().find(|key| key.id() == id).ok_or(UpdateError::UnknownKey(id))?;
    let signed = UnparsedPublicKey::new(&ED25519, key.0);
    signed.verify(&message(catalogue), signature).map_err(|_| UpdateError::BadSignature)?;
    Ok(Catalogue::from_bytes(catalogue)?)
}

/// A bundle of a catalogue's bytes, signed. Deterministic: Ed25519 needs no random numbers.
pub fn sign(catalogue: &[u8], key: &Ed25519KeyPair) -> Result<Vec<u8>, UpdateError> {
    Catalogue::from_bytes(catalogue)?;
    let public = public_key(key).ok_or(UpdateError::BadSignature)?;
    let signature = key.sign(&message(catalogue));
    Ok([MAGIC, &public.id().0, signature.as_ref(), catalogue].concat())
}

/// The public half of a key pair; `None` never happens with an Ed25519 key.
pub fn public_key(key: &Ed25519KeyPair) -> Option<PublicKey> {
    use ring::signature::KeyPair as _;
    key.public_key().as_ref().try_into().ok().map(PublicKey)
}

fn message(catalogue: &[u8]) -> Vec<u8> {
    [CONTEXT, catalogue].concat()
}
