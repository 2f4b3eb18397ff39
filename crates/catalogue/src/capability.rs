//! What a model can do and which media it takes, as small sets. An unknown is not a no.

use serde::{Deserialize, Serialize};

/// Whether something is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Support {
    /// A source says so.
    Yes,
    /// A source denies it.
    No,
    /// No source says.
    Unknown,
}

/// Something a model may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Tool calls.
    Tools,
    /// Several tool calls in one turn.
    ParallelTools,
    /// `tool_choice`.
    ToolChoice,
    /// Answers after a JSON schema.
    StructuredOutput,
    /// JSON answers without a schema.
    JsonMode,
    /// Images as input.
    Vision,
    /// Reasoning before the answer.
    Reasoning,
    /// Prompt caching.
    PromptCaching,
    /// Streams.
    Streaming,
    /// Log probabilities.
    Logprobs,
    /// System messages.
    SystemMessages,
    /// PDF files as input.
    PdfInput,
    /// Audio as input.
    AudioInput,
    /// Audio as output.
    AudioOutput,
    /// Video as input.
    VideoInput,
    /// Web search by the provider.
    WebSearch,
    /// Continuing an answer the caller began.
    AssistantPrefill,
}

impl Capability {
    /// Every capability, in the order of their bits.
    pub const ALL: [Capability; 17] = [
        Self::Tools,
        Self::ParallelTools,
        Self::ToolChoice,
        Self::StructuredOutput,
        Self::JsonMode,
        Self::Vision,
        Self::Reasoning,
        Self::PromptCaching,
        Self::Streaming,
        Self::Logprobs,
        Self::SystemMessages,
        Self::PdfInput,
        Self::AudioInput,
        Self::AudioOutput,
        Self::VideoInput,
        Self::WebSearch,
        Self::AssistantPrefill,
    ];

    /// Its name in lists, receipts and the catalogue's facts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::ParallelTools => "parallel_tools",
            Self::ToolChoice => "tool_choice",
            Self::StructuredOutput => "structured_output",
            Self::JsonMode => "json_mode",
            Self::Vision => "vision",
            Self::Reasoning => "reasoning",
            Self::PromptCaching => "prompt_caching",
            Self::Streaming => "streaming",
            Self::Logprobs => "logprobs",
            Self::SystemMessages => "system_messages",
            Self::PdfInput => "pdf_input",
            Self::AudioInput => "audio_input",
            Self::AudioOutput => "audio_output",
            Self::VideoInput => "video_input",
            Self::WebSearch => "web_search",
            Self::AssistantPrefill => "assistant_prefill",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The capabilities of an offer: which are known to be there, which are known to be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    yes: u32,
    no: u32,
}

impl Capabilities {
    /// Whether the offer has a capability.
    pub const fn get(self, capability: Capability) -> Support {
        if self.yes & capability.bit() != 0 {
            Support::Yes
        } else if self.no & capability.bit() != 0 {
            Support::No
        } else {
            Support::Unknown
        }
    }

    /// The same with one capability set.
    #[must_use]
    pub const fn with(self, capability: Capability, support: Support) -> Self {
        let bit = capability.bit();
        let (yes, no) = (self.yes & !bit, self.no & !bit);
        match support {
            Support::Yes => Self { yes: yes | bit, no },
            Support::No => Self { yes, no: no | bit },
            Support::Unknown => Self { yes, no },
        }
    }
}

/// A kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Modality {
    /// Text.
    Text,
    /// Images.
    Image,
    /// PDF and other files.
    File,
    /// Audio.
    Audio,
    /// Video.
    Video,
}

impl Modality {
    /// Every modality, in the order of their bits.
    pub const ALL: [Modality; 5] = [Self::Text, Self::Image, Self::File, Self::Audio, Self::Video];

    /// Its name in OpenRouter's model list (`architecture.input_modalities`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::File => "file",
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

/// A set of kinds of content; empty where no source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Modalities(u8);

impl Modalities {
    /// The same with one more.
    #[must_use]
    pub const fn with(self, modality: Modality) -> Self {
        Self(self.0 | 1 << modality as u8)
    }

    /// Whether it is among them. Of an empty set nothing is known.
    pub const fn contains(self, modality: Modality) -> Support {
        match (self.0, self.0 & 1 << modality as u8) {
            (0, _) => Support::Unknown,
            (_, 0) => Support::No,
            _ => Support::Yes,
        }
    }

    /// Those in the set.
    pub fn iter(self) -> impl Iterator<Item = Modality> {
        Modality::ALL.into_iter().filter(move |modality| self.contains(*modality) == Support::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_its_own_place() {
        for capability in Capability::ALL {
            let set = Capabilities::default().with(capability, Support::Yes);
            let found = Capability::ALL.into_iter().filter(|other| set.get(*other) != Support::Unknown);
            assert_eq!(found.collect::<Vec<_>>(), [capability]);
            assert_eq!(set.with(capability, Support::No).get(capability), Support::No);
        }
    }

    #[test]
    fn an_empty_set_of_modalities_says_nothing() {
        assert_eq!(Modalities::default().contains(Modality::Text), Support::Unknown);
        let text = Modalities::default().with(Modality::Text);
        assert_eq!(
            (text.contains(Modality::Text), text.contains(Modality::Image)),
            (Support::Yes, Support::No)
        );
    }
}
