//! Google's access tokens: for a service account by a signed assertion (RFC 7523), for a person by a refresh token, and
//! from the metadata server of the machine. Workload identity federation is not spoken. Look first at
//! [`Credentials::parse`] and [`GoogleSource`].
//!
//! Read in google-auth 2.63.0 `google/oauth2/service_account.py`, `google/oauth2/_client.py`,
//! `google/oauth2/credentials.py`, `google/auth/compute_engine/_metadata.py`, and at
//! <https://developers.google.com/identity/protocols/oauth2/service-account>.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use trunkline_domain::{Secret, UnixMs};
use zeroize::{Zeroize as _, Zeroizing};

use super::ask::Ask;
use super::lease::{AccessError, Issued, Obtain, Source, Surroundings};
use super::oauth::issued;
use crate::origin::Origin;

/// Where assertions and refresh tokens are exchanged: the whole address.
pub const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// The metadata server. Its address, not its name `metadata.google.internal`: no name may lead there.
pub const METADATA_URL: &str = "http://169.254.169.254";
/// What a token may be used for: everything the identity may do on Google Cloud.
pub const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

const METADATA_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest life an assertion may claim, in seconds.
const ASSERTION_LIFE_S: i64 = 3_600;

/// Where tokens come from.
#[derive(Debug)]
pub enum GoogleSource {
    /// From the token endpoint, for what a credentials file holds.
    Exchange {
        /// The token endpoint: the whole address.
        endpoint: Arc<Origin>,
        /// The file's content.
        credentials: Credentials,
        /// What the tokens may be used for.
        scope: String,
    },
    /// From the metadata server: the identity of the machine or the pod.
    Metadata {
        /// The metadata server.
        endpoint: Arc<Origin>,
    },
}

/// What a credentials file holds.
pub enum Credentials {
    /// `"type": "service_account"`.
    ServiceAccount {
        /// Whose key it is.
        email: String,
        /// Which of its keys.
        key_id: Option<String>,
        /// The key.
        key: Box<RsaKeyPair>,
    },
    /// `"type": "authorized_user"`, as `gcloud auth application-default login` writes it.
    User {
        /// The application that was logged in with.
        client_id: String,
        /// Its secret.
        client_secret: Secret<String>,
        /// What a token is obtained with.
        refresh_token: Secret<String>,
    },
}

/// Why a credentials file cannot be used. Never repeats any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Not a JSON object with a type.
    #[error("is not a Google credentials file: JSON with a \"type\"")]
    NotJson,
    /// Another type.
    #[error("is of another type than service_account or authorized_user")]
    Type,
    /// A field is missing.
    #[error("lacks {0}")]
    Missing(&'static str),
    /// The private key.
    #[error("holds a private_key that is no RSA key of 2048 bits or more in PKCS #8 PEM")]
    Key,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: String,
    client_email: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
}

impl Credentials {
    /// Reads a credentials file. Its `token_uri` is not followed: where secrets are sent is the operator's to say.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        let file: File = serde_json::from_str(text).map_err(|_| CredentialsError::NotJson)?;
        let secret =
            |text: Option<String>, name| text.map(Secret::new).ok_or(CredentialsError::Missing(name));
        match file.kind.as_str() {
            "service_account" => {
                let pem = secret(file.private_key, "private_key")?;
                Ok(Self::ServiceAccount {
                    email: file.client_email.ok_or(CredentialsError::Missing("client_email"))?,
                    key_id: file.private_key_id,
                    key: Box::new(key(pem.expose()).ok_or(CredentialsError::Key)?),
                })
            }
            "authorized_user" => Ok(Self::User {
                client_id: file.client_id.ok_or(CredentialsError::Missing("client_id"))?,
                client_secret: secret(file.client_secret, "client_secret")?,
                refresh_token: secret(file.refresh_token, "refresh_token")?,
            }),
            _ => Err(CredentialsError::Type),
        }
    }
}

fn key(pem: &str) -> Option<RsaKeyPair> {
    let mut der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok();
    der.zeroize();
    key
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceAccount { email, .. } => write!(f, "ServiceAccount({email})"),
            Self::User { client_id, .. } => write!(f, "User({client_id})"),
        }
    }
}

impl Source for GoogleSource {
    type Value = HeaderValue;

    fn endpoint(&self) -> &Origin {
        match self {
            Self::Exchange { endpoint, .. } | Self::Metadata { endpoint } => endpoint,
        }
    }

    fn obtain<'a>(&'a self, around: &'a Surroundings) -> Obtain<'a, HeaderValue> {
        Box::pin(async move {
            match self {
                Self::Exchange { endpoint, credentials, scope } => {
                    exchange(around, endpoint, credentials, scope).await
                }
                Self::Metadata { endpoint } => {
                    let asked = (around.now)();
                    let ask = Ask::new(around, endpoint, METADATA_PATH).header("metadata-flavor", "Google");
                    issued(&ask.get().await?, asked)
                }
            }
        })
    }
}

async fn exchange(
    around: &Surroundings,
    endpoint: &Arc<Origin>,
    credentials: &Credentials,
    scope: &str,
) -> Result<Issued<HeaderValue>, AccessError> {
    let asked = (around.now)();
    let ask = Ask::new(around, endpoint, "");
    let answer = match credentials {
        Credentials::ServiceAccount { email, key_id, key } => {
            let claims = Claims { email, key_id: key_id.as_deref(), audience: &endpoint.to_string(), scope };
            let assertion =
                claims.sign(key, asked).ok_or_else(|| ask.failed("its assertion could not be signed"))?;
            let fields = [("grant_type", JWT_BEARER), ("assertion", assertion.expose())];
            ask.hiding(&assertion).post(&fields).await?
        }
        Credentials::User { client_id, client_secret, refresh_token } => {
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", client_id),
                ("client_secret", client_secret.expose()),
                ("refresh_token", refresh_token.expose()),
            ];
            ask.hiding(client_secret).hiding(refresh_token).post(&fields).await?
        }
    };
    issued(&answer, asked)
}

/// What an assertion says.
struct Claims<'a> {
    email: &'a str,
    key_id: Option<&'a str>,
    audience: &'a str,
    scope: &'a str,
}

#[derive(Serialize)]
struct JwtHeader<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct JwtClaims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl Claims<'_> {
    /// A JSON web token (RFC 7519), signed with RS256 (RFC 7518 §3.3).
    fn sign(&self, key: &RsaKeyPair, now: UnixMs) -> Option<Secret<String>> {
        let issued_at = now.0 / 1_000;
        let header = JwtHeader { alg: "RS256", typ: "JWT", kid: self.key_id };
        let claims = JwtClaims {
            iss: self.email,
            scope: self.scope,
            aud: self.audience,
            iat: issued_at,
            exp: issued_at + ASSERTION_LIFE_S,
        };
        let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).ok()?);
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).ok()?);
        let signed = format!("{header}.{claims}");
        let mut signature = Zeroizing::new(vec![0; key.public().modulus_len()]);
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&*signature))))
    }
}
