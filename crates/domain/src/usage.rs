//! What a model call consumed, in disjoint classes: no token is counted twice, totals are methods.

use serde::{Deserialize, Serialize};

/// Usage in disjoint classes. Decoders normalise each provider's convention at the edge, so nobody downstream asks
/// whether `prompt_tokens` included the cached ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Prompt tokens billed at the plain input price: cache reads and writes are not included.
    pub input_tokens: u64,
    /// Prompt tokens served from the provider's prompt cache.
    pub cache_read_tokens: u64,
    /// Prompt tokens written to a cache that lives five minutes.
    pub cache_write_5m_tokens: u64,
    /// Prompt tokens written to a cache that lives an hour.
    pub cache_write_1h_tokens: u64,
    /// Generated tokens the caller can see.
    pub output_tokens: u64,
    /// Generated tokens nobody saw.
    pub reasoning_tokens: u64,
    /// Audio heard; priced apart.
    pub audio_input_tokens: u64,
    /// Audio spoken; priced apart.
    pub audio_output_tokens: u64,
    /// Images read; priced apart.
    pub image_input_tokens: u64,
    /// Images drawn; priced apart.
    pub image_output_tokens: u64,
    /// What is not tokens.
    pub units: Units,
}

/// What is billed in other units than tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Units {
    /// Web searches done by the provider.
    pub searches: u32,
    /// Images made.
    pub images: u32,
    /// Pages read.
    pub pages: u32,
    /// Seconds of audio or video, rounded up.
    pub seconds: u32,
}

impl Usage {
    /// Everything on the prompt side.
    pub fn prompt_total(&self) -> u64 {
        [
            self.input_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.audio_input_tokens,
            self.image_input_tokens,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Everything generated, seen or not.
    pub fn completion_total(&self) -> u64 {
        [self.output_tokens, self.reasoning_tokens, self.audio_output_tokens, self.image_output_tokens]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// This usage and another, class by class.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let Self { units, .. } = self;
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cache_read_tokens: self.cache_read_tokens.saturating_add(other.cache_read_tokens),
            cache_write_5m_tokens: self.cache_write_5m_tokens.saturating_add(other.cache_write_5m_tokens),
            cache_write_1h_tokens: self.cache_write_1h_tokens.saturating_add(other.cache_write_1h_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            audio_input_tokens: self.audio_input_tokens.saturating_add(other.audio_input_tokens),
            audio_output_tokens: self.audio_output_tokens.saturating_add(other.audio_output_tokens),
            image_input_tokens: self.image_input_tokens.saturating_add(other.image_input_tokens),
            image_output_tokens: self.image_output_tokens.saturating_add(other.image_output_tokens),
            units: Units {
                searches: units.searches.saturating_add(other.units.searches),
                images: units.images.saturating_add(other.units.images),
                pages: units.pages.saturating_add(other.units.pages),
                seconds: units.seconds.saturating_add(other.units.seconds),
            },
        }
    }

    /// Prompt and completion together.
    pub fn total(&self) -> u64 {
        self.prompt_total().saturating_add(self.completion_total())
    }
}

/// Where a usage figure comes from. An estimate never poses as a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider said so.
    Reported,
    /// Computed here from what was seen.
    Estimated,
    /// Nothing was consumed or nothing is known.
    #[default]
    Absent,
}

impl UsageSource {
    /// What the ledger stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Estimated => "estimated",
            Self::Absent => "absent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_sums_of_disjoint_classes() {
        let usage = Usage {
            input_tokens: 3,
            cache_read_tokens: 5,
            output_tokens: 7,
            reasoning_tokens: 11,
            ..Usage::default()
        };
        assert_eq!((usage.prompt_total(), usage.completion_total(), usage.total()), (8, 18, 26));
        assert_eq!(usage.plus(&usage).total(), 52);
    }
}
