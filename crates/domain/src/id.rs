//! Identifiers. Each is its own type, so a team can never be passed where a key belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What the printed form starts with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the printed form; the prefix may be missing.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text.strip_prefix($prefix).unwrap_or(text)).map(Self).map_err(|_| InvalidId)
            }
        }
    };
}

/// A text that is not the printed form of the id asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid id")
    }
}

impl std::error::Error for InvalidId {}

uuid_id! {
    /// One request of a caller; a UUID v7, so ids sort by time. Printed as `gen-…`, the `x-generation-id`.
    RequestId, "gen-"
}
uuid_id! {
    /// A virtual key's public id: not its secret, safe to log and to show.
    KeyId, "key-"
}
uuid_id! {
    /// An organisation. One installation starts with exactly one: [`OrganisationId::FIRST`].
    OrganisationId, "org-"
}
uuid_id! {
    /// A team within an organisation.
    TeamId, "team-"
}
uuid_id! {
    /// A user within an organisation.
    UserId, "user-"
}

impl OrganisationId {
    /// The organisation every installation starts with.
    pub const FIRST: OrganisationId = OrganisationId(Uuid::from_u128(1));
}

/// One upstream call of a request: the request's id and the call's ordinal, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The request the attempt belongs to.
    pub request: RequestId,
    /// 1 for the first attempt, in the order of dispatch.
    pub ordinal: u8,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.request, self.ordinal)
    }
}

impl FromStr for AttemptId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (request, ordinal) = text.rsplit_once('-').ok_or(InvalidId)?;
        Ok(AttemptId { request: request.parse()?, ordinal: ordinal.parse().map_err(|_| InvalidId)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_ids_read_back() {
        let request = RequestId(Uuid::from_u128(7));
        assert_eq!(request.to_string().parse(), Ok(request));
        let attempt = AttemptId { request, ordinal: 3 };
        assert_eq!(attempt.to_string().parse(), Ok(attempt));
        assert_eq!("gen-nonsense".parse::<RequestId>(), Err(InvalidId));
    }
}
