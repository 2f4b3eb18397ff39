//! The most an attempt can cost: what its hold takes.
//!
//! A byte-level token is never shorter than a byte, so the bytes of text bound the tokens of text. Everything else
//! gets a generous constant, and nothing passes the model's window.

use trunkline_catalogue::offer::Kind;
use trunkline_catalogue::{Offer, Unbounded};
use trunkline_domain::{NanoUsd, UnixMs};
use trunkline_wire::codec::Skim;

use crate::world::Deployment;

/// Tokens a chat template adds to each message: role markers and separators.
const TOKENS_PER_MESSAGE: u64 = 16;
/// Tokens a chat template adds to each tool beyond its own text.
const TOKENS_PER_TOOL: u64 = 64;
/// Tokens of one inline image, sound or file. The dearest documented image rule (tiles of 5,667 tokens on small
/// OpenAI models) stays below it for a full-size picture.
const TOKENS_PER_INLINE_MEDIUM: u64 = 65_536;
/// Tokens a template adds to the whole prompt.
const TOKENS_PER_PROMPT: u64 = 64;
/// More tokens than any prompt or answer has: a price that does not change up to here does not depend on tokens.
const ANY_TOKENS: u64 = 1 << 40;
/// A text can hardly have fewer tokens than one per this many bytes: what a prompt is certain to need.
const BYTES_PER_TOKEN_MAX: u64 = 8;

/// Why there is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBound {
    /// Nobody knows the price.
    Unpriced,
    /// Something in the request has no limit: a field by name.
    Unbounded(&'static str),
}

/// Upper bound of the prompt in tokens; `None` where only an unknown window would bound it.
pub fn prompt_tokens_max(skim: &Skim, offer: &Offer) -> Option<u64> {
    if skim.referenced_media > 0 {
        return offer.context_window;
    }
    let counted = skim
        .text_bytes
        .saturating_add(u64::from(skim.messages).saturating_mul(TOKENS_PER_MESSAGE))
        .saturating_add(u64::from(skim.tools).saturating_mul(TOKENS_PER_TOOL))
        .saturating_add(u64::from(skim.inline_media).saturating_mul(TOKENS_PER_INLINE_MEDIUM))
        .saturating_add(TOKENS_PER_PROMPT);
    Some(offer.context_window.map_or(counted, |window| counted.min(window)))
}

/// What the prompt needs for certain, in tokens: what is held against a window before excluding anybody.
pub fn prompt_tokens_min(skim: &Skim) -> u64 {
    skim.text_bytes / BYTES_PER_TOKEN_MAX
}

/// Upper bound of the output of one choice in tokens: the caller's cap, a cap of ours, the model's own maximum.
pub fn output_tokens_max(skim: &Skim, offer: &Offer, cap: Option<u64>) -> Option<u64> {
    if offer.kind == Kind::Embedding {
        return Some(0);
    }
    let asked = skim.output_max.as_ref().map(|max| max.tokens);
    let model = offer.output_max.or(offer.context_window);
    [asked, cap, model].into_iter().flatten().min()
}

/// The most one attempt can cost at `deployment`, with the output capped at `cap` if given.
pub fn bound(
    deployment: &Deployment,
    skim: &Skim,
    cap: Option<u64>,
    now: UnixMs,
) -> Result<NanoUsd, NoBound> {
    let offer = &deployment.offer;
    let priced = |prompt, output| offer.prices.bound(prompt, output, skim.choices, now).map_err(no_bound);
    let least = priced(0, 0)?;
    if priced(ANY_TOKENS, ANY_TOKENS) == Ok(least) {
        return Ok(least);
    }
    if skim.needs.unbounded_fees {
        return Err(NoBound::Unbounded("web_search_options"));
    }
    let prompt = prompt_tokens_max(skim, offer).ok_or(NoBound::Unbounded("messages"))?;
    let output = output_tokens_max(skim, offer, cap).ok_or(NoBound::Unbounded("max_tokens"))?;
    priced(prompt, output)
}

fn no_bound(unbounded: Unbounded) -> NoBound {
    match unbounded {
        Unbounded::NoPrice | Unbounded::Class(_) => NoBound::Unpriced,
        Unbounded::Unit(_) => NoBound::Unbounded("model"),
    }
}

/// The largest output cap whose bound fits into `room`, if even one token does.
pub fn affordable_output(deployment: &Deployment, skim: &Skim, room: NanoUsd, now: UnixMs) -> Option<u64> {
    let most = output_tokens_max(skim, &deployment.offer, None).unwrap_or(u64::from(u32::MAX));
    let fits = |cap: u64| bound(deployment, skim, Some(cap), now).is_ok_and(|bound| bound <= room);
    if !fits(1) {
        return None;
    }
    let (mut fitting, mut beyond) = (1, most.saturating_add(1));
    while beyond - fitting > 1 {
        let middle = fitting + (beyond - fitting) / 2;
        if fits(middle) {
            fitting = middle;
        } else {
            beyond = middle;
        }
    }
    Some(fitting)
}
