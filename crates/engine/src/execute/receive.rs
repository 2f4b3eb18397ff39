//! From the head of an answer to the commit point: the first content of a stream, the whole of a buffered answer, and of
//! a stream that is validated. Until then every failure can still be tried elsewhere.

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::{Instant, timeout_at};
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::plan::{Deadlines, DeploymentIx};
use trunkline_domain::validation::Verdict;
use trunkline_routing::world::Deployment;
use trunkline_wire::codec::{AnswerFacts, AnswerProblem, FrameClass};
use trunkline_wire::framing::Framer;

use super::attempt::Started;
use super::exchange::{Exchange, Piece};
use crate::request::Request;
use crate::translate::{Output, Reading, Unfit, Whole};
use crate::validate::Mismatch;

/// An answer that can no longer be tried elsewhere.
#[derive(Debug)]
pub struct Committed {
    /// Its head.
    pub head: Head,
    /// As much of it as was needed to commit.
    pub answer: Begun,
}

/// As much of an answer as was needed to commit.
#[derive(Debug)]
pub enum Begun {
    /// All of it, settled; the bytes are the provider's.
    Whole(Bytes),
    /// The frames up to and with the first content, and the rest still to come.
    Stream(Vec<(FrameClass, Output)>, Box<Exchange>),
}

/// What is known of an answer when it commits.
#[derive(Debug)]
pub struct Head {
    /// The provider's status.
    pub status: u16,
    /// The provider's headers.
    pub headers: HeaderMap,
    /// The provider's registry id.
    pub provider: &'static str,
    /// The provider's display name.
    pub provider_name: &'static str,
    /// The canonical model.
    pub model: trunkline_domain::Text,
    /// Who answers.
    pub deployment: DeploymentIx,
    /// The attempt's ordinal.
    pub ordinal: u8,
    /// Whether the usage-only chunk was asked for by the gateway and is withheld.
    pub withhold_usage: bool,
    /// Whether the answer is translated: nothing of the provider's headers is passed on.
    pub recast: bool,
    /// The account, where it keeps its answers: ids in them are the caller's only once they are wrapped.
    pub keeper: Option<trunkline_domain::Text>,
    /// Silence after which a committed stream is given up.
    pub idle: std::time::Duration,
    /// When it is given up whatever comes.
    pub deadline: Instant,
    /// What the answer was found to be, where it was validated.
    pub verdict: Option<Verdict>,
}

/// Why an attempt has no content to show.
#[derive(Debug)]
pub(super) enum Short {
    /// It failed.
    Failed(UpstreamError),
    /// It may still come, but somebody else is asked instead.
    Late,
    /// It is whole, and not what was asked for.
    Rejected(Box<AnswerFacts>, Mismatch),
}

impl From<UpstreamError> for Short {
    fn from(error: UpstreamError) -> Self {
        Self::Failed(error)
    }
}

/// As much of an answer as makes it one.
#[expect(clippy::large_enum_variant, reason = "made once a request and taken apart at once")]
pub(super) enum Ready {
    /// All of it.
    Whole(Whole),
    /// The frames up to and with the first content.
    Stream(Vec<(FrameClass, Output)>),
}

/// What has come of an answer before it commits: kept beside the waiting, which may be dropped and begun again.
#[derive(Default)]
pub(super) struct Arrived {
    head: Option<(u16, HeaderMap)>,
    held: Held,
}

/// The frames of a stream that are not handed on yet.
#[derive(Default)]
struct Held {
    frames: Vec<(FrameClass, Output)>,
    bytes: usize,
    /// When the last content came, where a stream is held until it is whole.
    content: Option<Instant>,
}

impl Arrived {
    /// Whether there is content already, though nothing has committed.
    pub(super) fn has_content(&self) -> bool {
        self.held.content.is_some()
    }
}

impl Held {
    /// Keeps a frame. Whether there is room for it, with `cap` bytes for all.
    fn keep(&mut self, class: FrameClass, output: Output, cap: usize) -> bool {
        self.bytes += output.iter().map(Bytes::len).sum::<usize>();
        self.frames.push((class, output));
        self.bytes <= cap
    }
}

struct Receiver<'a> {
    request: &'a Request,
    place: DeploymentIx,
    deployment: &'a Deployment,
    deadlines: Deadlines,
    dispatched: Instant,
    total: Instant,
    patience: Option<Instant>,
    withhold_usage: bool,
}

/// Waits for the commit point, at most until `patience` where somebody else can be asked then. Safe to drop while waiting
/// and to begin again: it is the exchange's drop that ends the attempt.
pub(super) async fn receive(
    request: &Request,
    started: &mut Started,
    patience: Option<Instant>,
) -> Result<(Head, Ready), Short> {
    let Some(deployment) = request.snapshot.offers.get(started.deployment) else {
        return Err(UpstreamError::of(Cause::Internal).into());
    };
    let &mut Started { deployment: place, deadlines, dispatched, total, withhold_usage, .. } = started;
    let receiver =
        Receiver { request, place, deployment, deadlines, dispatched, total, patience, withhold_usage };
    receiver.commit(&mut started.exchange, &mut started.arrived).await
}

impl Receiver<'_> {
    /// Waits for something until a deadline, or until patience ends; it has none to end once something was said.
    async fn wait<T>(
        &self,
        patience: Option<Instant>,
        (deadline, cause): (Instant, Cause),
        something: impl Future<Output = T>,
    ) -> Result<T, Short> {
        let hard = deadline.min(self.total);
        let until = patience.map_or(hard, |patience| patience.min(hard));
        timeout_at(until, something).await.map_err(|_| {
            let now = Instant::now();
            if now >= self.total {
                UpstreamError::of(Cause::TotalTimeout).into()
            } else if now >= hard {
                UpstreamError::of(cause).into()
            } else {
                Short::Late
            }
        })
    }

    async fn commit(&self, exchange: &mut Exchange, arrived: &mut Arrived) -> Result<(Head, Ready), Short> {
        let first_content = self.dispatched + self.deadlines.first_content;
        if arrived.head.is_none() {
            let head =
                self.wait(self.patience, (first_content, Cause::HeadersTimeout), exchange.head()).await?;
            arrived.head = Some(head.map_err(|error| {
                tracing::debug!(deployment = %self.deployment.label, error = %error, "no answer");
                UpstreamError::of(error.cause)
            })?);
        }
        let Arrived { head: Some((status, headers)), held } = arrived else {
            return Err(UpstreamError::of(Cause::Internal).into());
        };
        let status = *status;
        if !(200..300).contains(&status) {
            return Err(self.refusal(exchange, headers).await.into());
        }
        let streamed = self.request.skim.stream;
        let expected = exchange.reading().map(|reading| Framer::media_type(reading.spoken()));
        let events = content_type(headers)
            .zip(expected)
            .is_some_and(|(kind, expected)| kind.eq_ignore_ascii_case(expected));
        let (ready, verdict) = if streamed && events {
            self.content(exchange, headers, held, first_content).await?;
            let rejected = |mismatch| Short::Rejected(Box::new(exchange.facts()), mismatch);
            let verdict = exchange.judge_stream().map_err(rejected)?;
            (Ready::Stream(std::mem::take(&mut held.frames)), verdict)
        } else {
            let (whole, verdict) =
                self.whole_answer(exchange, status, headers, streamed, first_content).await?;
            (Ready::Whole(whole), verdict)
        };
        let recast = exchange.reading().is_some_and(Reading::is_recast);
        let keeps = self.deployment.provider.keeps_responses && !recast;
        let head = Head {
            status,
            headers: std::mem::take(headers),
            provider: self.deployment.provider.id,
            provider_name: self.deployment.provider.name,
            model: self.deployment.model().clone(),
            deployment: self.place,
            ordinal: exchange.ordinal(),
            withhold_usage: self.withhold_usage,
            recast,
            keeper: keeps.then(|| self.deployment.account.clone()),
            idle: self.deadlines.idle,
            deadline: self.total,
            verdict,
        };
        Ok((head, ready))
    }

    /// A status other than success: reads the body for the provider's words and classifies.
    async fn refusal(&self, exchange: &mut Exchange, headers: &HeaderMap) -> UpstreamError {
        exchange.read_whole();
        let cap = self.request.snapshot.limits.error_bytes_max;
        let body =
            timeout_at(self.total.min(Instant::now() + self.deadlines.idle), exchange.whole(cap)).await;
        let words = match &body {
            Ok(Ok(bytes)) => exchange.reading().and_then(|reading| reading.error(bytes)),
            Ok(Err(_)) | Err(_) => None,
        };
        exchange.classify(headers, words.as_ref())
    }

    /// A whole answer. A stream was asked for and something else came: only an error can be in it.
    async fn whole_answer(
        &self,
        exchange: &mut Exchange,
        status: u16,
        headers: &HeaderMap,
        streamed: bool,
        first_content: Instant,
    ) -> Result<(Whole, Option<Verdict>), Short> {
        exchange.read_whole();
        let cap = self.request.snapshot.limits.answer_bytes_max;
        let whole = self
            .wait(self.patience, (first_content, Cause::FirstContentTimeout), exchange.whole(cap))
            .await?;
        let failed = |cause| UpstreamError { status: Some(status), ..UpstreamError::of(cause) };
        let body = whole.map_err(failed)?;
        let problem = |exchange: &Exchange, problem: &AnswerProblem| match problem {
            AnswerProblem::Malformed => failed(Cause::Malformed),
            AnswerProblem::Error(words) => exchange.classify(headers, Some(words)),
        };
        let whole = match exchange.read(body.clone()) {
            Ok(whole) if !streamed => whole,
            Ok(_) => return Err(failed(Cause::Malformed).into()),
            Err(why) => return Err(problem(exchange, &why).into()),
        };
        exchange.content();
        match exchange.judge(&body) {
            Ok(verdict) => Ok((whole, verdict)),
            Err(Unfit::Unreadable(why)) => Err(problem(exchange, &why).into()),
            Err(Unfit::Mismatch(mismatch)) => Err(Short::Rejected(Box::new(whole.facts), mismatch)),
        }
    }

    /// Reads frames up to the first content, or to the end where the stream is validated before anything of it is handed
    /// on. Heartbeats and empty deltas do not count.
    async fn content(
        &self,
        exchange: &mut Exchange,
        headers: &HeaderMap,
        held: &mut Held,
        deadline: Instant,
    ) -> Result<(), Short> {
        let limits = &self.request.snapshot.limits;
        let to_the_end = exchange.reading().is_some_and(|reading| reading.check().is_some());
        let cap = if to_the_end { limits.answer_bytes_max } else { limits.event_bytes_max };
        loop {
            let (patience, until) = match held.content {
                None => (self.patience, (deadline, Cause::FirstContentTimeout)),
                Some(last) => (None, (last + self.deadlines.idle, Cause::IdleTimeout)),
            };
            let piece = self.wait(patience, until, exchange.piece()).await?;
            let (class, output) = match piece {
                Piece::Event(class, output) => (class, output),
                Piece::End(output) => {
                    held.frames.push((FrameClass::Terminal, output));
                    return Ok(());
                }
                Piece::Cut => return Err(UpstreamError::of(Cause::Cut).into()),
                Piece::Malformed => return Err(UpstreamError::of(Cause::Malformed).into()),
                Piece::Astray => return Err(UpstreamError::of(Cause::NotContinued).into()),
            };
            match class {
                FrameClass::Heartbeat => {}
                FrameClass::Error(words) => return Err(exchange.classify(headers, Some(&words)).into()),
                FrameClass::Malformed => return Err(UpstreamError::of(Cause::Malformed).into()),
                FrameClass::Preamble | FrameClass::UsageOnly | FrameClass::Content | FrameClass::Terminal => {
                    let speaks = matches!(class, FrameClass::Content | FrameClass::Terminal);
                    let ends = class == FrameClass::Terminal || (speaks && !to_the_end);
                    if speaks {
                        exchange.content();
                    }
                    if to_the_end && (speaks || held.content.is_some()) {
                        held.content = Some(Instant::now());
                    }
                    let fits = held.keep(class, output, cap);
                    if ends {
                        return Ok(());
                    }
                    if !fits {
                        return Err(UpstreamError::of(Cause::Malformed).into());
                    }
                }
            }
        }
    }
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}
