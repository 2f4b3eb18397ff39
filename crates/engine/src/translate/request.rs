//! A request made fit for one deployment: the caller's bytes with named edits where the provider speaks the caller's
//! dialect, another body where it does not. Where to look first: [`fit`].

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use trunkline_domain::chat::ChatRequest;
use trunkline_domain::{Dialect, Error, ErrorKind, Operation, Text};
use trunkline_providers::adapter::UpstreamRequest;
use trunkline_providers::spec::{Answering, Api, Prefill, PrefillMark, Target};
use trunkline_routing::world::Deployment;
use trunkline_wire::codec::{FieldError, Loss, RelayEdits, RelayTarget};
use trunkline_wire::envelope::Envelope;
use trunkline_wire::recast::{CallerCodec, EmbeddingsCodec, EncodeTarget, FunctionTools, Losses};
use trunkline_wire::splice::{Edit, EditValue, SplicedBody, splice};
use trunkline_wire::{caller_codec_for, chat_codec_for, embeddings_codec_for};

use super::answer::{Embed, Introduction, Reading};
use super::names;
use crate::minted::Keeper;
use crate::request::{Outgoing, Request};
use crate::resume::Rest;
use crate::snapshot::DeploymentRuntime;

/// A request that is fit to be sent.
pub(crate) struct Fitted {
    /// Path below the account's base URL.
    pub(crate) path: String,
    /// Headers, the credential not among them.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: SplicedBody,
    /// Named edits to the caller's bytes; or that they were recast, and from what to what.
    pub(crate) edits: Vec<Text>,
    /// What of the request is not carried.
    pub(crate) losses: Vec<Text>,
    /// The usage-only chunk was asked for by us, not by the caller.
    pub(crate) withhold_usage: bool,
    /// How the answer is read.
    pub(crate) reading: Reading,
}

/// Why a request cannot be made fit.
#[derive(Debug)]
pub(crate) enum Fit {
    /// For this deployment; another may take it.
    Not(Error),
    /// For none.
    Never(Error),
}

/// Makes a request fit for a deployment. `output_cap` is what its hold has room for.
pub(crate) fn fit(
    request: &Request,
    outgoing: &Outgoing,
    deployment: &Deployment,
    runtime: &DeploymentRuntime,
    output_cap: Option<u64>,
) -> Result<Fitted, Fit> {
    let codec = request.codec;
    let prefill = match &outgoing.rest {
        None => None,
        Some(_) => deployment.continuing_api(codec.dialect()),
    };
    let api = prefill.map(|(api, _)| api).or_else(|| deployment.api(request.operation, codec.dialect()));
    let api = api.ok_or_else(|| {
        Fit::Never(Error::new(
            ErrorKind::Internal,
            "a defect of the gateway: the plan names a deployment that does not do the operation",
        ))
    })?;
    let spoken = api.dialect == codec.dialect();
    let headers = if spoken { outgoing.headers.clone() } else { plain_headers() };
    let mut upstream = UpstreamRequest { path: api.path.to_owned(), headers, edits: Vec::new() };
    let keeper = Keeper::new(&request.core.minted, request.key.facts.organisation);
    let made = if let (Some(rest), Some((_, prefill))) = (&outgoing.rest, prefill) {
        continued(request, rest, (deployment, prefill), &mut upstream)?
    } else if spoken {
        relay(request, outgoing, (deployment, keeper), output_cap, &mut upstream)?
    } else {
        recast(request, outgoing, (deployment, keeper), api, output_cap)?
    };
    let target = Target {
        base_url: &runtime.account.base_url,
        model: &deployment.offer.upstream_id,
        api,
        api_version: runtime.account.api_version.as_deref(),
        answering: match request.operation {
            Operation::CountTokens => Answering::Counted,
            _ if request.skim.stream => Answering::Streamed,
            Operation::Chat | Operation::TextCompletion | Operation::Embeddings => Answering::Whole,
        },
    };
    deployment.provider.adapter.prepare(&target, &mut upstream).map_err(|error| {
        let message = format!("the account {} cannot serve this request: {}", deployment.account, error.0);
        Fit::Never(Error::new(ErrorKind::UpstreamAuth, message))
    })?;
    let Made { envelope, recast, losses, withhold_usage, reading } = made;
    let edits = recast.into_iter().chain(upstream.edits.iter().map(|edit| Text::from(&*edit.name())));
    Ok(Fitted {
        edits: edits.collect(),
        body: splice(&envelope, &upstream.edits),
        path: upstream.path,
        headers: upstream.headers,
        losses,
        withhold_usage,
        reading,
    })
}

/// A body in the provider's dialect, before the provider's own edits.
struct Made<'a> {
    envelope: Cow<'a, Envelope>,
    /// From which dialect to which.
    recast: Option<Text>,
    losses: Vec<Text>,
    withhold_usage: bool,
    reading: Reading,
}

fn relay<'a>(
    request: &Request,
    outgoing: &'a Outgoing,
    (deployment, keeper): (&Deployment, Keeper<'_>),
    output_cap: Option<u64>,
    upstream: &mut UpstreamRequest,
) -> Result<Made<'a>, Fit> {
    let (codec, quirks) = (request.codec, &deployment.provider.quirks);
    let target = RelayTarget { model: deployment.offer.upstream_id.as_str(), quirks, output_cap };
    let RelayEdits { mut edits, mut losses, withhold_usage } =
        codec.relay(&outgoing.envelope, &request.skim, &target);
    let review = |envelope: &Envelope| keeper.review(codec, envelope, (deployment, outgoing.survey.as_ref()));
    let (mut cut, mut lost) = review(&outgoing.envelope);
    if cut.as_ref().is_some_and(|cut| edits.iter().any(|edit| edit.field() == cut.field())) {
        // Of two edits to a field the last one counts: what is cut is cut out of what the first one left.
        let edited = written(splice(&outgoing.envelope, &edits).to_bytes())?;
        (cut, lost) = review(&edited);
    }
    edits.extend(cut);
    losses.extend_from_slice(lost.as_slice());
    check(request, &losses, deployment)?;
    upstream.edits = edits;
    if let (Some(previous), Some(kept)) = (&request.skim.previous, &request.previous) {
        upstream.edits.push(Edit::replace(previous.field, EditValue::string(&kept.id)));
    }
    Ok(Made {
        envelope: Cow::Borrowed(&outgoing.envelope),
        recast: None,
        losses: names(&losses),
        withhold_usage,
        reading: match request.operation {
            Operation::CountTokens => Reading::count(codec),
            Operation::Chat | Operation::TextCompletion | Operation::Embeddings => {
                Reading::relay(codec, *quirks).watched(outgoing.watch.clone()).checked(outgoing.check.clone())
            }
        },
    })
}

fn recast<'a>(
    request: &Request,
    outgoing: &Outgoing,
    (deployment, keeper): (&Deployment, Keeper<'_>),
    api: &Api,
    output_cap: Option<u64>,
) -> Result<Made<'a>, Fit> {
    let (from, to) = (request.codec.dialect(), api.dialect);
    if let (Some(caller), Some(provider)) = (embeddings_codec_for(from), embeddings_codec_for(to)) {
        return embed(request, outgoing, deployment, (caller, provider));
    }
    let (Some(caller), Some(provider)) = (caller_codec_for(from), chat_codec_for(to)) else {
        let message =
            "a defect of the gateway: the plan names a deployment whose dialect cannot be translated";
        return Err(Fit::Never(Error::new(ErrorKind::Internal, message)));
    };
    let chat = outgoing.chat(caller, request).map_err(|error| Fit::Never(refused(error.clone())))?;
    let minter = deployment.minter(to);
    let chat = keeper.attributed(chat, &minter);
    let quirks = &deployment.provider.quirks;
    let target = EncodeTarget {
        model: deployment.offer.upstream_id.as_str(),
        quirks,
        stream: request.skim.stream,
        output_cap,
        output_max: deployment.offer.output_max,
        minter: Some(&minter),
    };
    let mut losses = Losses::default();
    let made = FunctionTools::of(&chat, to, &mut losses);
    let (asked, tools) = match &made {
        Some((asked, tools)) => (asked, tools.clone()),
        None => (&*chat, FunctionTools::default()),
    };
    let body =
        provider.encode_request(asked, &target, &mut losses).map_err(|error| Fit::Not(refused(error)))?;
    check(request, losses.as_slice(), deployment)?;
    let envelope = written(body)?;
    let introduction = introduction(request, deployment);
    Ok(Made {
        envelope: Cow::Owned(envelope),
        recast: Some(way(from, to)),
        losses: names(losses.as_slice()),
        withhold_usage: false,
        reading: Reading::recast((caller, provider), *quirks, introduction, chat, tools)
            .watched(outgoing.watch.clone())
            .checked(outgoing.check.clone()),
    })
}

/// The rest of an answer that broke off: the request, and the answer so far as its last message. Written anew whatever
/// the dialect, since a message is added.
fn continued<'a>(
    request: &Request,
    rest: &Rest,
    (deployment, prefill): (&Deployment, Prefill),
    upstream: &mut UpstreamRequest,
) -> Result<Made<'a>, Fit> {
    let (from, to) = (request.codec.dialect(), prefill.dialect);
    let Some(provider) = chat_codec_for(to) else {
        let message = "a defect of the gateway: the dialect that is to go on with an answer is no chat";
        return Err(Fit::Never(Error::new(ErrorKind::Internal, message)));
    };
    let quirks = &deployment.provider.quirks;
    let target = EncodeTarget {
        model: deployment.offer.upstream_id.as_str(),
        quirks,
        stream: true,
        output_cap: None,
        output_max: deployment.offer.output_max,
        minter: None,
    };
    let mut losses = Losses::default();
    let body = provider
        .encode_request(&rest.request(prefill.mark), &target, &mut losses)
        .map_err(|error| Fit::Not(refused(error)))?;
    check(request, losses.as_slice(), deployment)?;
    let envelope = written(body)?;
    if let PrefillMark::Fields(fields) = prefill.mark {
        let set = |(field, value): &(&'static str, bool)| {
            Edit::set(&envelope, field, EditValue::json(if *value { "true" } else { "false" }))
        };
        upstream.edits.extend(fields.iter().map(set));
    }
    if let Some(path) = prefill.path {
        path.clone_into(&mut upstream.path);
    }
    Ok(Made {
        envelope: Cow::Owned(envelope),
        recast: Some(Text::from(format!("resume:{}->{}", from.as_str(), to.as_str()))),
        losses: names(losses.as_slice()),
        withhold_usage: false,
        reading: Reading::rest(provider, *quirks, rest.seam.clone()),
    })
}

/// A request for vectors in the provider's dialect.
fn embed<'a>(
    request: &Request,
    outgoing: &Outgoing,
    deployment: &Deployment,
    (caller, provider): (&'static dyn EmbeddingsCodec, &'static dyn EmbeddingsCodec),
) -> Result<Made<'a>, Fit> {
    // What cannot be read here may still pass as it is, elsewhere.
    let asked = caller.decode_request(&outgoing.envelope).map_err(|error| Fit::Not(refused(error)))?;
    let mut losses = Losses::default();
    let body = provider
        .encode_request(&asked, deployment.offer.upstream_id.as_str(), &mut losses)
        .map_err(|error| Fit::Not(refused(error)))?;
    check(request, losses.as_slice(), deployment)?;
    Ok(Made {
        envelope: Cow::Owned(written(body)?),
        recast: Some(way(caller.dialect(), provider.dialect())),
        losses: names(losses.as_slice()),
        withhold_usage: false,
        reading: Reading::embed(Embed {
            provider,
            caller,
            model: deployment.model().clone(),
            request: asked,
        }),
    })
}

/// A body that was written here.
fn written(body: Bytes) -> Result<Envelope, Fit> {
    Envelope::parse(body).map_err(|error| {
        let message = "a defect of the gateway: the translated request cannot be read";
        Fit::Never(Error::new(ErrorKind::Internal, message).because(error))
    })
}

/// What a translated answer is called.
fn introduction(request: &Request, deployment: &Deployment) -> Introduction {
    Introduction { model: deployment.model().clone(), ..unnamed(request) }
}

/// What an answer is called that does not say so itself.
pub(crate) fn unnamed(request: &Request) -> Introduction {
    Introduction {
        id: request.id.0.simple().to_string(),
        model: request.skim.model.clone(),
        created: request.arrived_at.0 / 1_000,
    }
}

/// From which dialect to which, as receipts show it.
fn way(from: Dialect, to: Dialect) -> Text {
    Text::from(format!("recast:{}->{}", from.as_str(), to.as_str()))
}

/// What crosses to a provider of another dialect: nothing of the caller's.
fn plain_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))])
}

fn refused(FieldError { field, message }: FieldError) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).about(field)
}

/// Whether what would be lost is tolerated.
fn check(request: &Request, losses: &[Loss], deployment: &Deployment) -> Result<(), Fit> {
    let Some(loss) = request.delivery.losses.intolerable(losses) else { return Ok(()) };
    let message = format!(
        "`{}` cannot be carried to {}: {}; leave it out, name a model whose provider takes it, or allow the loss \
         (routing.strict, the route's losses)",
        loss.path, deployment.label, loss.why
    );
    Err(Fit::Not(Error::new(ErrorKind::UnsupportedParameter, message).about(loss.path.clone())))
}

impl Outgoing {
    /// The caller's body as a canonical chat for providers of other dialects, read once for all attempts.
    pub(crate) fn chat(
        &self,
        caller: &dyn CallerCodec,
        request: &Request,
    ) -> Result<Arc<ChatRequest>, &FieldError> {
        let decoded = self.decoded.get_or_init(|| {
            let mut chat = caller.decode_request(&self.envelope)?;
            caller.gather(&mut chat);
            // Where the dialect says these in the path, the body does not.
            chat.model = request.skim.model.clone();
            chat.stream = request.skim.stream;
            Ok(Arc::new(chat))
        });
        decoded.as_ref().map(Arc::clone)
    }
}
