//! What models do otherwise than each other, by what their ids hold: `us.anthropic.claude-…`, `amazon.nova-…`,
//! `openai.gpt-…`, or an ARN, which may name any.
//!
//! Sources: <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html> (Claude and Nova cache);
//! vercel/ai, `packages/amazon-bedrock/src/amazon-bedrock-chat-language-model.ts` and the errors recorded beside it
//! (efforts of OpenAI's models and Nova's); what Claude does is read in the module of its own dialect.

use crate::anthropic::recast::models as claude;

/// A family of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude,
    /// Amazon's.
    Nova,
    /// OpenAI's open ones, which have their effort under another name than the rest.
    GptOss,
    /// OpenAI's others.
    Gpt,
    /// Of another vendor.
    Other,
    /// The id does not say.
    Unknown,
}

impl Family {
    /// The family of a model.
    pub(super) fn of(model: &str) -> Self {
        let known = [
            ("claude", Self::Claude),
            ("amazon.nova", Self::Nova),
            ("openai.gpt-oss", Self::GptOss),
            ("openai.", Self::Gpt),
        ];
        let unknown = if model.contains('.') { Self::Other } else { Self::Unknown };
        known.iter().find(|(part, _)| model.contains(part)).map_or(unknown, |(_, family)| *family)
    }

    /// Whether its prompts are cached up to marked places.
    pub(super) fn caches(self) -> bool {
        match self {
            Self::Claude | Self::Nova | Self::Unknown => true,
            Self::GptOss | Self::Gpt | Self::Other => false,
        }
    }
}

/// Whether a model takes messages of role `system`: `toolAddition` and `toolRemoval` are for them, which Claude has.
pub(super) fn takes_system_messages(model: &str) -> bool {
    Family::of(model) == Family::Claude && claude::takes_system_messages(model)
}
