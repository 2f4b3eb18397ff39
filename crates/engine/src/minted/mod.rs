//! Provider state stays home: who signed or encrypted what, remembered so that it goes back to its maker and to nobody else.
//!
//! What it is: a bounded table in memory, from a keyed hash of a signature to its [`Origin`], and from the id of a tool
//! call to the signature its caller could not carry. Filled as answers pass ([`Recorder`]), read when a conversation
//! comes back: by the planner ([`Keeper::survey`]), on relay ([`Keeper::review`]) and on recast
//! ([`Keeper::attributed`]). What it is not: a proof of anything, or kept: after a restart, and for what nobody here
//! has seen, state goes on as the caller sent it, and its provider judges it.
//!
//! For whom a signature is good follows from who made it ([`Minter`]), by what providers say and do:
//!
//! - Claude's are good wherever the same model is served: "compatible across platforms (Claude APIs, Amazon Bedrock,
//!   and Google Cloud)", <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, "Thinking
//!   encryption"; blocks of another model are refused,
//!   <https://github.com/anthropics/anthropic-sdk-python/issues/1598>.
//! - OpenAI's encrypted reasoning is bound to the organisation: "Encrypted content `organization_id` did not match the
//!   target organization", <https://github.com/openai/codex/issues/13724>. An account is taken for one organisation.
//! - Google says of Gemini's only that they go back as they came
//!   (<https://ai.google.dev/gemini-api/docs/thought-signatures>); its own client drops them between Vertex AI and the
//!   Gemini API, whose encryption differs (gemini-cli, `packages/core/src/config/config.ts`, `refreshAuth`), and one
//!   account's were refused to another (<https://github.com/Wei-Shaw/sub2api/pull/393>). They are bound to the account.
//! - Of whom nothing is known, the account takes back what it signed.

mod keeper;
mod recorder;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use trunkline_domain::chat::Minter;
use trunkline_domain::id::OrganisationId;
use trunkline_domain::{Dialect, Text};

pub(crate) use keeper::{Keeper, Survey};
pub(crate) use recorder::{Recorder, Witness};

/// The most signatures remembered; the one not seen for longest goes first. About 25 MiB.
const SIGNATURES_MAX: u64 = 131_072;
/// The most bytes of signatures remembered for tool calls.
const CALLS_BYTES_MAX: u64 = 16 << 20;
/// A tool call's signature longer than this is not remembered.
const CALL_BYTES_MAX: usize = 256 << 10;
/// What an entry takes besides its signature, about.
const ENTRY_BYTES: usize = 256;

/// Where a piece of provider state was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// In which dialect it was minted.
    pub(crate) dialect: Dialect,
    /// Who takes it back.
    pub(crate) minter: Minter,
    /// The deployment that made it: `account/upstream-id`.
    pub(crate) deployment: Text,
}

/// The signature of a tool call, kept for callers that cannot carry it.
#[derive(Clone, Debug)]
struct CallState {
    value: Text,
    origin: Arc<Origin>,
}

/// A keyed hash, cut to 128 bits: nobody finds out by it what was signed, or that another tenant was given it.
type Print = [u8; 16];

/// What is remembered of provider state.
pub(crate) struct MintedTable {
    secret: [u8; 32],
    signatures: Cache<Print, Arc<Origin>>,
    calls: Cache<Print, CallState>,
    /// Whether anything was ever remembered: while not, nobody looks.
    in_use: AtomicBool,
}

impl MintedTable {
    /// An empty table, with a secret of its own for its hashes.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self::bounded(secret, SIGNATURES_MAX, CALLS_BYTES_MAX)
    }

    fn bounded(secret: [u8; 32], signatures: u64, call_bytes: u64) -> Self {
        let weight =
            |_: &Print, call: &CallState| u32::try_from(call.value.len() + ENTRY_BYTES).unwrap_or(u32::MAX);
        Self {
            secret,
            signatures: Cache::builder()
                .max_capacity(signatures)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            calls: Cache::builder()
                .max_capacity(call_bytes)
                .weigher(weight)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            in_use: AtomicBool::new(false),
        }
    }

    fn is_in_use(&self) -> bool {
        self.in_use.load(Ordering::Relaxed)
    }

    fn remember(&self, tenant: OrganisationId, signature: &str, origin: &Arc<Origin>) {
        if !signature.is_empty() {
            self.in_use.store(true, Ordering::Relaxed);
            self.signatures.insert(self.print(tenant, b's', &[signature]), Arc::clone(origin));
        }
    }

    /// Whether it is remembered: not where the call is known by nothing, or its signature is too long.
    fn remember_call(
        &self,
        tenant: OrganisationId,
        (id, name): (&str, &str),
        value: Text,
        origin: &Arc<Origin>,
    ) -> bool {
        let keeps = tells_apart(id) && value.len() <= CALL_BYTES_MAX;
        if keeps {
            self.in_use.store(true, Ordering::Relaxed);
            let state = CallState { value, origin: Arc::clone(origin) };
            self.calls.insert(self.print(tenant, b'c', &[id, name]), state);
        }
        keeps
    }

    fn origin(&self, tenant: OrganisationId, signature: &str) -> Option<Arc<Origin>> {
        self.signatures.get(&self.print(tenant, b's', &[signature]))
    }

    fn call(&self, tenant: OrganisationId, id: &str, name: &str) -> Option<CallState> {
        if !tells_apart(id) {
            return None;
        }
        self.calls.get(&self.print(tenant, b'c', &[id, name]))
    }

    /// The hash of texts, whatever alphabet of base64 they are spelled in and whether they are padded: clients write them
    /// anew. An id is spelled as every dialect takes it.
    fn print(&self, tenant: OrganisationId, kind: u8, texts: &[&str]) -> Print {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(tenant.0.as_bytes());
        hash.update([kind]);
        let mut block = [0_u8; 256];
        for text in texts {
            for chunk in text.trim_end_matches('=').as_bytes().chunks(block.len()) {
                for (spelled, byte) in block.iter_mut().zip(chunk) {
                    *spelled = match byte {
                        b'-' | b'+' => b'+',
                        b'_' | b'/' => b'/',
                        b if kind == b'c' && !b.is_ascii_alphanumeric() => b'/',
                        b => *b,
                    };
                }
                hash.update(block.get(..chunk.len()).unwrap_or_default());
            }
            hash.update([0]);
        }
        let mut print = Print::default();
        print.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        print
    }
}

/// Whether the id of a call tells it from those of other conversations. One made from its place does not.
fn tells_apart(id: &str) -> bool {
    let from_place = id
        .strip_prefix("call_")
        .is_some_and(|place| place.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_'));
    !id.is_empty() && !from_place
}

impl std::fmt::Debug for MintedTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MintedTable")
    }
}

#[cfg(test)]
mod tests;
