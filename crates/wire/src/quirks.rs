//! How a server that speaks a dialect differs from the dialect's reference: data, never code. A provider's file names
//! only what differs from [`Quirks::REFERENCE`].

/// The differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Top-level request fields the server refuses: removed on relay, each a loss.
    pub unsupported: &'static [&'static str],
    /// Members of messages the server refuses: removed on relay, each a loss unless it says nothing.
    pub unsupported_members: &'static [&'static str],
    /// Which ids of calls it takes.
    pub call_ids: CallIds,
    /// Top-level request fields it knows under another name: `(ours, theirs)`.
    pub renamed: &'static [(&'static str, &'static str)],
    /// How usage comes in a stream.
    pub stream_usage: StreamUsage,
    /// Whether a stream ends with `data: [DONE]`.
    pub done_marker: DoneMarker,
    /// The gateway's own fields (`models`, `provider`, `session_id`, `usage`) this server understands: not removed.
    pub understands: &'static [&'static str],
    /// Whether the server's prompt count includes cached tokens (OpenAI's convention).
    pub usage: UsageConvention,
    /// Top-level request fields beyond the reference that the server takes (`top_k`, `min_p`, `repetition_penalty`): a
    /// translation uses them only where they are named here.
    pub extensions: &'static [&'static str],
    /// The member of an assistant's message in which thinking is sent back to the server; `None` where it takes none.
    pub reasoning_field: Option<&'static str>,
    /// How a place up to which to cache is marked on a part of a prompt.
    pub cache_marks: CacheMarks,
    /// Whether the server knows the role `developer`.
    pub developer_role: DeveloperRole,
    /// Where an answer says which stop sequence ended it.
    pub stop_sequence: StopSequence,
}

/// Where a choice of an answer says which stop sequence ended it, which the reference does not. A number there is a
/// token's, and no sequence of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSequence {
    /// Nowhere.
    Unsaid,
    /// `stop_reason` (vLLM, `vllm/entrypoints/openai/chat_completion/protocol.py`, `ChatCompletionResponseChoice`).
    StopReason,
    /// `matched_stop` (SGLang, `python/sglang/srt/entrypoints/openai/protocol.py`, `ChatCompletionResponseChoice`).
    MatchedStop,
}

/// Which ids of calls a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallIds {
    /// Any.
    Any,
    /// Nine letters and digits: others are replaced by such, made of them.
    Nine,
}

/// How a place up to which to cache is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMarks {
    /// It cannot be.
    None,
    /// `prompt_cache_breakpoint`, OpenAI's.
    Breakpoint,
    /// `cache_control`, Anthropic's, which OpenRouter and others take in OpenAI's dialect too.
    CacheControl,
}

/// Whether a server knows the role `developer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeveloperRole {
    /// It does.
    Known,
    /// It has `system` for both.
    Unknown,
}

/// How usage comes in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// `stream_options: {"include_usage": true}` must ask for it.
    OnRequest,
    /// It comes unasked, and `stream_options` is refused.
    Always,
    /// It comes unasked, and `stream_options` does no harm.
    AlwaysTolerant,
}

/// Whether a stream ends with `data: [DONE]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoneMarker {
    /// Always: a stream without it was cut.
    Required,
    /// Not always: a stream in which every choice has finished may end without it.
    Optional,
}

/// How the server's usage object is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageConvention {
    /// `prompt_tokens` includes `prompt_tokens_details.cached_tokens`; `completion_tokens` includes
    /// `completion_tokens_details.reasoning_tokens`.
    OpenAi,
    /// DeepSeek: `prompt_cache_hit_tokens` and `prompt_cache_miss_tokens` beside `prompt_tokens`.
    DeepSeek,
    /// `completion_tokens` does not include `completion_tokens_details.reasoning_tokens` (xAI).
    ReasoningApart,
}

impl Quirks {
    /// OpenAI itself.
    pub const REFERENCE: Quirks = Quirks {
        unsupported: &[],
        unsupported_members: &[],
        call_ids: CallIds::Any,
        renamed: &[],
        stream_usage: StreamUsage::OnRequest,
        done_marker: DoneMarker::Required,
        understands: &[],
        usage: UsageConvention::OpenAi,
        extensions: &[],
        reasoning_field: None,
        cache_marks: CacheMarks::None,
        developer_role: DeveloperRole::Known,
        stop_sequence: StopSequence::Unsaid,
    };
}
