//! How the answer of one attempt is read for the caller. Where to look first: [`Reading`].

use std::sync::Arc;

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};
use trunkline_domain::chat::ChatRequest;
use trunkline_domain::embeddings::EmbeddingsRequest;
use trunkline_domain::validation::Verdict;
use trunkline_domain::{Dialect, Text, Usage};
use trunkline_wire::codec::{AnswerFacts, AnswerProblem, Codec, ErrorWords, FrameClass, Skim, StreamTap};
use trunkline_wire::frame::Frame;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{
    AnswerIdentity, CallerCodec, ChatCodec, Cut, EmbeddingsCodec, Frames, FunctionTools, Losses, StreamRecast,
};
use trunkline_wire::{chat_codec_for, codec_for};

use super::names;
use crate::minted::{Recorder, Witness};
use crate::resume::{Astray, Continued, Seam, Transcript, Watch, Watched};
use crate::validate::{Check, Checked, Mismatch};

/// Bytes for the caller: most frames give one piece.
pub(crate) type Output = SmallVec<[Bytes; 2]>;

/// How the answer of one attempt is read. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Reading {
    quirks: Quirks,
    way: Way,
    /// Set where the answer may be gone on with by another provider.
    watch: Option<Arc<Watch>>,
    /// Set where the answer is validated before anything of it is handed on.
    check: Option<Arc<Check>>,
}

#[derive(Clone)]
enum Way {
    /// Caller and provider speak the same dialect.
    Relay(&'static dyn Codec),
    /// They do not.
    Recast(Arc<Recast>),
    /// They do not, and vectors are asked for.
    Embed(Arc<Embed>),
    /// A number of tokens, in the dialect of both.
    Count(&'static dyn Codec),
    /// The rest of an answer another provider began.
    Rest(Arc<Rest>),
}

/// What it takes to go on with an answer.
struct Rest {
    provider: &'static dyn ChatCodec,
    seam: Seam,
}

/// What it takes to recast vectors.
pub(super) struct Embed {
    pub(super) provider: &'static dyn EmbeddingsCodec,
    pub(super) caller: &'static dyn EmbeddingsCodec,
    pub(super) model: Text,
    pub(super) request: EmbeddingsRequest,
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

    fn transcript(&self) -> Transcript {
        let Self { id, model, created, .. } = self;
        let introduction = Introduction { id: id.clone(), model: model.clone(), created: *created };
        Transcript::new(self.caller, Arc::clone(&self.request), introduction)
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
    fn new(quirks: Quirks, way: Way) -> Self {
        Self { quirks, way, watch: None, check: None }
    }

    /// An answer in the caller's own dialect.
    pub(crate) fn relay(codec: &'static dyn Codec, quirks: Quirks) -> Self {
        Self::new(quirks, Way::Relay(codec))
    }

    /// A number of tokens instead of an answer.
    pub(crate) fn count(codec: &'static dyn Codec) -> Self {
        Self::new(Quirks::REFERENCE, Way::Count(codec))
    }

    /// The rest of an answer that broke off, from the seam on.
    pub(crate) fn rest(provider: &'static dyn ChatCodec, quirks: Quirks, seam: Seam) -> Self {
        Self::new(quirks, Way::Rest(Arc::new(Rest { provider, seam })))
    }

    /// The same, remembered while it is read so that another provider can go on with it.
    pub(crate) fn watched(self, watch: Option<Arc<Watch>>) -> Self {
        Self { watch, ..self }
    }

    /// The same, validated before anything of it is handed on.
    pub(crate) fn checked(self, check: Option<Arc<Check>>) -> Self {
        Self { check, ..self }
    }

    /// What the answer is held against, if it is.
    pub(crate) fn check(&self) -> Option<&Check> {
        self.check.as_deref()
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
        Self::new(quirks, Way::Recast(Arc::new(recast)))
    }

    /// Vectors in another dialect.
    pub(super) fn embed(embed: Embed) -> Self {
        Self::new(Quirks::REFERENCE, Way::Embed(Arc::new(embed)))
    }

    /// Whether the answer is translated: then nothing of its head but its status is passed on.
    pub(crate) fn is_recast(&self) -> bool {
        matches!(self.way, Way::Recast(_) | Way::Embed(_))
    }

    /// The dialect the provider answers in.
    pub(crate) fn spoken(&self) -> Dialect {
        match &self.way {
            Way::Relay(codec) | Way::Count(codec) => codec.dialect(),
            Way::Recast(recast) => recast.provider.dialect(),
            Way::Rest(rest) => rest.provider.dialect(),
            Way::Embed(embed) => embed.provider.dialect(),
        }
    }

    /// Reads a streamed answer.
    pub(crate) fn events(&self, skim: &Skim) -> EventReader {
        let inner = self.plain_events(skim);
        match (&self.check, chat_codec_for(self.spoken())) {
            (Some(_), Some(provider)) => {
                EventReader::Checked(Box::new(Checked::new(inner, provider, &self.quirks)))
            }
            _ => inner,
        }
    }

    fn plain_events(&self, skim: &Skim) -> EventReader {
        let quirks = &self.quirks;
        match (&self.way, &self.watch) {
            (Way::Rest(rest), _) => {
                EventReader::Continued(Box::new(Continued::new(rest.provider, quirks, rest.seam.clone())))
            }
            (Way::Relay(codec), Some(watch)) => {
                let tap = codec.stream_tap(skim, quirks);
                match chat_codec_for(codec.dialect()) {
                    Some(chat) => EventReader::Watched(Box::new(Watched::relay(watch, tap, chat, quirks))),
                    None => EventReader::Relay(tap),
                }
            }
            (Way::Relay(codec) | Way::Count(codec), _) => EventReader::Relay(codec.stream_tap(skim, quirks)),
            // Vectors do not come in pieces: whatever streams is read as what it would be.
            (Way::Embed(embed), _) => {
                EventReader::Relay(codec_for(embed.provider.dialect()).stream_tap(skim, quirks))
            }
            (Way::Recast(recast), Some(_)) => {
                let told = recast.transcript();
                EventReader::Watched(Box::new(Watched::recast(told, recast.provider, quirks)))
            }
            (Way::Recast(recast), None) => {
                let stream = StreamRecast::new(recast.provider, quirks, recast.caller, &recast.identity())
                    .with_tools(recast.tools.clone());
                EventReader::Recast(Box::new((stream, Frames::default(), Witness::default())))
            }
        }
    }

    /// Reads a whole answer: its facts, what the caller gets, and what of it could not be carried.
    pub(crate) fn whole(&self, body: Bytes, recorder: &Recorder<'_>) -> Result<Whole, AnswerProblem> {
        match &self.way {
            Way::Relay(codec) => {
                let facts = codec.read_answer(&body, &self.quirks)?;
                recorder.bytes(*codec, &body);
                Ok(Whole { facts, body, losses: Vec::new() })
            }
            Way::Count(_) if body.trim_ascii_start().starts_with(b"{") => {
                // Nothing was consumed, and that is known.
                let facts = AnswerFacts { usage: Some(Usage::default()), ..AnswerFacts::default() };
                Ok(Whole { facts, body, losses: Vec::new() })
            }
            Way::Count(_) => Err(AnswerProblem::Malformed),
            Way::Embed(embed) => {
                let response = embed.provider.decode_response(&body)?;
                if response.vectors.len() != embed.request.inputs.len() {
                    return Err(AnswerProblem::Malformed);
                }
                let named = Some(response.model.clone()).filter(|model| !model.is_empty());
                let facts = AnswerFacts { usage: response.usage, model: named, ..AnswerFacts::default() };
                let body = embed.caller.encode_response(&response, &embed.request, &embed.model);
                Ok(Whole { facts, body, losses: Vec::new() })
            }
            Way::Recast(recast) => {
                let mut response = recast.provider.decode_response(&body, &self.quirks)?;
                // What is remembered of a call goes by the name its caller knows it by.
                recast.tools.restore(&mut response);
                let kept = recorder.response(&response);
                let mut losses = Losses::default();
                let body = recast.caller.encode_response(&response, &recast.identity(), &mut losses);
                let lost = losses.as_slice().iter().filter(|loss| kept.iter().all(|path| *path != loss.path));
                Ok(Whole { facts: AnswerFacts::of(&response), body, losses: names(lost) })
            }
            // A rest is only ever streamed: there may be an error in it.
            Way::Rest(rest) => {
                let read = rest.provider.decode_response(&body, &self.quirks);
                Err(read.err().unwrap_or(AnswerProblem::Malformed))
            }
        }
    }

    /// Holds a whole answer against what was asked for; `None` where it is not validated.
    pub(crate) fn judge(&self, body: &[u8]) -> Result<Option<Verdict>, Unfit> {
        let (Some(check), Some(provider)) = (&self.check, chat_codec_for(self.spoken())) else {
            return Ok(None);
        };
        let response = provider.decode_response(body, &self.quirks).map_err(Unfit::Unreadable)?;
        check.response(&response).map(Some).map_err(Unfit::Mismatch)
    }

    /// Reads a provider's error body.
    pub(crate) fn error(&self, body: &[u8]) -> Option<ErrorWords> {
        match &self.way {
            Way::Relay(codec) | Way::Count(codec) => codec.read_error(body),
            Way::Recast(recast) => recast.provider.read_error(body),
            Way::Rest(rest) => rest.provider.read_error(body),
            Way::Embed(embed) => embed.provider.read_error(body),
        }
    }
}

/// Why a whole answer cannot be handed on although it came.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// Nobody can tell what it says.
    Unreadable(AnswerProblem),
    /// It is not what was asked for.
    Mismatch(Mismatch),
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
    Recast(Box<(StreamRecast, Frames, Witness)>),
    /// Either, and what they say is remembered.
    Watched(Box<Watched>),
    /// Frames go on where another stream broke off.
    Continued(Box<Continued>),
    /// Frames as without, and what they say is held against what was asked for.
    Checked(Box<Checked>),
}

impl EventReader {
    /// What a frame is, and what the caller gets for it; its provider's state is remembered.
    pub(crate) fn frame(
        &mut self,
        frame: Frame,
        reading: &Reading,
        recorder: &Recorder<'_>,
    ) -> Result<(FrameClass, Output), Astray> {
        if let (Self::Relay(_) | Self::Watched(_), Way::Relay(codec)) = (&*self, &reading.way) {
            recorder.bytes(*codec, frame.data());
        }
        Ok(match self {
            Self::Relay(tap) => {
                let class = tap.frame(&frame);
                (class, smallvec![frame.raw])
            }
            Self::Recast(recast) => {
                let (stream, frames, witness) = &mut **recast;
                let class = stream.frame(&frame, frames);
                witness.events(stream.events(), recorder);
                (class, frames.take().collect())
            }
            Self::Watched(watched) => watched.frame(frame),
            Self::Continued(continued) => return continued.frame(&frame),
            Self::Checked(checked) => return checked.frame(frame, reading, recorder),
        })
    }

    /// The stream goes on with the answer of this transcript: what its caller is told at once.
    pub(crate) fn attach(&mut self, transcript: Transcript) -> Output {
        match self {
            Self::Continued(continued) => continued.attach(transcript),
            Self::Relay(_) | Self::Recast(_) | Self::Watched(_) | Self::Checked(_) => Output::new(),
        }
    }

    /// Bytes a continuation repeated, once that is known.
    pub(crate) fn overlap(&self) -> Option<u64> {
        match self {
            Self::Continued(continued) => continued.overlap(),
            Self::Relay(_) | Self::Recast(_) | Self::Watched(_) | Self::Checked(_) => None,
        }
    }

    /// What the caller was told, where that was remembered.
    pub(crate) fn into_transcript(self) -> Option<Transcript> {
        match self {
            Self::Watched(watched) => Some(watched.into_transcript()),
            Self::Continued(continued) => continued.into_transcript(),
            Self::Relay(_) | Self::Recast(_) | Self::Checked(_) => None,
        }
    }

    /// The bytes have ended: what is still owed to the caller, or that the answer was cut.
    pub(crate) fn finish(&mut self) -> Result<Output, Cut> {
        match self {
            Self::Relay(tap) if tap.complete() => Ok(Output::new()),
            Self::Relay(_) => Err(Cut),
            Self::Recast(recast) => {
                let (stream, frames, _) = &mut **recast;
                stream.finish(frames)?;
                Ok(frames.take().collect())
            }
            Self::Watched(watched) => watched.finish(),
            Self::Continued(continued) => continued.finish(),
            Self::Checked(checked) => checked.finish(),
        }
    }

    /// What of the answer could not be carried, as far as it has come.
    pub(crate) fn losses(&self) -> Vec<Text> {
        let all = |losses: Option<&Losses>| losses.map_or_else(Vec::new, |losses| names(losses.as_slice()));
        match self {
            Self::Recast(recast) => {
                let (_, frames, witness) = &**recast;
                names(frames.losses.as_slice().iter().filter(|loss| !witness.keeps(&loss.path)))
            }
            Self::Watched(watched) => all(watched.losses()),
            Self::Continued(continued) => all(continued.losses()),
            Self::Checked(checked) => checked.losses(),
            Self::Relay(_) => Vec::new(),
        }
    }

    /// What has been seen so far.
    pub(crate) fn facts(&self) -> &AnswerFacts {
        match self {
            Self::Relay(tap) => tap.facts(),
            Self::Recast(recast) => recast.0.facts(),
            Self::Watched(watched) => watched.facts(),
            Self::Continued(continued) => continued.facts(),
            Self::Checked(checked) => checked.facts(),
        }
    }
}
