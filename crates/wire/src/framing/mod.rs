//! How byte streams are cut into [frames](crate::frame::Frame): one module a framing. Where to look first: [`Framer`].

pub mod eventstream;
pub mod json_array;
pub mod ndjson;
pub mod sse;

use bytes::Bytes;
use trunkline_domain::Dialect;

use crate::frame::{Frame, FrameError};
use eventstream::EventStreamFramer;
use ndjson::NdjsonFramer;
use sse::SseFramer;

/// Cuts a provider's stream as its dialect has it. Push a chunk, then take frames until there is none.
#[derive(Debug)]
pub enum Framer {
    /// Server-sent events.
    Sse(SseFramer),
    /// JSON lines.
    Ndjson(NdjsonFramer),
    /// Messages of AWS's event stream.
    EventStream(EventStreamFramer),
}

impl Framer {
    /// For a new stream of a dialect, none of whose frames may be longer than `event_bytes_max`.
    pub fn of(dialect: Dialect, event_bytes_max: usize) -> Self {
        match dialect {
            Dialect::OllamaChat => Self::Ndjson(NdjsonFramer::new(event_bytes_max)),
            Dialect::BedrockConverse => Self::EventStream(EventStreamFramer::new(event_bytes_max)),
            Dialect::OpenaiChat
            | Dialect::OpenaiCompletions
            | Dialect::OpenaiEmbeddings
            | Dialect::OpenaiResponses
            | Dialect::AnthropicMessages
            | Dialect::GeminiGenerate
            | Dialect::GeminiEmbed
            | Dialect::GeminiBatchEmbed
            | Dialect::CohereChat => Self::Sse(SseFramer::new(event_bytes_max)),
        }
    }

    /// The content type by which a stream of a dialect is known.
    pub fn media_type(dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::OllamaChat => "application/x-ndjson",
            Dialect::BedrockConverse => eventstream::MEDIA_TYPE,
            Dialect::OpenaiChat
            | Dialect::OpenaiCompletions
            | Dialect::OpenaiEmbeddings
            | Dialect::OpenaiResponses
            | Dialect::AnthropicMessages
            | Dialect::GeminiGenerate
            | Dialect::GeminiEmbed
            | Dialect::GeminiBatchEmbed
            | Dialect::CohereChat => "text/event-stream",
        }
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Sse(framer) => framer.push(chunk),
            Self::Ndjson(framer) => framer.push(chunk),
            Self::EventStream(framer) => framer.push(chunk),
        }
    }

    /// The next complete frame, if one is there. After an error there is nothing more.
    #[expect(
        clippy::should_implement_trait,
        reason = "not an iterator: `None` means that another chunk is needed"
    )]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        match self {
            Self::Sse(framer) => framer.next(),
            Self::Ndjson(framer) => framer.next(),
            Self::EventStream(framer) => framer.next(),
        }
    }

    /// The frame that the end of the stream leaves without its end, if there is one.
    pub fn finish(&mut self) -> Option<Frame> {
        match self {
            Self::Sse(framer) => framer.finish(),
            Self::Ndjson(framer) => framer.finish(),
            // What is left of a message is none.
            Self::EventStream(_) => None,
        }
    }
}
