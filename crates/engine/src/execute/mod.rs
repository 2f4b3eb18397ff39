//! Walks the steps of a plan until one commits. The only place that interprets a plan's steps; the only way to a provider
//! is [`attempt::begin`]. Where to look first: [`run`], then [`walk`].

mod attempt;
mod exchange;
mod hedge;
mod live;
mod receive;
mod refusal;
mod resume;
mod walk;

use trunkline_domain::Error;
use trunkline_domain::attempt::UpstreamError;

pub use exchange::{Exchange, Piece};
pub use live::Done;
pub use receive::{Begun, Committed, Head};
pub(crate) use resume::{Resumed, resume};
pub use walk::run;

/// Why nothing was sent to a candidate.
#[derive(Debug)]
pub enum Miss {
    /// No credential is free.
    NotTried(UpstreamError),
    /// This deployment cannot be told what the caller asks.
    Unfit(Error),
    /// The request itself may go no further: budget, revoked key, defect.
    Refused(Error),
}
