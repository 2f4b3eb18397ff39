//! The cells: a request is really made fit for a provider, an answer really put in the caller's words, and what came out
//! is looked at. Nothing here knows what should come out.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::value::RawValue;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, ChatResponse, Minted, Minter, StreamEvent};
use trunkline_providers::adapter::UpstreamRequest;
use trunkline_providers::spec::{Answering, Api, Target};
use trunkline_wire::codec::{Loss, LossKind, RelayTarget};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::framing::{Framer, eventstream};
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{
    AnswerIdentity, CallerCodec, ChatCodec, EncodeTarget, Frames, LossPolicy, Losses,
};
use trunkline_wire::splice::{Edit, EditValue, splice};
use trunkline_wire::{caller_codec_for, chat_codec_for, codec_for};

use super::columns::Column;
use super::fixtures::Case;
use super::probes::{AnswerProbe, RequestProbe, Said};

/// What became of a capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It arrived as it was said.
    Passed,
    /// It arrived changed, or without what may be left out; each loss by name.
    Adapted(Vec<String>),
    /// The provider is not asked; why.
    Refused(String),
}

impl Verdict {
    /// How many losses it names.
    pub(super) fn losses(&self) -> usize {
        match self {
            Self::Passed => 0,
            Self::Adapted(losses) => losses.len(),
            Self::Refused(_) => 1,
        }
    }
}

/// Why there is no verdict. Each is a defect, of a codec or of the examples.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsettled {
    #[error("it is neither in what arrives nor among the losses")]
    Silent,
    #[error("the example does not say it, or its dialect's codec does not read it")]
    Example,
    #[error("{0}")]
    Broken(String),
}

fn broken(problem: impl std::fmt::Debug) -> Unsettled {
    Unsettled::Broken(format!("{problem:?}"))
}

fn codec(dialect: Dialect) -> Result<&'static dyn ChatCodec, Unsettled> {
    chat_codec_for(dialect).ok_or_else(|| broken(dialect))
}

fn caller_codec(dialect: Dialect) -> Result<&'static dyn CallerCodec, Unsettled> {
    caller_codec_for(dialect).ok_or_else(|| broken(dialect))
}

/// What becomes of a request's capability at a provider.
pub(super) fn request(
    probe: &RequestProbe,
    (caller, example): (Dialect, &str),
    column: &Column,
) -> Result<Verdict, Unsettled> {
    let api = column.api(caller).ok_or_else(|| broken(caller))?;
    let envelope = Envelope::parse(Bytes::copy_from_slice(example.as_bytes())).map_err(broken)?;
    let mut asked = caller_codec(caller)?.decode_request(&envelope).map_err(broken)?;
    // Where the path says it, the body does not: a stream is what this probe is about.
    asked.stream |= probe.key == "streaming";
    let expected = (probe.said)(&asked).ok_or(Unsettled::Example)?;
    let way = Way { column, api, streamed: asked.stream };
    let sent = if api.dialect == caller { way.relay(&envelope)? } else { way.recast(asked)? };
    let Sent { chat, written, losses } = match sent {
        Ok(sent) => sent,
        Err(refused) => return Ok(Verdict::Refused(refused)),
    };
    if let Some(loss) = LossPolicy::default().intolerable(&losses) {
        return Ok(Verdict::Refused(named(loss)));
    }
    let spelled = probe
        .spelled
        .is_some_and(|spelled| written.windows(spelled.len()).any(|at| at == spelled.as_bytes()));
    let arrived = spelled || (probe.said)(&chat).is_some_and(|said| said == expected);
    match (arrived, losses.is_empty()) {
        (true, true) => Ok(Verdict::Passed),
        (_, false) => Ok(Verdict::Adapted(losses.iter().map(named).collect())),
        (false, true) => Err(Unsettled::Silent),
    }
}

fn named(loss: &Loss) -> String {
    let how = match loss.kind {
        LossKind::Adapted => "changed",
        LossKind::Dropped => "left out",
    };
    format!("`{}` {how}: {}", loss.path, loss.why)
}

/// How a request goes to a provider.
struct Way<'a> {
    column: &'a Column,
    api: &'static Api,
    streamed: bool,
}

/// A request as the provider reads it.
struct Sent {
    chat: ChatRequest,
    /// The same in the provider's words.
    written: Bytes,
    losses: Vec<Loss>,
}

impl Way<'_> {
    /// By named edits.
    fn relay(&self, envelope: &Envelope) -> Result<Result<Sent, String>, Unsettled> {
        let codec = codec_for(self.api.dialect);
        let skim = codec.skim(envelope).map_err(broken)?;
        let (model, quirks) = (self.column.model.as_str(), &self.column.spec.quirks);
        let relay = codec.relay(envelope, &skim, &RelayTarget { model, quirks, output_cap: None });
        self.read(envelope, relay.edits, relay.losses).map(Ok)
    }

    /// As another body. What was signed is the provider's own, which the gateway knows.
    fn recast(&self, mut asked: ChatRequest) -> Result<Result<Sent, String>, Unsettled> {
        let to = self.api.dialect;
        let model = self.column.model.as_str();
        let minter = if self.column.spec.portable_state.contains(&to) {
            Minter::Model(trunkline_domain::ModelName(model.into()))
        } else {
            Minter::Account(self.column.spec.id.into())
        };
        for state in asked.signatures_mut() {
            *state = Minted { dialect: to, by: Some(minter.clone()), value: state.value.clone() };
        }
        let target = EncodeTarget {
            model,
            quirks: &self.column.spec.quirks,
            stream: asked.stream,
            output_cap: None,
            output_max: Some(64_000),
            minter: Some(&minter),
        };
        let mut losses = Losses::default();
        let body = match codec(to)?.encode_request(&asked, &target, &mut losses) {
            Ok(body) => body,
            Err(error) => return Ok(Err(format!("`{}`: {}", error.field, error.message))),
        };
        let envelope = Envelope::parse(body).map_err(broken)?;
        self.read(&envelope, Vec::new(), losses.as_slice().to_vec()).map(Ok)
    }

    /// Reads a body with the provider's own edits as the provider does.
    fn read(&self, envelope: &Envelope, edits: Vec<Edit>, losses: Vec<Loss>) -> Result<Sent, Unsettled> {
        let answering = if self.streamed { Answering::Streamed } else { Answering::Whole };
        let request = self.prepared(edits, answering)?;
        let body = splice(envelope, &request.edits).to_bytes();
        let written = body.clone();
        let body = self.in_our_names(&Envelope::parse(body).map_err(broken)?)?;
        let mut chat = codec(self.api.dialect)?.decode_request(&body).map_err(broken)?;
        let other = self.prepared(Vec::new(), Answering::Whole)?.path;
        chat.stream |= self.streamed && request.path != other;
        Ok(Sent { chat, written, losses })
    }

    fn prepared(&self, edits: Vec<Edit>, answering: Answering) -> Result<UpstreamRequest, Unsettled> {
        let Column { spec, model, .. } = self.column;
        let target =
            Target { base_url: "https://provider.test", model, api: self.api, options: &[], answering };
        let mut request =
            UpstreamRequest { path: self.api.path.to_owned(), headers: HeaderMap::new(), edits };
        spec.adapter.prepare(&target, &mut request).map_err(broken)?;
        Ok(request)
    }

    /// Fields that the provider knows by another name, by ours.
    fn in_our_names(&self, body: &Envelope) -> Result<Envelope, Unsettled> {
        let mut edits = Vec::new();
        for &(ours, theirs) in self.column.spec.quirks.renamed {
            if let Some(value) = body.value(theirs) {
                edits.extend([Edit::insert(ours, EditValue::json(value)), Edit::remove(theirs)]);
            }
        }
        Envelope::parse(splice(body, &edits).to_bytes()).map_err(broken)
    }
}

/// What becomes of an answer's capability on its way to a caller; `None` where this answer does not have it.
pub(super) fn answer(
    probe: &AnswerProbe,
    given: &Answer,
    (from, to): (Dialect, Dialect),
) -> Result<Option<Verdict>, Unsettled> {
    let Some(expected) = given.says(probe.said) else { return Ok(None) };
    if from == to {
        return Ok(Some(Verdict::Passed));
    }
    let (taken, losses) = given.recast(to)?;
    if taken.says(probe.said).is_some_and(|said| said == expected) {
        return Ok(Some(Verdict::Passed));
    }
    if let Some((remains, how)) = probe.remains
        && given.says(remains) == taken.says(remains)
    {
        return Ok(Some(Verdict::Adapted(vec![how.to_owned()])));
    }
    if losses.is_empty() {
        return Err(Unsettled::Silent);
    }
    Ok(Some(Verdict::Adapted(losses.as_slice().iter().map(named).collect())))
}

/// An answer, read.
pub(super) enum Answer {
    Whole(ChatResponse),
    Streamed(Vec<StreamEvent>),
}

impl Answer {
    /// A whole answer; `None` where it is an error.
    pub(super) fn whole(body: &[u8], from: Dialect, quirks: &Quirks) -> Result<Option<Self>, Unsettled> {
        Ok(codec(from)?.decode_response(body, quirks).ok().map(Self::Whole))
    }

    /// What a provider answered, if the case has such an answer.
    pub(super) fn of(
        said: Said,
        case: &Case,
        from: Dialect,
        quirks: &Quirks,
    ) -> Result<Option<Self>, Unsettled> {
        if let Said::Whole(_) = said {
            let body = case.file("response.json");
            return body.map_or(Ok(None), |body| Self::whole(&body, from, quirks));
        }
        if let Some(lines) = case.file("response.events.jsonl") {
            return Ok(Some(Self::Streamed(events(from, quirks, binary(&lines)?)?)));
        }
        let bytes = case.file("response.sse").or_else(|| case.file("response.ndjson"));
        bytes.map(|bytes| events(from, quirks, bytes).map(Self::Streamed)).transpose()
    }

    fn says(&self, said: Said) -> Option<String> {
        match (self, said) {
            (Self::Whole(answer), Said::Whole(said)) => said(answer),
            (Self::Streamed(events), Said::Streamed(said)) => said(events),
            _ => None,
        }
    }

    /// The same, as a caller reads it.
    fn recast(&self, to: Dialect) -> Result<(Self, Losses), Unsettled> {
        let request = ChatRequest { stream: true, ..ChatRequest::default() };
        let identity = AnswerIdentity { id: "id", model: "m", created: 0, request: &request };
        match self {
            Self::Whole(answer) => {
                let mut losses = Losses::default();
                let body = caller_codec(to)?.encode_response(answer, &identity, &mut losses);
                let taken = codec(to)?.decode_response(&body, &Quirks::REFERENCE).map_err(broken)?;
                Ok((Self::Whole(taken), losses))
            }
            Self::Streamed(events_given) => {
                let mut encoder = caller_codec(to)?.stream_encoder(&identity);
                let mut out = Frames::default();
                for event in events_given {
                    encoder.event(event, &mut out);
                }
                let bytes = out.take().flat_map(|frame| frame.to_vec()).collect();
                Ok((Self::Streamed(events(to, &Quirks::REFERENCE, bytes)?), out.losses))
            }
        }
    }
}

/// The longest event of a fixture, in bytes.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// What a stream amounts to.
fn events(dialect: Dialect, quirks: &Quirks, bytes: Vec<u8>) -> Result<Vec<StreamEvent>, Unsettled> {
    let mut framer = Framer::of(dialect, EVENT_BYTES_MAX);
    let mut decoder = codec(dialect)?.stream_decoder(quirks);
    let mut events = Vec::new();
    framer.push(Bytes::from(bytes));
    while let Some(frame) = framer.next() {
        decoder.frame(&frame.map_err(broken)?, &mut events).map_err(broken)?;
    }
    if let Some(frame) = framer.finish() {
        decoder.frame(&frame, &mut events).map_err(broken)?;
    }
    decoder.finish(&mut events).map_err(broken)?;
    Ok(events)
}

/// A binary stream of events, each written as `{"name": payload}`, one a line.
fn binary(lines: &[u8]) -> Result<Vec<u8>, Unsettled> {
    let mut stream = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(line).map_err(broken)?;
        for (name, payload) in event {
            stream.extend(eventstream::event(&name, payload.get().as_bytes()));
        }
    }
    Ok(stream)
}
