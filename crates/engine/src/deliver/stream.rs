//! A streamed answer: the provider's frames as they came, heartbeats while it is silent, and a truthful end.
//!
//! One state machine, polled by the connection that reads it: back-pressure reaches the provider because nothing is
//! read that is not asked for. Dropping it at any instant settles what is under way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::time::{Instant, Sleep, sleep_until};
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::resume::NotResumed;
use trunkline_domain::{Error, ErrorKind};
use trunkline_wire::codec::{Annotation, Codec, FrameClass};
use trunkline_wire::frame::Frame;
use trunkline_wire::framing::json_array::JsonArrayWriter;
use trunkline_wire::gemini::path::Framing;

use super::headers;
use crate::answer::{Answer, AnswerBody};
use crate::execute::{Begun, Committed, Exchange, Head, Piece, Resumed, resume};
use crate::request::{Outgoing, ReceiptWish, Request};
use crate::resume::Transcript;
use crate::translate::Output;

/// A plan still being walked when the first heartbeat was due.
pub type Pending = Pin<Box<dyn Future<Output = (Request, Result<Committed, Error>)> + Send>>;

/// How a stream is spoken, whatever it says.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    codec: &'static dyn Codec,
    framing: Framing,
    /// Silence after which a heartbeat is sent.
    heartbeat: Duration,
}

impl Manner {
    pub(crate) fn of(request: &Request) -> Self {
        Self { codec: request.codec, framing: request.framing, heartbeat: request.delivery.heartbeat }
    }

    /// How long a caller waits before it is told that somebody is still there.
    pub(crate) fn patience(&self) -> Duration {
        self.heartbeat
    }
}

/// What is there at once is handed on at once, up to so many bytes: an event alone costs the same write as twenty.
const JOINED_MAX: usize = 16 * 1024;

/// The body of a streamed answer.
pub struct EventStream {
    state: State,
    ready: Vec<Bytes>,
    /// Bytes in `ready`.
    ready_len: usize,
    manner: Manner,
    array: JsonArrayWriter,
    last_sent: Instant,
    last_content: Instant,
    timer: Pin<Box<Sleep>>,
}

enum State {
    /// Nothing has committed yet; the head was sent for the sake of a heartbeat.
    Waiting(Pending),
    /// The provider speaks.
    Relaying(Box<Relay>),
    /// It broke off, and somebody else is asked to go on.
    Resuming(Resuming),
    /// Everything was said.
    Ended,
}

/// Somebody being asked to go on with a stream that broke off.
type Resuming = Pin<Box<dyn Future<Output = Box<Sequel>> + Send>>;

/// What came of it.
struct Sequel {
    request: Request,
    /// Why the stream broke off, for the caller.
    error: Error,
    result: Result<Resumed, NotResumed>,
    /// Whether the caller's answers are translated, as the head that was sent says.
    recast: bool,
}

struct Relay {
    request: Request,
    head: Head,
    exchange: Box<Exchange>,
}

/// Delivers a stream that committed before its head was sent.
pub(super) fn deliver(
    request: Request,
    head: Head,
    frames: Vec<(FrameClass, Output)>,
    exchange: Box<Exchange>,
) -> Answer {
    let status = head.status;
    let manner = Manner::of(&request);
    let all = event_headers(headers::of(&request, &head), manner.framing);
    let mut stream = EventStream::new(manner);
    stream.commit(request, head, frames, exchange);
    Answer { status, headers: all, body: AnswerBody::Events(Box::new(stream)) }
}

/// Delivers a stream whose head must be sent before anything has committed.
pub(crate) fn deliver_waiting(headers: HeaderMap, manner: Manner, pending: Pending) -> Answer {
    let mut stream = EventStream::new(manner);
    stream.state = State::Waiting(pending);
    stream.send(manner.codec.heartbeat());
    Answer {
        status: 200,
        headers: event_headers(headers, manner.framing),
        body: AnswerBody::Events(Box::new(stream)),
    }
}

/// Headers known before anything committed.
pub(crate) fn waiting_headers(request: &Request) -> HeaderMap {
    headers::common(request)
}

fn event_headers(mut headers: HeaderMap, framing: Framing) -> HeaderMap {
    let content_type = match framing {
        Framing::Sse => "text/event-stream; charset=utf-8",
        Framing::JsonArray => "application/json; charset=utf-8",
    };
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers
}

impl EventStream {
    fn new(manner: Manner) -> Self {
        let now = Instant::now();
        Self {
            state: State::Ended,
            ready: Vec::new(),
            ready_len: 0,
            manner,
            array: JsonArrayWriter::default(),
            last_sent: now,
            last_content: now,
            timer: Box::pin(sleep_until(now + manner.heartbeat)),
        }
    }

    /// The next bytes; `None` at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if self.ready_len >= JOINED_MAX {
                return Poll::Ready(self.join());
            }
            let progress = match &mut self.state {
                State::Ended => return Poll::Ready(self.join()),
                State::Waiting(pending) => match pending.as_mut().poll(context) {
                    Poll::Ready((request, result)) => {
                        self.decided(request, result);
                        continue;
                    }
                    Poll::Pending => Poll::Pending,
                },
                State::Relaying(relay) => relay.exchange.poll_piece(context),
                State::Resuming(resuming) => match resuming.as_mut().poll(context) {
                    Poll::Ready(sequel) => {
                        self.resumed(*sequel);
                        continue;
                    }
                    Poll::Pending => Poll::Pending,
                },
            };
            match progress {
                Poll::Ready(piece) => self.take(piece),
                Poll::Pending if !self.ready.is_empty() => return Poll::Ready(self.join()),
                Poll::Pending => {
                    if self.poll_timer(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    fn send(&mut self, bytes: Bytes) {
        self.last_sent = Instant::now();
        let bytes = match self.manner.framing {
            Framing::Sse => bytes,
            // Between two elements white space says what an empty event says among events.
            Framing::JsonArray => {
                self.array.element(&Frame::of_event(bytes)).unwrap_or(Bytes::from_static(b"\n"))
            }
        };
        self.queue(bytes);
    }

    fn queue(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.ready_len += bytes.len();
            self.ready.push(bytes);
        }
    }

    /// All that is ready, in one piece; `None` where that is nothing.
    fn join(&mut self) -> Option<Bytes> {
        self.ready_len = 0;
        if self.ready.len() > 1 {
            let joined = self.ready.concat();
            self.ready.clear();
            return Some(joined.into());
        }
        self.ready.pop()
    }

    /// Everything was said.
    fn close(&mut self) {
        if self.manner.framing == Framing::JsonArray {
            let end = self.array.end();
            self.queue(end);
        }
    }

    /// The plan has been walked after its head was sent.
    fn decided(&mut self, request: Request, result: Result<Committed, Error>) {
        self.state = State::Ended;
        match result {
            Ok(Committed { head, answer: Begun::Stream(frames, exchange) }) => {
                self.commit(request, head, frames, exchange);
            }
            Ok(Committed { answer: Begun::Whole(_), .. }) => {
                let error =
                    Error::new(ErrorKind::Internal, "a whole answer came where a stream was asked for");
                self.end_with(request, &error);
            }
            Err(error) => self.end_with(request, &error),
        }
    }

    fn commit(
        &mut self,
        request: Request,
        head: Head,
        frames: Vec<(FrameClass, Output)>,
        exchange: Box<Exchange>,
    ) {
        self.state = State::Relaying(Box::new(Relay { request, head, exchange }));
        for (class, output) in frames {
            self.event(class, output);
        }
        self.set_timer();
    }

    /// One piece of the provider's stream.
    fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Event(class, output) => self.event(class, output),
            Piece::End(output) => self.complete(output),
            Piece::Cut => self.broken(&UpstreamError::of(Cause::Cut)),
            Piece::Malformed => self.broken(&UpstreamError::of(Cause::Malformed)),
            Piece::Astray => self.broken(&UpstreamError::of(Cause::NotContinued)),
        }
    }

    fn event(&mut self, class: FrameClass, output: Output) {
        let State::Relaying(relay) = &mut self.state else { return };
        match class {
            FrameClass::Heartbeat => self.send_all(output),
            FrameClass::UsageOnly if relay.head.withhold_usage && !relay.annotates() => {}
            FrameClass::Content | FrameClass::Preamble | FrameClass::UsageOnly => {
                self.last_content = Instant::now();
                let names = class == FrameClass::Preamble;
                let output = if names { relay.with_own_ids(output) } else { output };
                let output = relay.annotated(output);
                self.send_all(output);
            }
            FrameClass::Terminal => {
                let output = relay.annotated(relay.with_own_ids(output));
                self.complete(output);
            }
            FrameClass::Error(words) => {
                let error = relay.exchange.classify(&relay.head.headers, Some(&words));
                self.broken(&error);
            }
            FrameClass::Malformed => self.broken(&UpstreamError::of(Cause::Malformed)),
        }
    }

    fn send_all(&mut self, output: Output) {
        for bytes in output {
            self.send(bytes);
        }
    }

    /// The answer is complete: settles it, says what it cost, and ends with
    /// the provider's terminal event, or the dialect's where the provider leaves it out.
    fn complete(&mut self, terminal: Output) {
        let State::Relaying(relay) = std::mem::replace(&mut self.state, State::Ended) else { return };
        let Relay { mut request, head, exchange } = *relay;
        let facts = exchange.facts();
        // The head is long gone: the record and the receipt name them.
        request.trail.losses.extend(exchange.losses());
        if let Some(done) = exchange.succeed(&facts) {
            request.trail.push(done.receipt, done.cost);
        }
        // Nothing broke off that could not be gone on with.
        request.trail.not_resumed = None;
        if request.receipt == ReceiptWish::Full
            && let Some(event) = receipt_event(&request)
        {
            self.send(event);
        }
        if let Some(comment) = closing_comment(&request, &head) {
            self.send(comment);
        }
        if terminal.is_empty() {
            self.send(request.codec.terminal_event());
        } else {
            self.send_all(terminal);
        }
        self.close();
        request.finish(head.status, head.ordinal);
    }

    /// The provider's stream broke after it had begun: somebody else goes on with it, where that is wished and can be;
    /// otherwise the caller is told in its own language.
    fn broken(&mut self, error: &UpstreamError) {
        let State::Relaying(relay) = std::mem::replace(&mut self.state, State::Ended) else { return };
        let Relay { mut request, head, exchange } = *relay;
        let public = public(error);
        let (done, transcript) = exchange.break_off(error);
        if let Some(done) = done {
            request.trail.push(done.receipt, done.cost);
        }
        let why = match (request.kept.take(), transcript) {
            (Some(kept), Some(transcript)) if error.cause.fails_over() => {
                self.state = State::Resuming(Box::pin(sequel(request, (kept, transcript), head, public)));
                return;
            }
            (Some(_), Some(_)) if error.cause == Cause::NotContinued => Some(NotResumed::NotContinued),
            (Some(_), Some(_)) => Some(NotResumed::Cause),
            (Some(_), None) => Some(NotResumed::Answer),
            (None, _) => request.trail.not_resumed,
        };
        request.trail.not_resumed = why;
        self.end_with(request, &public);
    }

    /// Somebody goes on with the stream, or nobody does.
    fn resumed(&mut self, sequel: Sequel) {
        self.state = State::Ended;
        let Sequel { mut request, error, result, recast } = sequel;
        match result {
            Ok(Resumed { mut head, class, output, exchange }) => {
                head.recast = recast;
                if let Some(comment) = seam_comment(&request, &head) {
                    self.send(comment);
                }
                self.state = State::Relaying(Box::new(Relay { request, head, exchange }));
                self.event(class, output);
            }
            Err(why) => {
                request.trail.not_resumed = Some(why);
                self.end_with(request, &error);
            }
        }
    }

    fn end_with(&mut self, request: Request, error: &Error) {
        tracing::info!(request = %request.id, error = %error, "stream ended with an error");
        if let Some(why) = request.trail.not_resumed
            && let Some(comment) = request.codec.comment(&format!("x-trunkline-not-resumed={}", why.as_str()))
        {
            self.send(comment);
        }
        self.send(request.codec.error_event(error));
        self.close();
        request.fail(200, error);
    }

    /// A deadline has passed after the commit: between two pieces of content, or the whole request's.
    fn late(&mut self, now: Instant) {
        let State::Relaying(relay) = &self.state else { return };
        let cause = if now >= relay.head.deadline { Cause::TotalTimeout } else { Cause::IdleTimeout };
        self.broken(&UpstreamError::of(cause));
    }

    /// Heartbeats, and the deadlines after the commit.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let now = Instant::now();
        if self.due().is_some_and(|due| now >= due) {
            self.late(now);
            return Poll::Ready(());
        }
        if now >= self.last_sent + self.manner.heartbeat {
            self.send(self.manner.codec.heartbeat());
        }
        self.set_timer();
        Poll::Ready(())
    }

    /// When what is relayed is too late.
    fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Relaying(relay) => Some((self.last_content + relay.head.idle).min(relay.head.deadline)),
            State::Waiting(_) | State::Resuming(_) | State::Ended => None,
        }
    }

    /// To the next heartbeat or deadline, whichever comes first.
    fn set_timer(&mut self) {
        let next = self.last_sent + self.manner.heartbeat;
        let next = self.due().map_or(next, |due| due.min(next));
        self.timer.as_mut().reset(next);
    }
}

impl Relay {
    /// Whether the caller is to see usage with its cost: then the chunk it comes in is not withheld.
    fn annotates(&self) -> bool {
        self.request.skim.annotate || self.request.delivery.annotate || self.head.recast
    }

    /// The frame with the ids the caller is to know. Only what opens or ends an answer names it.
    fn with_own_ids(&self, output: Output) -> Output {
        if self.head.keeper.is_none() {
            return output;
        }
        output.into_iter().map(|raw| self.request.with_own_ids(&self.head, raw)).collect()
    }

    /// The frame with the cost in its usage object, where the caller asked for it and the frame has one.
    fn annotated(&self, output: Output) -> Output {
        if !self.annotates() {
            return output;
        }
        let Some(cost) = self.exchange.cost_so_far() else { return output };
        let cost = self.request.trail.cost.saturating_add(cost);
        let annotation = Annotation { cost, provider: self.head.provider_name };
        let annotate = |raw: Bytes| self.request.codec.annotate(&raw, &annotation).unwrap_or(raw);
        output.into_iter().map(annotate).collect()
    }
}

fn public(error: &UpstreamError) -> Error {
    let said = error.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    let message = format!(
        "the provider's stream broke off ({}){said}; what was sent so far is not the whole answer",
        error.cause.as_str()
    );
    Error::new(error.cause.error_kind(), message)
}

/// What stands in the headers of a buffered answer, as a comment before the terminal event.
fn closing_comment(request: &Request, head: &Head) -> Option<Bytes> {
    let (cost, attempts) = (request.trail.cost, head.ordinal);
    request.codec.comment(&format!(
        "x-trunkline-cost-usd={cost} x-trunkline-provider={} x-trunkline-model={} x-trunkline-attempts={attempts}",
        head.provider, head.model
    ))
}

/// Where another attempt goes on, for who reads the stream as it is.
fn seam_comment(request: &Request, head: &Head) -> Option<Bytes> {
    let seam = request.trail.seams.last()?;
    request.codec.comment(&format!(
        "x-trunkline-resumed attempt={} at_bytes={} overlap_bytes={} provider={} model={}",
        seam.attempt, seam.at_bytes, seam.overlap_bytes, head.provider, head.model
    ))
}

/// Asks somebody else to go on.
async fn sequel(
    mut request: Request,
    (mut kept, transcript): (Box<Outgoing>, Transcript),
    head: Head,
    error: Error,
) -> Box<Sequel> {
    let result = resume(&mut request, &mut kept, transcript, head.deployment).await;
    request.kept = Some(kept);
    Box::new(Sequel { request, error, result, recast: head.recast })
}

fn receipt_event(request: &Request) -> Option<Bytes> {
    let receipt = serde_json::to_string(&request.receipt()?).ok()?;
    request.codec.receipt_event(&request.id.to_string(), &receipt)
}

impl Drop for EventStream {
    /// A caller that leaves mid-stream: its request ends as closed by the client; the exchange settles by itself.
    fn drop(&mut self) {
        if let State::Relaying(relay) = std::mem::replace(&mut self.state, State::Ended) {
            let Relay { request, exchange, .. } = *relay;
            drop(exchange);
            request.fail(499, &Error::new(ErrorKind::ClientClosed, "the caller closed the connection"));
        }
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventStream")
    }
}
