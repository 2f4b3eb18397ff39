//! What the public routes share.

use std::ops::Deref;
use std::sync::Arc;

use trunkline_engine::Engine;
use trunkline_ledger::api::LedgerStore;

use crate::ingress::read::Bodies;

/// The parts, by reference.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// The parts.
pub(crate) struct Parts {
    /// Who serves.
    pub(crate) engine: Engine,
    /// What was recorded.
    pub(crate) ledger: Arc<dyn LedgerStore>,
    /// Memory for bodies.
    pub(crate) bodies: Bodies,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
