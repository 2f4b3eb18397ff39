//! Names of models, public and upstream.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Shared immutable text: cloning is a reference count, never a copy.
pub type Text = Arc<str>;

/// A public model name as callers write it: `vendor/model`, an alias, a route, or `account/upstream-id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelName(pub Text);

/// The id a provider knows a model by. Untrusted where it ends up in a URL path: see [`UpstreamModel::is_path_safe`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UpstreamModel(pub Text);

macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(Arc::from(name))
            }
        }
    };
}

text_name!(ModelName);
text_name!(UpstreamModel);

impl UpstreamModel {
    /// Whether the id may stand in a URL path as it is: no dot segments, no separators but `/`, no control,
    /// no query, no fragment, no escape.
    pub fn is_path_safe(&self) -> bool {
        let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '@' | '/');
        !self.0.is_empty()
            && self.0.chars().all(clean)
            && self.0.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_id_cannot_climb_out_of_its_path() {
        for good in ["gpt-5", "accounts/fireworks/models/llama-v3", "anthropic.claude-3:0", "x@20250101"] {
            assert!(UpstreamModel::from(good).is_path_safe(), "{good}");
        }
        for bad in ["", "a/../b", "a//b", "a?b", "a#b", "a%2e", "a b", "/a", "..", "a\n"] {
            assert!(!UpstreamModel::from(bad).is_path_safe(), "{bad:?}");
        }
    }
}
