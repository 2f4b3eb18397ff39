//! From the head of an answer to the commit point: the first content of a stream, the whole of a buffered answer.
//! Until then every failure can still be tried elsewhere.

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::{Instant, timeout_at};
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::plan::Deadlines;
use trunkline_routing::world::Deployment;
use trunkline_wire::codec::{AnswerProblem, FrameClass};

use super::Miss;
use super::exchange::{Exchange, Piece};
use super::live::Done;
use crate::request::Request;
use crate::translate::{Output, Reading, Whole};

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
    /// The attempt's ordinal.
    pub ordinal: u8,
    /// Whether the usage-only chunk was asked for by the gateway and is withheld.
    pub withhold_usage: bool,
    /// Whether the answer is translated: nothing of the provider's headers is passed on.
    pub recast: bool,
    /// Silence after which a committed stream is given up.
    pub idle: std::time::Duration,
    /// When it is given up whatever comes.
    pub deadline: Instant,
}

struct Receiver<'a> {
    request: &'a mut Request,
    deployment: &'a Deployment,
    deadlines: Deadlines,
    started: Instant,
    total: Instant,
}

/// Waits for the commit point.
pub(super) async fn receive(
    request: &mut Request,
    deployment: &Deployment,
    mut exchange: Exchange,
    withhold_usage: bool,
    deadlines: Deadlines,
    total: Instant,
) -> Result<Committed, Miss> {
    let started = Instant::now();
    let mut receiver = Receiver { request, deployment, deadlines, started, total };
    let result = receiver.commit(&mut exchange, withhold_usage).await;
    receiver.request.trail.upstream += started.elapsed();
    match result {
        Ok((head, Ready::Whole(Whole { facts, body, losses }))) => {
            receiver.note(exchange.succeed(&facts));
            receiver.request.trail.losses.extend(losses);
            Ok(Committed { head, answer: Begun::Whole(body) })
        }
        Ok((head, Ready::Stream(frames))) => {
            Ok(Committed { head, answer: Begun::Stream(frames, Box::new(exchange)) })
        }
        Err(error) => {
            tracing::debug!(deployment = %deployment.label, cause = error.cause.as_str(), status = error.status, "attempt failed");
            receiver.note(exchange.fail(&error));
            Err(Miss::Failed(error))
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "made once a request and taken apart at once")]
enum Ready {
    Whole(Whole),
    Stream(Vec<(FrameClass, Output)>),
}

impl Receiver<'_> {
    fn note(&mut self, done: Option<Done>) {
        if let Some(done) = done {
            self.request.trail.push(done.receipt, done.cost);
        }
    }

    async fn commit(
        &mut self,
        exchange: &mut Exchange,
        withhold_usage: bool,
    ) -> Result<(Head, Ready), UpstreamError> {
        let first_content = self.started + self.deadlines.first_content;
        let (status, headers) = match timeout_at(first_content.min(self.total), exchange.head()).await {
            Ok(Ok(head)) => head,
            Ok(Err(error)) => {
                tracing::debug!(deployment = %self.deployment.label, error = %error, "no answer");
                return Err(UpstreamError::of(error.cause));
            }
            Err(_) => return Err(UpstreamError::of(self.late(Cause::HeadersTimeout))),
        };
        if !(200..300).contains(&status) {
            return Err(self.refusal(exchange, &headers).await);
        }
        let streamed = self.request.skim.stream;
        let recast = exchange.reading().is_some_and(Reading::is_recast);
        let events =
            content_type(&headers).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"));
        let head = |receiver: &Self| Head {
            status,
            headers: headers.clone(),
            provider: receiver.deployment.provider.id,
            provider_name: receiver.deployment.provider.name,
            model: receiver.deployment.model().clone(),
            ordinal: u8::try_from(receiver.request.trail.attempts.len() + 1).unwrap_or(u8::MAX),
            withhold_usage,
            recast,
            idle: receiver.deadlines.idle,
            deadline: receiver.total,
        };
        if streamed && events {
            let frames = self.first_content(exchange, &headers, first_content).await?;
            return Ok((head(self), Ready::Stream(frames)));
        }
        let whole = self.whole_answer(exchange, status, &headers, streamed, first_content).await?;
        Ok((head(self), Ready::Whole(whole)))
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
    ) -> Result<Whole, UpstreamError> {
        exchange.read_whole();
        let cap = self.request.snapshot.limits.answer_bytes_max;
        let body = match timeout_at(first_content.min(self.total), exchange.whole(cap)).await {
            Ok(Ok(body)) => body,
            Ok(Err(cause)) => return Err(UpstreamError { status: Some(status), ..UpstreamError::of(cause) }),
            Err(_) => return Err(UpstreamError::of(self.late(Cause::FirstContentTimeout))),
        };
        let read = exchange.reading().map_or(Err(AnswerProblem::Malformed), |reading| reading.whole(body));
        match read {
            Ok(whole) if !streamed => {
                exchange.content();
                Ok(whole)
            }
            Ok(_) | Err(AnswerProblem::Malformed) => {
                Err(UpstreamError { status: Some(status), ..UpstreamError::of(Cause::Malformed) })
            }
            Err(AnswerProblem::Error(words)) => Err(exchange.classify(headers, Some(&words))),
        }
    }

    /// Reads frames up to the first content. Heartbeats and empty deltas do not count.
    async fn first_content(
        &self,
        exchange: &mut Exchange,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<Vec<(FrameClass, Output)>, UpstreamError> {
        let mut frames: Vec<(FrameClass, Output)> = Vec::new();
        let mut kept = 0;
        loop {
            let piece = timeout_at(deadline.min(self.total), exchange.piece());
            let piece = piece.await.map_err(|_| UpstreamError::of(self.late(Cause::FirstContentTimeout)))?;
            let (class, output) = match piece {
                Piece::Event(class, output) => (class, output),
                Piece::End(output) => {
                    frames.push((FrameClass::Terminal, output));
                    return Ok(frames);
                }
                Piece::Cut => return Err(UpstreamError::of(Cause::Cut)),
                Piece::Malformed => return Err(UpstreamError::of(Cause::Malformed)),
            };
            match class {
                FrameClass::Heartbeat => {}
                FrameClass::Error(words) => return Err(exchange.classify(headers, Some(&words))),
                FrameClass::Malformed => return Err(UpstreamError::of(Cause::Malformed)),
                FrameClass::Preamble | FrameClass::UsageOnly => {
                    kept += output.iter().map(Bytes::len).sum::<usize>();
                    if kept > self.request.snapshot.limits.event_bytes_max {
                        return Err(UpstreamError::of(Cause::Malformed));
                    }
                    frames.push((class, output));
                }
                FrameClass::Content | FrameClass::Terminal => {
                    exchange.content();
                    frames.push((class, output));
                    return Ok(frames);
                }
            }
        }
    }

    fn late(&self, cause: Cause) -> Cause {
        if Instant::now() >= self.total { Cause::TotalTimeout } else { cause }
    }
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}
