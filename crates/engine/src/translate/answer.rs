//! How the answer of one attempt is read for the caller. Where to look first: [`Reading`].

use std::sync::Arc;

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};
use trunkline_domain::chat::ChatRequest;
use trunkline_domain::{Dialect, Text, Usage};
use trunkline_wire::codec::{AnswerFacts, AnswerProblem, Codec, ErrorWords, FrameClass, Skim, StreamTap};
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{
    AnswerIdentity, CallerCodec, ChatCodec, Cut, Frames, FunctionTools, Losses, StreamRecast,
};

use super::names;

/// Bytes for the caller: most frames give one piece.
pub(crate) type Output = SmallVec<[Bytes; 2]>;

/// How the answer of one attempt is read. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Reading {
    quirks: Quirks,
    way: Way,
}

#[derive(Clone)]
enum Way {
    /// Caller and provider speak the same dialect.
    Relay(&'static dyn Codec),
    /// They do not.
    Recast(Arc<Recast>),
    /// A number of tokens, in the dialect of both.
    Count(&'static dyn Codec),
}

/// What it takes to recast an answer.
struct Recast {
    provider: &'static dyn ChatCodec,
    caller: &'static dyn CallerCodec,
    id: String,
    model: Text,
    created: i64,
    request: Arc<ChatRequest>,
    tools: FunctionTools,
}

impl Recast {
    fn identity(&self) -> AnswerIdentity<'_> {
        AnswerIdentity { id: &self.id, model: &self.model, created: self.created, request: &self.request }
    }
}

/// Who an answer says it is.
#[derive(Clone, Debug)]
pub(crate) struct Introduction {
    /// Unique; the dialect's prefix is put before it.
    pub(crate) id: String,
    /// The model's name for the caller.
    pub(crate) model: Text,
    /// Seconds since 1970.
    pub(crate) created: i64,
}

impl Reading {
    /// An answer in the caller's own dialect.
    pub(crate) fn relay(codec: &'static dyn Codec, quirks: Quirks) -> Self {
        Self { quirks, way: Way::Relay(codec) }
    }

    /// A number of tokens instead of an answer.
    pub(crate) fn count(codec: &'static dyn Codec) -> Self {
        Self { quirks: Quirks::REFERENCE, way: Way::Count(codec) }
    }

    /// An answer in another dialect.
    pub(crate) fn recast(
        (caller, provider): (&'static dyn CallerCodec, &'static dyn ChatCodec),
        quirks: Quirks,
        introduction: Introduction,
        request: Arc<ChatRequest>,
        tools: FunctionTools,
    ) -> Self {
        let Introduction { id, model, created } = introduction;
        let id = format!("{}{id}", caller.answer_id_prefix());
        let recast = Recast { provider, caller, id, model, created, request, tools };
        Self { quirks, way: Way::Recast(Arc::new(recast)) }
    }

    /// Whether the answer is translated: then nothing of its head but its status is passed on.
    pub(crate) fn is_recast(&self) -> bool {
        matches!(self.way, Way::Recast(_))
    }

    /// The dialect the provider answers in.
    pub(crate) fn spoken(&self) -> Dialect {
        match &self.way {
            Way::Relay(codec) | Way::Count(codec) => codec.dialect(),
            Way::Recast(recast) => recast.provider.dialect(),
        }
    }

    /// Reads a streamed answer.
    pub(crate) fn events(&self, skim: &Skim) -> EventReader {
        match &self.way {
            Way::Relay(codec) | Way::Count(codec) => EventReader::Relay(codec.stream_tap(skim, &self.quirks)),
            Way::Recast(recast) => {
                let stream =
                    StreamRecast::new(recast.provider, &self.quirks, recast.caller, &recast.identity());
                let stream = stream.with_tools(recast.tools.clone());
                EventReader::Recast(Box::new((stream, Frames::default())))
            }
        }
    }

    /// Reads a whole answer: its facts, what the caller gets, and what of it could not be carried.
    pub(crate) fn whole(&self, body: Bytes) -> Result<Whole, AnswerProblem> {
        match &self.way {
            Way::Relay(codec) => {
                Ok(Whole { facts: codec.read_answer(&body, &self.quirks)?, body, losses: Vec::new() })
            }
            Way::Count(_) if body.trim_ascii_start().starts_with(b"{") => {
                // Nothing was consumed, and that is known.
                let facts = AnswerFacts { usage: Some(Usage::default()), ..AnswerFacts::default() };
                Ok(Whole { facts, body, losses: Vec::new() })
            }
            Way::Count(_) => Err(AnswerProblem::Malformed),
            Way::Recast(recast) => {
                let mut response = recast.provider.decode_response(&body, &self.quirks)?;
                recast.tools.restore(&mut response);
                let mut losses = Losses::default();
                let body = recast.caller.encode_response(&response, &recast.identity(), &mut losses);
                Ok(Whole { facts: AnswerFacts::of(&response), body, losses: names(losses.as_slice()) })
            }
        }
    }

    /// Reads a provider's error body.
    pub(crate) fn error(&self, body: &[u8]) -> Option<ErrorWords> {
        match &self.way {
            Way::Relay(codec) | Way::Count(codec) => codec.read_error(body),
            Way::Recast(recast) => recast.provider.read_error(body),
        }
    }
}

/// A whole answer, read.
#[derive(Debug)]
pub(crate) struct Whole {
    /// What it says about itself.
    pub(crate) facts: AnswerFacts,
    /// For the caller.
    pub(crate) body: Bytes,
    /// What of it could not be carried.
    pub(crate) losses: Vec<Text>,
}

/// Reads one streamed answer, frame by frame.
pub(crate) enum EventReader {
    /// Frames pass as they are.
    Relay(Box<dyn StreamTap>),
    /// Frames are translated.
    Recast(Box<(StreamRecast, Frames)>),
}

impl EventReader {
    /// What a frame is, and what the caller gets for it.
    pub(crate) fn frame(&mut self, frame: Frame) -> (FrameClass, Output) {
        match self {
            Self::Relay(tap) => {
                let class = tap.frame(&frame);
                (class, smallvec![frame.raw])
            }
            Self::Recast(recast) => {
                let (stream, frames) = &mut **recast;
                let class = stream.frame(&frame, frames);
                (class, frames.take().collect())
            }
        }
    }

    /// The bytes have ended: what is still owed to the caller, or that the answer was cut.
    pub(crate) fn finish(&mut self) -> Result<Output, Cut> {
        match self {
            Self::Relay(tap) if tap.complete() => Ok(Output::new()),
            Self::Relay(_) => Err(Cut),
            Self::Recast(recast) => {
                let (stream, frames) = &mut **recast;
                stream.finish(frames)?;
                Ok(frames.take().collect())
            }
        }
    }

    /// What has been seen so far.
    pub(crate) fn facts(&self) -> &AnswerFacts {
        match self {
            Self::Relay(tap) => tap.facts(),
            Self::Recast(recast) => recast.0.facts(),
        }
    }
}
