//! The body of an answer: whole, a stream with or without pauses, or one that never has content.

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;

use super::State;
use super::race::Loser;
use super::speech::{Speech, Speeches};

/// Between two events of a stream with pauses.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// When the next event of a stream may leave.
pub(super) enum Pace {
    None,
    Next(Option<Pin<Box<Sleep>>>),
}

/// The body of an answer.
pub(super) enum Answer {
    Whole(Option<Bytes>),
    Events(Events),
    /// Says nothing until it is dropped.
    Silent(#[expect(dead_code, reason = "held for its drop")] Loser),
}

/// A stream under way.
pub(super) struct Events {
    pub(super) state: Arc<State>,
    pub(super) speech: fn(&Speeches) -> &Speech,
    pub(super) next: usize,
    pub(super) pace: Pace,
}

impl Events {
    fn events(&self) -> &[Bytes] {
        &(self.speech)(&self.state.speeches).events
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(event) = self.events().get(self.next).cloned() else { return Poll::Ready(None) };
        if let Pace::Next(until) = &mut self.pace {
            if let Some(until) = until
                && until.as_mut().poll(context).is_pending()
            {
                return Poll::Pending;
            }
            let sleep = until.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::ZERO)));
            // From when it was due, so that late wake-ups do not add up.
            let due = sleep.deadline() + PAUSE;
            sleep.as_mut().reset(due);
        }
        // The first event may only name the role.
        if self.next == 1 {
            self.state.race.content();
        }
        self.next += 1;
        Poll::Ready(Some(event))
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(events) => {
                events.poll_next(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Silent(_) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Events(events) => events.next >= events.events().len(),
            Self::Silent(_) => false,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Events(_) | Self::Silent(_) => http_body::SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::time::Instant;

    use super::*;
    use crate::mock::Mock;
    use crate::mock::speech::CHUNKS;

    #[tokio::test(start_paused = true)]
    async fn a_stream_takes_its_time_unless_asked_not_to() {
        let state = Mock::bind(0).await.unwrap().state;
        let whole = PAUSE * u32::try_from(CHUNKS + 3).unwrap();
        for (pace, least) in [(Pace::None, Duration::ZERO), (Pace::Next(None), whole)] {
            let start = Instant::now();
            let events = Events { state: Arc::clone(&state), speech: |all| &all.openai, next: 0, pace };
            let body = Answer::Events(events).collect().await.unwrap();
            assert!(body.to_bytes().ends_with(b"data: [DONE]\n\n"));
            assert!((least..=least + PAUSE * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
        }
    }
}
