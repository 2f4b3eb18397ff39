//! What the engine asks of a dialect when it relays: read the request's facts, say which edits the provider needs,
//! watch the answer pass, and speak errors. Bytes in, bytes out; no I/O, no clock.
//!
//! Where to look first: [`Codec`], found by [`codec_for`](crate::codec_for); `openai/` implements it.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use trunkline_domain::{Dialect, Error, NanoUsd, Operation, Text, Usage};

use crate::envelope::Envelope;
use crate::frame::Frame;
use crate::quirks::Quirks;
use crate::routing::Wishes;
use crate::splice::Edit;
use crate::state::Judge;

/// One dialect, seen from the relay.
pub trait Codec: Send + Sync {
    /// Which.
    fn dialect(&self) -> Dialect;

    /// What a request in this dialect asks for.
    fn operation(&self) -> Operation;

    /// Reads the facts routing and metering need, in one pass over the fields that matter.
    fn skim(&self, envelope: &Envelope) -> Result<Skim, FieldError>;

    /// The named edits that make the caller's bytes fit for one deployment, and what they lose.
    fn relay(&self, envelope: &Envelope, skim: &Skim, target: &RelayTarget<'_>) -> RelayEdits;

    /// Reads the facts of a complete buffered answer with a success status. An answer that is an error object in
    /// spite of its status comes back as [`AnswerProblem::Error`].
    fn read_answer(&self, body: &[u8], quirks: &Quirks) -> Result<AnswerFacts, AnswerProblem>;

    /// Shows `judge` every piece of provider state that a request to a model carries, in the order of the conversation,
    /// and says by which edit those go that it drops; `None` where all stay. A dialect without provider state has none.
    fn review_state(&self, _envelope: &Envelope, _model: &str, _judge: Judge<'_>) -> Option<Edit> {
        None
    }

    /// Shows `each` every piece of provider state in a buffered answer, or in one event of a streamed one.
    fn find_state(&self, _json: &[u8], _each: &mut dyn FnMut(&str)) {}

    /// A tap for one streamed answer to the request `skim` was read from: one box per stream, no allocation per
    /// event.
    fn stream_tap(&self, skim: &Skim, quirks: &Quirks) -> Box<dyn StreamTap>;

    /// Reads the provider's error body (any status, any content type) into message and code. `None` where the body
    /// is not an error in this dialect.
    fn read_error(&self, body: &[u8]) -> Option<ErrorWords>;

    /// Adds `usage.cost` (a JSON number of dollars), `usage.cost_details` and a top-level `provider` to a buffered
    /// answer or to one usage-bearing stream frame, by splicing: nothing else changes. `None` where there is no
    /// usage object to add to.
    fn annotate(&self, body: &Bytes, annotation: &Annotation<'_>) -> Option<Bytes>;

    /// Puts the ids under which a provider keeps answers in the caller's terms, in a buffered answer or in one event of a
    /// stream, by splicing: nothing else changes. `None` where there are none.
    fn rename_kept(&self, _body: &Bytes, _rename: &dyn Fn(&str) -> String) -> Option<Bytes> {
        None
    }

    /// A line of a stream that clients pass over, framing included; `None` where clients of the dialect stumble over any.
    fn comment(&self, text: &str) -> Option<Bytes> {
        Some(Bytes::from(format!(": {text}\n\n")))
    }

    /// What keeps a silent stream alive, framing included.
    fn heartbeat(&self) -> Bytes {
        Bytes::from_static(b": trunkline is waiting for the provider\n\n")
    }

    /// A receipt (a JSON object) in a stream, framing included: a comment where the dialect has no event that clients
    /// pass over.
    fn receipt_event(&self, _id: &str, receipt: &str) -> Option<Bytes> {
        self.comment(&format!("trunkline_receipt {receipt}"))
    }

    /// The answer to how many tokens a prompt has.
    fn token_count(&self, tokens: u64) -> Bytes {
        Bytes::from(format!("{{\"input_tokens\":{tokens}}}"))
    }

    /// The body of an error answer.
    fn error_body(&self, error: &Error) -> Bytes;

    /// The dialect's terminal event, framing included: what ends a whole answer whose provider leaves it out.
    fn terminal_event(&self) -> Bytes;

    /// An error as the last thing a stream says, complete with its framing and the dialect's terminal event.
    fn error_event(&self, error: &Error) -> Bytes;
}

/// The facts of a request that routing, holding and metering need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each read by somebody else")]
pub struct Skim {
    /// The model's name as asked; empty where the body names none.
    pub model: Text,
    /// Fallback models in order (`models`, LiteLLM's `fallbacks` given as names).
    pub models: Vec<Text>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether the caller itself asked for usage in the stream.
    pub include_usage: bool,
    /// Whether the caller asked for the cost in the usage object (`usage: {"include": true}`).
    pub annotate: bool,
    /// The output cap the caller set, in tokens.
    pub output_max: Option<OutputMax>,
    /// How many answers are generated, each up to the output cap: `n`, or `best_of` where that is larger, for each
    /// prompt; at least 1.
    pub choices: u32,
    /// Bytes of text, as written, in everything the model will read: an upper bound of its tokens.
    pub text_bytes: u64,
    /// Messages, turns or inputs, each with a template overhead.
    pub messages: u32,
    /// Tools offered, each with a template overhead.
    pub tools: u32,
    /// Inline media parts (data URLs, base64 audio and files): constants per part bound them.
    pub inline_media: u32,
    /// Media given by reference (a URL, a file id): nothing here bounds their size.
    pub referenced_media: u32,
    /// What the model must be able to do.
    pub needs: Needs,
    /// The caller's own name for its end user.
    pub end_user: Option<Text>,
    /// The caller's session.
    pub session: Option<Text>,
    /// Labels for reports (LiteLLM's `tags`).
    pub tags: Vec<Text>,
    /// Retries the caller allows (LiteLLM's `num_retries`).
    pub retries_max: Option<u8>,
    /// The caller's own total deadline in milliseconds (LiteLLM's `timeout`, given in seconds).
    pub timeout_ms: Option<u64>,
    /// Provider preferences (`provider`) are present and not empty: only a target that understands them may serve.
    pub provider_preferences: bool,
    /// What the caller wants of the gateway itself (`routing`).
    pub wishes: Wishes,
    /// The answer it goes on from, which a provider keeps.
    pub previous: Option<Previous>,
}

/// A field that names an answer a provider keeps, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// `previous_response_id`.
    pub field: &'static str,
    /// The answer's id, as the caller knows it.
    pub id: Text,
}

/// The field that caps the output, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputMax {
    /// `max_tokens` or `max_completion_tokens`.
    pub field: &'static str,
    /// Tokens.
    pub tokens: u64,
}

/// What a request needs a model to be capable of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, read one by one by the capability filter"
)]
pub struct Needs {
    /// Tool calls.
    pub tools: bool,
    /// A JSON schema for the answer.
    pub schema: bool,
    /// Images as input.
    pub vision: bool,
    /// Audio as input.
    pub audio: bool,
    /// Files or PDFs as input.
    pub files: bool,
    /// Log probabilities.
    pub logprobs: bool,
    /// Fees whose number nothing in the request bounds (web search and other server-side tools).
    pub unbounded_fees: bool,
}

/// A field of the request that is not what the dialect takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FieldError {
    /// Path of the field, as in `messages[2].content`.
    pub field: Cow<'static, str>,
    /// Says what is expected, for the caller.
    pub message: Cow<'static, str>,
}

/// The deployment a request is made fit for.
#[derive(Clone, Copy, Debug)]
pub struct RelayTarget<'a> {
    /// Replaces `model`; `None` where the URL names the model and the field stays or goes as quirks say.
    pub model: &'a str,
    /// How this server differs from the dialect's reference.
    pub quirks: &'a Quirks,
    /// A cap the hold asks for: clamps the caller's, or is inserted where there is none.
    pub output_cap: Option<u64>,
}

/// The edits of one relay.
#[derive(Clone, Debug, Default)]
pub struct RelayEdits {
    /// What to change.
    pub edits: Vec<Edit>,
    /// What is lost by it: field and reason.
    pub losses: Vec<Loss>,
    /// The usage-only chunk was asked for by us, not by the caller: withhold it from the answer.
    pub withhold_usage: bool,
}

impl RelayEdits {
    /// Leaves out what is meant for a gateway, where the server is not known to understand it.
    pub(crate) fn leave_out_gateway_fields(
        &mut self,
        envelope: &Envelope,
        fields: &'static [&'static str],
        quirks: &Quirks,
    ) {
        for &field in fields {
            if envelope.contains(field) && !quirks.understands.contains(&field) {
                self.edits.push(Edit::remove(field));
            }
        }
    }

    /// Leaves out what the provider does not take.
    pub(crate) fn leave_out_unsupported(&mut self, envelope: &Envelope, quirks: &Quirks) {
        for &field in quirks.unsupported {
            if envelope.contains(field) {
                self.leave_out(envelope, field, "the provider does not take this field");
            }
        }
    }

    /// Leaves out a field, which is a loss unless it says nothing.
    pub(crate) fn leave_out(&mut self, envelope: &Envelope, field: &'static str, why: &'static str) {
        self.edits.push(Edit::remove(field));
        if envelope.raw_bytes(field) != Some(b"null") {
            self.losses.push(Loss {
                path: Cow::Borrowed(field),
                why: Cow::Borrowed(why),
                subject: Subject::of_field(field),
                kind: LossKind::Dropped,
            });
        }
    }
}

/// A field that could not be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Path of the field.
    pub path: Cow<'static, str>,
    /// Why.
    pub why: Cow<'static, str>,
    /// What it is about.
    pub subject: Subject,
    /// How much of it is lost.
    pub kind: LossKind,
}

/// How much of a field is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossKind {
    /// It was changed to the nearest thing there is.
    Adapted,
    /// It was left out.
    Dropped,
}

/// What a field is about: the grain at which callers and operators decide what may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// How tokens are drawn and how many.
    Sampling,
    /// Tools, their choice, calls and results.
    Tools,
    /// The form of the answer.
    Schema,
    /// How much to think.
    Reasoning,
    /// What is said: media, documents, order.
    Content,
    /// What is to be cached.
    Cache,
    /// State kept at a provider: signatures, encrypted reasoning, stored answers.
    State,
    /// Names for the provider: end users, metadata, tiers.
    Labels,
    /// Anything else.
    Other,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Sampling,
        Self::Tools,
        Self::Schema,
        Self::Reasoning,
        Self::Content,
        Self::Cache,
        Self::State,
        Self::Labels,
        Self::Other,
    ];

    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sampling => "sampling",
            Self::Tools => "tools",
            Self::Schema => "schema",
            Self::Reasoning => "reasoning",
            Self::Content => "content",
            Self::Cache => "cache",
            Self::State => "state",
            Self::Labels => "labels",
            Self::Other => "other",
        }
    }

    /// What a top-level field of an OpenAI dialect is about.
    pub fn of_field(field: &str) -> Self {
        match field {
            "temperature"
            | "top_p"
            | "top_k"
            | "min_p"
            | "seed"
            | "n"
            | "stop"
            | "logprobs"
            | "top_logprobs"
            | "logit_bias"
            | "frequency_penalty"
            | "presence_penalty"
            | "repetition_penalty"
            | "prediction"
            | "max_tokens"
            | "max_completion_tokens" => Self::Sampling,
            "tools" | "tool_choice" | "parallel_tool_calls" | "functions" | "function_call" => Self::Tools,
            "response_format" => Self::Schema,
            "reasoning" | "reasoning_effort" => Self::Reasoning,
            "messages" | "modalities" | "audio" => Self::Content,
            "prompt_cache_key" | "prompt_cache_options" | "prompt_cache_retention" => Self::Cache,
            "store" | "previous_response_id" | "conversation" => Self::State,
            "user" | "safety_identifier" | "metadata" | "service_tier" => Self::Labels,
            _ => Self::Other,
        }
    }
}

/// What an answer says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFacts {
    /// Usage as reported, in disjoint classes.
    pub usage: Option<Usage>,
    /// The provider's id of the answer.
    pub id: Option<Text>,
    /// The model the provider says it used.
    pub model: Option<Text>,
    /// The service tier the provider says it served with: what some price lists depend on.
    pub service_tier: Option<Text>,
    /// The finish reason of the first choice.
    pub finish: Option<Text>,
    /// Bytes of generated text seen: what an estimate is made from when no usage comes.
    pub output_bytes: u64,
}

/// Why a buffered answer is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerProblem {
    /// An error object where an answer should be.
    Error(ErrorWords),
    /// Not the dialect.
    Malformed,
}

/// A provider's words about an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorWords {
    /// `error.message`, cut to 2 KiB.
    pub message: Option<Text>,
    /// `error.code`, or `error.type` where there is no code; numbers as text.
    pub code: Option<Text>,
    /// `error.type`.
    pub kind: Option<Text>,
    /// `error.param`.
    pub param: Option<Text>,
    /// What another provider said, where an aggregator wraps its words; cut to 2 KiB.
    pub wrapped: Option<Text>,
    /// How long to stay away, where the body says so in a field of its own.
    pub retry_after: Option<Duration>,
}

/// Watches one streamed answer pass.
pub trait StreamTap: Send {
    /// Looks at one complete frame and says what it is.
    fn frame(&mut self, frame: &Frame) -> FrameClass;

    /// What has been seen so far.
    fn facts(&self) -> &AnswerFacts;

    /// Whether an end of the byte stream *now* is a complete answer: the terminal event was seen, or the dialect
    /// and quirks allow an end without one after every choice has finished.
    fn complete(&self) -> bool;
}

/// What one frame of a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameClass {
    /// A comment or an empty event: a heartbeat.
    Heartbeat,
    /// Part of the answer without anything a caller would call content (a role, an empty delta).
    Preamble,
    /// Content: text, reasoning, a tool call, a refusal, a finish.
    Content,
    /// A chunk that carries usage and no choices.
    UsageOnly,
    /// The dialect's terminal event.
    Terminal,
    /// An error in place of content.
    Error(ErrorWords),
    /// Not JSON, or not this dialect.
    Malformed,
}

/// What is added to a usage object.
#[derive(Clone, Copy, Debug)]
pub struct Annotation<'a> {
    /// `usage.cost`.
    pub cost: NanoUsd,
    /// `provider`: the provider's display name.
    pub provider: &'a str,
}
