//! Whose data a query may see.

use serde::{Deserialize, Serialize};

use crate::id::{KeyId, OrganisationId};

/// The part of the data a store method may touch. Every store method takes one: a query without a tenant does not
/// compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TenantScope {
    /// The whole installation: the gateway's own work (draining the journal, loading keys) and its operator.
    Installation,
    /// One organisation.
    Organisation(OrganisationId),
    /// What one virtual key did.
    Key(OrganisationId, KeyId),
}

impl TenantScope {
    /// The organisation the scope is limited to, if any.
    pub fn organisation(self) -> Option<OrganisationId> {
        match self {
            Self::Installation => None,
            Self::Organisation(organisation) | Self::Key(organisation, _) => Some(organisation),
        }
    }

    /// The key the scope is limited to, if any.
    pub fn key(self) -> Option<KeyId> {
        match self {
            Self::Installation | Self::Organisation(_) => None,
            Self::Key(_, key) => Some(key),
        }
    }
}
