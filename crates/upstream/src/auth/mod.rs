//! How calls are authorised: with a fixed header, with a token that is renewed ahead of its expiry, or with a signature.
//!
//! [`access::Access`] is what a credential carries. A cloud's tokens and keys come from a [`lease::Lease`], which a
//! source of [`aws`], [`google`] or [`entra`] fills in the background; [`sigv4`] signs. What it is not: the choice of a
//! scheme, which a provider's specification and the operator make; nor the place where secrets are read: they are
//! handed in. Look first at [`access::Access`].

pub mod access;
mod ask;
pub mod aws;
mod encode;
pub mod entra;
pub mod google;
mod header;
pub mod lease;
pub mod oauth;
pub mod sigv4;

pub use header::{AuthError, bearer, header};
