//! The body of a request, handed to the connection segment by segment without a copy, and a watch on how far that has
//! come: the deadline for the response's head runs from the last byte.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};
use trunkline_wire::splice::SplicedBody;

/// A request's body on its way out. A clone starts over.
pub(crate) struct RequestBody {
    upload: Arc<Upload>,
    next: usize,
    remaining: u64,
}

/// What the connection and the one who waits for the response share.
pub(crate) struct Upload {
    body: SplicedBody,
    began: Instant,
    /// When the connection last took a segment. It takes the next one when the one before is written or buffered.
    taken_after_ns: AtomicU64,
}

impl RequestBody {
    pub(crate) fn new(body: SplicedBody) -> Self {
        Self::whole(Arc::new(Upload { body, began: Instant::now(), taken_after_ns: AtomicU64::new(0) }))
    }

    fn whole(upload: Arc<Upload>) -> Self {
        let remaining = upload.body.len() as u64;
        Self { upload, next: 0, remaining }
    }

    pub(crate) fn upload(&self) -> Arc<Upload> {
        Arc::clone(&self.upload)
    }
}

impl Clone for RequestBody {
    fn clone(&self) -> Self {
        Self::whole(self.upload())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(segment) = self.upload.body.segments().get(self.next).cloned() else {
            return Poll::Ready(None);
        };
        self.next += 1;
        self.remaining = self.remaining.saturating_sub(segment.len() as u64);
        self.upload.record();
        Poll::Ready(Some(Ok(Frame::data(segment))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

impl Upload {
    fn record(&self) {
        let after = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.taken_after_ns.store(after, Ordering::Relaxed);
    }

    /// Returns when the connection has taken nothing for this long, which after the last segment means that the
    /// response's head is overdue, and before it that the upload is stuck.
    pub(crate) async fn stalled(&self, timeout: Duration) {
        let watched_since = Instant::now();
        loop {
            let taken = self.began + Duration::from_nanos(self.taken_after_ns.load(Ordering::Relaxed));
            let deadline = taken.max(watched_since) + timeout;
            if Instant::now() >= deadline {
                return;
            }
            sleep_until(deadline).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use trunkline_wire::envelope::Envelope;
    use trunkline_wire::splice::{Edit, EditValue, splice};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn take(body: &mut RequestBody) -> Option<Bytes> {
        match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame.map(|frame| frame.unwrap().into_data().unwrap()),
            Poll::Pending => panic!("a body in memory never waits"),
        }
    }

    fn spliced() -> SplicedBody {
        let envelope = Envelope::parse(Bytes::from_static(br#"{"model":"a","n":1}"#)).unwrap();
        splice(&envelope, &[Edit::replace("model", EditValue::string("b"))])
    }

    #[test]
    fn segments_come_in_order_and_the_length_is_exact_throughout() {
        let mut body = RequestBody::new(spliced());
        let mut taken = Vec::new();
        while !body.is_end_stream() {
            let before = body.size_hint().exact().unwrap();
            let segment = take(&mut body).unwrap();
            assert_eq!(body.size_hint().exact().unwrap(), before - segment.len() as u64);
            taken.extend_from_slice(&segment);
        }
        assert_eq!(taken, spliced().to_bytes());
        assert!(take(&mut body).is_none());
        assert_eq!(take(&mut body.clone()).unwrap(), spliced().segments()[0]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_runs_from_the_last_segment() {
        let began = Instant::now();
        let mut body = RequestBody::new(spliced());
        let upload = body.upload();
        let stalled = tokio::spawn(async move { upload.stalled(TIMEOUT).await });
        let mut taken = 0;
        while !body.is_end_stream() {
            tokio::time::sleep(TIMEOUT * 3 / 4).await;
            assert!(!stalled.is_finished());
            take(&mut body).unwrap();
            taken += 1;
        }
        stalled.await.unwrap();
        let expected = TIMEOUT * 3 / 4 * taken + TIMEOUT;
        assert!(began.elapsed() >= expected && began.elapsed() < expected + TIMEOUT / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_does_not_move_is_stalled_after_one_deadline() {
        let began = Instant::now();
        RequestBody::new(spliced()).upload().stalled(TIMEOUT).await;
        assert!(began.elapsed() >= TIMEOUT && began.elapsed() < TIMEOUT * 2);
    }
}
