//! Relay or recast, chosen for each attempt: how a request is made fit for a deployment, and how its answer is read for
//! the caller.
//!
//! Relay passes bytes; recast goes through the canonical chat. Everything else of the engine sees the same thing: a body
//! to send, then frames with a class, facts, and bytes for the caller. Where to look first: [`fit`] (requests),
//! [`Reading`] (answers).

mod answer;
mod request;

use trunkline_domain::Text;
use trunkline_wire::codec::Loss;

pub(crate) use answer::{EventReader, Introduction, Output, Reading, Unfit, Whole};
pub(crate) use request::{Fit, Fitted, fit, unnamed};

/// The paths of losses, for headers and receipts.
fn names<'a>(losses: impl IntoIterator<Item = &'a Loss>) -> Vec<Text> {
    losses.into_iter().map(|loss| Text::from(&*loss.path)).collect()
}
