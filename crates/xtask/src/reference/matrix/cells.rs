//! The cells: a request is really made fit for a provider, and what came out is looked at. Nothing here knows what should
//! come out.

use bytes::Bytes;
use http::HeaderMap;
use trunkline_domain::Dialect;
use trunkline_domain::chat::{ChatRequest, Minted, Minter};
use trunkline_providers::adapter::UpstreamRequest;
use trunkline_providers::spec::{Answering, Api, Target};
use trunkline_wire::codec::{Loss, LossKind, RelayTarget};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::recast::{CallerCodec, ChatCodec, EncodeTarget, LossPolicy, Losses};
use trunkline_wire::splice::{Edit, EditValue, splice};
use trunkline_wire::{caller_codec_for, chat_codec_for, codec_for};

use super::columns::Column;
use super::losses;
use super::probes::RequestProbe;

/// What became of a capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Both speak the same dialect: it is sent as it came.
    Sent,
    /// It was translated and arrived as it was said.
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
            Self::Sent | Self::Passed => 0,
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
    #[error("it does not arrive, and the losses named are of something else")]
    Unrelated,
    #[error("it is refused, but no page of the provider's is cited for that (`lacks` of its dialect)")]
    Uncited,
    #[error("the example does not say it, or its dialect's codec does not read it")]
    Example,
    #[error("a fixture of the provider's says it, which is claimed not to")]
    Contradicted,
    #[error("{case}: {why}")]
    In { case: String, why: Box<Self> },
    #[error("{0}")]
    Broken(String),
}

pub(super) fn broken(problem: impl std::fmt::Debug) -> Unsettled {
    Unsettled::Broken(format!("{problem:?}"))
}

pub(super) fn codec(dialect: Dialect) -> Result<&'static dyn ChatCodec, Unsettled> {
    chat_codec_for(dialect).ok_or_else(|| broken(dialect))
}

pub(super) fn caller_codec(dialect: Dialect) -> Result<&'static dyn CallerCodec, Unsettled> {
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
    let relayed = api.dialect == caller;
    let sent = if relayed { way.relay(&envelope)? } else { way.recast(asked.clone())? };
    let Sent { chat, written, losses } = match sent {
        Ok(sent) => sent,
        Err(refused) => return Ok(Verdict::Refused(refused)),
    };
    let own = losses::of_request(probe, &asked, &losses);
    if let Some(loss) = LossPolicy::default().intolerable(&losses) {
        return if own.contains(&loss) {
            Ok(Verdict::Refused(named(loss)))
        } else {
            Err(Unsettled::Unrelated)
        };
    }
    let spelled = probe
        .spelled
        .is_some_and(|spelled| written.windows(spelled.len()).any(|at| at == spelled.as_bytes()));
    let arrived = spelled || (probe.said)(&chat).is_some_and(|said| said == expected);
    match (arrived, own.is_empty()) {
        (true, true) => Ok(if relayed { Verdict::Sent } else { Verdict::Passed }),
        (_, false) => Ok(Verdict::Adapted(own.into_iter().map(named).collect())),
        (false, true) => Err(if losses.is_empty() { Unsettled::Silent } else { Unsettled::Unrelated }),
    }
}

pub(super) fn named(loss: &Loss) -> String {
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
            Target { base_url: "https://provider.test", model, api: self.api, api_version: None, answering };
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
