//! What prompts a provider has read before, by their beginnings. Where those are marked (Anthropic), real providers keep
//! nothing below a thousand tokens and forget within minutes; this one keeps everything, so that tests need no long prompts.
//! Where they are not (OpenAI, Gemini), it begins at a thousand tokens as the real ones do.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// The beginnings read so far.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<HashSet<u64>>);

/// One piece of a prompt.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// What it says, without its mark.
    pub(crate) content: String,
    pub(crate) tokens: u64,
    /// Whether the beginning that ends with it is to be kept, and for how long.
    pub(crate) mark: Option<Keep>,
}

/// For how long a beginning is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    FiveMinutes,
    OneHour,
}

/// Tokens of a prompt that were read from the cache or written to it; the rest are neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cached {
    pub(crate) read: u64,
    pub(crate) written_5m: u64,
    pub(crate) written_1h: u64,
}

/// The shortest beginning that is kept without a mark, in tokens, and what lengths are counted in:
/// <https://developers.openai.com/api/docs/guides/prompt-caching>.
const UNMARKED_MIN: u64 = 1_024;
const UNMARKED_STEP: u64 = 128;

impl Cache {
    /// Reads a prompt of a provider that keeps beginnings by itself: how much of it was read before.
    pub(crate) fn read_unmarked(&self, model: &str, pieces: &[Piece]) -> u64 {
        let marked = |piece: &Piece| Piece { mark: Some(Keep::FiveMinutes), ..piece.clone() };
        let read = self.read(model, &pieces.iter().map(marked).collect::<Vec<_>>()).read;
        if read < UNMARKED_MIN { 0 } else { read - read % UNMARKED_STEP }
    }

    /// Reads a prompt: the longest beginning that was kept before is read, what follows up to the last mark is written.
    pub(crate) fn read(&self, model: &str, pieces: &[Piece]) -> Cached {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hasher = DefaultHasher::new();
        model.hash(&mut hasher);
        let (mut cached, mut sum, mut settled) = (Cached::default(), 0, 0);
        let mut fresh = Vec::new();
        for piece in pieces {
            piece.content.hash(&mut hasher);
            sum += piece.tokens;
            let Some(keep) = piece.mark else { continue };
            if kept.contains(&hasher.finish()) {
                cached = Cached { read: sum, ..Cached::default() };
            } else if keep == Keep::OneHour {
                cached.written_1h += sum - settled;
            } else {
                cached.written_5m += sum - settled;
            }
            settled = sum;
            fresh.push(hasher.finish());
        }
        kept.extend(fresh);
        cached
    }
}
