//! The way out: connections to providers, and the only sockets the gateway opens towards them.
//!
//! Three doors lead out. [`dispatch`] carries inference: one call, one response, its body piece by piece as it arrives.
//! [`fetch`] reads what carries no caller's words: model listings, discovery, catalogue updates. [`auth`] obtains the
//! clouds' tokens and keys. All speak to an [`origin::Origin`], made from the operator's configuration, through
//! [`pool::Pools`], which keep connections and share none between origins or credential classes.
//!
//! What it is not: a retry policy. A call is repeated here only when it certainly never reached the provider; whether
//! to try elsewhere is the engine's judgement. Redirects are never followed.
//!
//! Look first at [`dispatch::Dispatch`] and [`pool::Pools`].

pub mod auth;
mod body;
mod cause;
pub mod connect;
pub mod dispatch;
pub mod fetch;
pub mod origin;
pub mod pool;
pub mod sandbox;
