//! What the provider keeps of its responses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Responses by their ids.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashMap<String, Entry>>);

/// A response, and what it was made from.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) response: Value,
    pub(crate) input: Vec<Value>,
}

impl Kept {
    pub(crate) fn keep(&self, id: &str, entry: Entry) {
        self.lock().insert(id.to_owned(), entry);
    }

    pub(crate) fn get(&self, id: &str) -> Option<Entry> {
        self.lock().get(id).cloned()
    }

    pub(crate) fn forget(&self, id: &str) -> bool {
        self.lock().remove(id).is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
