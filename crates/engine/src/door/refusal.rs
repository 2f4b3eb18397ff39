//! Why a request was not let in, and how a caller is told.

use std::time::Duration;

use trunkline_domain::{Error, ErrorKind};

/// The least a caller is told to wait.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The most a caller is told to wait: what is known of the queue says nothing beyond that.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Why a request was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorRefusal {
    /// Why.
    pub reason: Reason,
    /// How long it waited, or would have to.
    pub wait: Duration,
}

/// The reasons a request is not let in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// As many wait as may.
    QueueFull,
    /// As many of this tenant wait as may, while others' requests still can.
    ShareFull,
    /// It would not have been its turn in time.
    Hopeless,
    /// It was not its turn in time.
    TimedOut,
}

impl Reason {
    /// For metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::ShareFull => "share_full",
            Self::Hopeless => "hopeless",
            Self::TimedOut => "timed_out",
        }
    }
}

impl From<DoorRefusal> for Error {
    fn from(refusal: DoorRefusal) -> Self {
        let (kind, message) = match refusal.reason {
            Reason::ShareFull => (
                ErrorKind::RateLimited,
                "too many requests of this team or key are waiting at this gateway: send fewer at once, and try again \
                 later",
            ),
            Reason::QueueFull => {
                (ErrorKind::Overloaded, "too many requests are waiting at this gateway: try again later")
            }
            Reason::Hopeless => (
                ErrorKind::Overloaded,
                "too many requests are under way at this gateway for this one to get its turn in time: try again later",
            ),
            Reason::TimedOut => (
                ErrorKind::Overloaded,
                "too many requests are under way at this gateway, and it was not this one's turn in time: try again \
                 later",
            ),
        };
        Self::new(kind, message).retry_after(refusal.wait.clamp(RETRY_MIN, RETRY_MAX))
    }
}
