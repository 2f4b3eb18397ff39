//! Wire languages and operations.

use serde::{Deserialize, Serialize};

/// The wire language of a request and its answer. Only `wire` matches on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `POST /chat/completions` as OpenAI defined it.
    OpenaiChat,
    /// The legacy `POST /completions`.
    OpenaiCompletions,
    /// `POST /embeddings`.
    OpenaiEmbeddings,
    /// `POST /responses` as OpenAI defined it.
    OpenaiResponses,
    /// `POST /messages` as Anthropic defined it.
    AnthropicMessages,
    /// `POST /models/{model}:generateContent` and `:streamGenerateContent` as Google defined them.
    GeminiGenerate,
    /// `POST /models/{model}:embedContent` as Google defined it.
    GeminiEmbed,
    /// `POST /models/{model}:batchEmbedContents` as Google defined it.
    GeminiBatchEmbed,
    /// `POST /model/{id}/converse` and `/converse-stream` of Amazon Bedrock.
    BedrockConverse,
    /// `POST /v2/chat` of Cohere.
    CohereChat,
    /// `POST /api/chat` of Ollama.
    OllamaChat,
}

impl Dialect {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::OpenaiChat,
        Self::OpenaiCompletions,
        Self::OpenaiEmbeddings,
        Self::OpenaiResponses,
        Self::AnthropicMessages,
        Self::GeminiGenerate,
        Self::GeminiEmbed,
        Self::GeminiBatchEmbed,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::OllamaChat,
    ];

    /// Its name in receipts, headers and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiCompletions => "openai_completions",
            Self::OpenaiEmbeddings => "openai_embeddings",
            Self::OpenaiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::GeminiGenerate => "gemini_generate",
            Self::GeminiEmbed => "gemini_embed",
            Self::GeminiBatchEmbed => "gemini_batch_embed",
            Self::BedrockConverse => "bedrock_converse",
            Self::CohereChat => "cohere_chat",
            Self::OllamaChat => "ollama_chat",
        }
    }
}

/// What is asked of a model: OpenTelemetry's `gen_ai.operation.name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A conversation turn.
    Chat,
    /// Completion of a bare text.
    TextCompletion,
    /// Vectors for texts.
    Embeddings,
    /// How many tokens a conversation has; no value of OpenTelemetry's.
    CountTokens,
}

impl Operation {
    /// The OpenTelemetry value, also what the ledger stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::Embeddings => "embeddings",
            Self::CountTokens => "count_tokens",
        }
    }
}
