//! One exchange with a provider, from the call to its last byte. It can be dropped at any instant: an exchange that
//! is not settled then goes on by itself where the provider would go on billing, and is estimated where not.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use trunkline_domain::attempt::{Cause, UpstreamError};
use trunkline_domain::validation::Verdict;
use trunkline_domain::{NanoUsd, Text};
use trunkline_providers::spec::CancelBilling;
use trunkline_upstream::dispatch::{DispatchError, DispatchFuture, Response, ResponseBytes};
use trunkline_wire::codec::{AnswerFacts, AnswerProblem, ErrorWords, FrameClass, Skim};
use trunkline_wire::framing::Framer;

use super::live::{Done, Live};
use crate::health::Stake;
use crate::resume::{Astray, Transcript};
use crate::translate::{EventReader, Output, Reading, Unfit, Whole};
use crate::validate::Mismatch;

/// How long a finished stream may take to close before its connection is given up instead of reused.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// One exchange.
pub struct Exchange {
    open: Option<Open>,
}

struct Open {
    phase: Phase,
    reader: Reader,
    reading: Reading,
    live: Live,
}

enum Phase {
    /// The call is on its way.
    Calling(DispatchFuture<'static>),
    /// The head has arrived, the body is arriving.
    Arriving(ResponseBytes),
    /// Every byte has arrived, or none will.
    Ended,
}

/// How the body is read.
pub(super) enum Reader {
    /// As one piece, collected as it comes.
    Whole(Collected),
    /// As events.
    Events(Framer, EventReader),
}

impl Reader {
    /// For the answer to a request; no event of a stream may be longer than `event_bytes_max`.
    pub(super) fn of(reading: &Reading, skim: &Skim, event_bytes_max: usize) -> Self {
        if skim.stream {
            Self::Events(Framer::of(reading.spoken(), event_bytes_max), reading.events(skim))
        } else {
            Self::Whole(Collected::default())
        }
    }
}

/// A body read as one piece: what has come so far.
#[derive(Default)]
pub(super) struct Collected(Vec<Bytes>);

impl Collected {
    fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// All of it: as it came where it came in one piece.
    fn take(&mut self) -> Bytes {
        match self.0.len() {
            1 => self.0.pop().unwrap_or_default(),
            _ => std::mem::take(&mut self.0).concat().into(),
        }
    }
}

/// One piece of a stream.
#[derive(Debug)]
pub enum Piece {
    /// What a frame is, and what the caller gets for it.
    Event(FrameClass, Output),
    /// A complete answer has ended, and this is still owed to the caller.
    End(Output),
    /// The bytes ended before the answer did.
    Cut,
    /// Bytes that cannot be cut into frames.
    Malformed,
    /// What should go on with an answer does something else.
    Astray,
}

impl Piece {
    fn of(read: Result<(FrameClass, Output), Astray>) -> Self {
        read.map_or(Self::Astray, |(class, output)| Self::Event(class, output))
    }
}

impl Exchange {
    /// A call that is about to be made, and how its answer will be read.
    pub(super) fn new(call: DispatchFuture<'static>, reader: Reader, reading: Reading, live: Live) -> Self {
        Self { open: Some(Open { phase: Phase::Calling(call), reader, reading, live }) }
    }

    /// Waits for the head. Safe to drop while waiting.
    pub(super) async fn head(&mut self) -> Result<(u16, HeaderMap), DispatchError> {
        let Some(open) = &mut self.open else { return Err(spent()) };
        let Phase::Calling(call) = &mut open.phase else { return Err(spent()) };
        match call.as_mut().await {
            Ok(Response { status, headers, body, .. }) => {
                open.phase = Phase::Arriving(body);
                open.live.answered(status, &headers);
                Ok((status, headers))
            }
            Err(error) => {
                open.phase = Phase::Ended;
                Err(error)
            }
        }
    }

    /// Reads the body as one piece after all: the head says it is not a stream.
    pub(super) fn read_whole(&mut self) {
        if let Some(open) = &mut self.open
            && !matches!(open.reader, Reader::Whole(_))
        {
            open.reader = Reader::Whole(Collected::default());
        }
    }

    /// How the answer is read.
    pub(super) fn reading(&self) -> Option<&Reading> {
        self.open.as_ref().map(|open| &open.reading)
    }

    /// The body as one piece of at most `cap` bytes. `Err` says why it is not whole. Safe to drop while waiting.
    pub(super) async fn whole(&mut self, cap: usize) -> Result<Bytes, Cause> {
        let Some(Open { phase: phase @ Phase::Arriving(_), reader: Reader::Whole(collected), .. }) =
            &mut self.open
        else {
            return Err(Cause::Internal);
        };
        while let Phase::Arriving(body) = phase {
            match body.next().await {
                Some(Ok(bytes)) if collected.len() + bytes.len() > cap => return Err(Cause::Malformed),
                Some(Ok(bytes)) => collected.0.push(bytes),
                Some(Err(_)) => return Err(Cause::Cut),
                None => *phase = Phase::Ended,
            }
        }
        Ok(collected.take())
    }

    /// Reads a whole body.
    pub(super) fn read(&self, body: Bytes) -> Result<Whole, AnswerProblem> {
        let Some(Open { reading, live, .. }) = &self.open else { return Err(AnswerProblem::Malformed) };
        reading.whole(body, &live.recorder(reading.spoken()))
    }

    /// Holds a whole body against what was asked for.
    pub(super) fn judge(&self, body: &[u8]) -> Result<Option<Verdict>, Unfit> {
        self.open.as_ref().map_or(Ok(None), |open| open.reading.judge(body))
    }

    /// Holds the stream, all of which has come, against what was asked for.
    pub(super) fn judge_stream(&self) -> Result<Option<Verdict>, Mismatch> {
        match &self.open {
            Some(Open { reader: Reader::Events(_, EventReader::Checked(checked)), reading, .. }) => {
                reading.check().map(|check| checked.judge(check)).transpose()
            }
            _ => Ok(None),
        }
    }

    /// The next piece of the stream.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        match &mut self.open {
            Some(open) => open.poll_piece(context),
            None => Poll::Ready(Piece::Cut),
        }
    }

    /// The next piece of the stream. Safe to drop while waiting.
    pub(super) async fn piece(&mut self) -> Piece {
        std::future::poll_fn(|context| self.poll_piece(context)).await
    }

    /// The first content arrived.
    pub(super) fn content(&mut self) {
        if let Some(open) = &mut self.open {
            open.live.content();
        }
    }

    /// What the answer has said about itself so far.
    pub fn facts(&self) -> AnswerFacts {
        self.open.as_ref().map(Open::facts).unwrap_or_default()
    }

    /// What the answer costs as far as its usage is known.
    pub fn cost_so_far(&self) -> Option<NanoUsd> {
        let open = self.open.as_ref()?;
        let facts = open.facts();
        facts.usage?;
        Some(open.live.meter(&facts).cost)
    }

    /// What a failed answer means.
    pub fn classify(&self, headers: &HeaderMap, words: Option<&ErrorWords>) -> UpstreamError {
        let live = self.open.as_ref().map(|open| &open.live);
        live.map_or_else(|| UpstreamError::of(Cause::Internal), |live| live.classify(headers, words))
    }

    /// What of the stream could not be carried, as far as it has come.
    pub(crate) fn losses(&self) -> Vec<Text> {
        match &self.open {
            Some(Open { reader: Reader::Events(_, events), .. }) => events.losses(),
            _ => Vec::new(),
        }
    }

    /// It ended with a complete answer. A connection that is about to close by itself is waited for a little, so
    /// that it can be used again.
    pub fn succeed(self, facts: &AnswerFacts) -> Option<Done> {
        Some(self.ended()?.whole(facts, None))
    }

    /// It ended with a complete answer that is not handed on.
    pub(super) fn reject(self, cause: Cause, facts: &AnswerFacts) -> Option<Done> {
        Some(self.ended()?.whole(facts, Some(cause)))
    }

    fn ended(mut self) -> Option<Live> {
        let Open { phase, live, .. } = self.open.take()?;
        if let Phase::Arriving(body) = phase {
            live.core.tasks.spawn(close(body));
        }
        Some(live)
    }

    /// Nobody waits for it any more: another attempt answered, or is asked instead. What became of it, unless it is
    /// read on for its usage.
    pub fn cancel(mut self) -> Option<Done> {
        self.open.take()?.leave(Cause::Cancelled)
    }

    /// The number of the attempt within its request.
    pub(super) fn ordinal(&self) -> u8 {
        self.open.as_ref().map_or(0, |open| open.live.ordinal())
    }

    /// It is a hedge, and this is what it has taken from their budget.
    pub(super) fn back(&mut self, stake: Stake) {
        if let Some(open) = &mut self.open {
            open.live.stake = Some(stake);
        }
    }

    /// It failed.
    pub fn fail(self, error: &UpstreamError) -> Option<Done> {
        self.break_off(error).0
    }

    /// It failed after it had begun: what became of it, and what its caller was told, where that was remembered.
    pub(crate) fn break_off(mut self, error: &UpstreamError) -> (Option<Done>, Option<Transcript>) {
        let Some(open) = self.open.take() else { return (None, None) };
        let facts = open.facts();
        let done = open.live.fail(error, Some(&facts));
        let transcript = match open.reader {
            Reader::Events(_, events) => events.into_transcript(),
            Reader::Whole(_) => None,
        };
        (Some(done), transcript)
    }

    /// It goes on with the answer of this transcript: what its caller is told at once.
    pub(super) fn attach(&mut self, transcript: Transcript) -> Output {
        match &mut self.open {
            Some(Open { reader: Reader::Events(_, events), .. }) => events.attach(transcript),
            _ => Output::new(),
        }
    }

    /// Bytes of a continuation that were cut because they repeat what was said.
    pub(super) fn overlap(&self) -> u64 {
        match &self.open {
            Some(Open { reader: Reader::Events(_, events), .. }) => events.overlap().unwrap_or(0),
            _ => 0,
        }
    }
}

fn spent() -> DispatchError {
    DispatchError { cause: Cause::Internal, message: "the exchange has ended already".to_owned() }
}

impl Open {
    fn facts(&self) -> AnswerFacts {
        match &self.reader {
            Reader::Events(_, events) => events.facts().clone(),
            Reader::Whole(_) => AnswerFacts::default(),
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        let Self { reader: Reader::Events(framer, events), reading, live, phase } = self else {
            return Poll::Ready(Piece::Malformed);
        };
        let read = |events: &mut EventReader, frame| {
            Poll::Ready(Piece::of(events.frame(frame, reading, &live.recorder(reading.spoken()))))
        };
        loop {
            match framer.next() {
                Some(Ok(frame)) => return read(events, frame),
                Some(Err(_)) => return Poll::Ready(Piece::Malformed),
                None => {}
            }
            let Phase::Arriving(body) = phase else {
                return Poll::Ready(events.finish().map_or(Piece::Cut, Piece::End));
            };
            match body.poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => framer.push(bytes),
                Poll::Ready(Some(Err(_))) => *phase = Phase::Ended,
                Poll::Ready(None) => {
                    *phase = Phase::Ended;
                    if let Some(frame) = framer.finish() {
                        return read(events, frame);
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Leaves it before its end: reads on where the provider goes on billing, settles what is known where not.
    fn leave(mut self, cause: Cause) -> Option<Done> {
        let deployment = self.live.snapshot.offers.get(self.live.deployment);
        let goes_on = deployment.is_some_and(|it| it.provider.cancel == CancelBilling::GoesOn);
        let tasks = self.live.core.tasks.clone();
        let room = tasks.len() < self.live.snapshot.limits.drain.streams_max;
        if goes_on && room && !matches!(self.phase, Phase::Ended) {
            self.live.release();
            tasks.spawn(self.drain(cause));
            return None;
        }
        let facts = self.facts();
        Some(self.live.abandon(cause, Some(&facts)))
    }

    /// Reads on without a caller, for the usage at the end, within bounds; then settles.
    async fn drain(mut self, cause: Cause) {
        let limits = self.live.snapshot.limits.drain;
        let facts =
            tokio::time::timeout(limits.time_max, self.read_on(limits.bytes_max)).await.ok().flatten();
        let facts = facts.unwrap_or_else(|| self.facts());
        self.live.abandon(cause, Some(&facts));
    }

    async fn read_on(&mut self, bytes_max: usize) -> Option<AnswerFacts> {
        if let Phase::Calling(call) = &mut self.phase {
            let response = call.as_mut().await.ok()?;
            self.live.answered(response.status, &response.headers);
            self.phase = Phase::Arriving(response.body);
        }
        if let (Reader::Whole(collected), Phase::Arriving(body)) = (&mut self.reader, &mut self.phase) {
            while let Some(Ok(bytes)) = body.next().await {
                collected.0.push(bytes);
                if collected.len() > bytes_max {
                    return None;
                }
            }
            let recorder = self.live.recorder(self.reading.spoken());
            return self.reading.whole(collected.take(), &recorder).ok().map(|whole| whole.facts);
        }
        let mut read = 0;
        loop {
            match std::future::poll_fn(|context| self.poll_piece(context)).await {
                Piece::Event(class, output) => {
                    read += output.iter().map(Bytes::len).sum::<usize>();
                    if read > bytes_max || class == FrameClass::Terminal {
                        return Some(self.facts());
                    }
                }
                Piece::End(_) | Piece::Cut | Piece::Malformed | Piece::Astray => return Some(self.facts()),
            }
        }
    }
}

async fn close(mut body: ResponseBytes) {
    let end = async { while let Some(Ok(_)) = body.next().await {} };
    if tokio::time::timeout(CLOSE_MAX, end).await.is_err() {
        tracing::debug!("a finished stream stayed open: its connection is given up");
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.leave(Cause::ClientClosed);
        }
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exchange")
    }
}
