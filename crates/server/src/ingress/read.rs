//! Request bodies into memory: each up to a cap, all together up to a budget, none slower than a deadline.
//!
//! Nothing is read before the key is known: what is made here is a promise ([`BodySource`]) the engine keeps when it
//! wants to. A body nobody wanted is read and thrown away for a moment, so that the client gets to see why instead of
//! a connection reset in its face. Look first at [`Bodies::source`].

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as Incoming;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use trunkline_domain::{Error, ErrorKind};
use trunkline_engine::inbound::{Body, BodySource};

/// One permit of the budget, in bytes.
const PERMIT_BYTES: u64 = 1 << 10;
/// The budget is taken in steps of so many bytes where a body does not say how long it is.
const STEP_BYTES: u64 = 64 << 10;
/// How long a client may send nothing.
const IDLE: Duration = Duration::from_secs(30);
/// How long a whole body may take.
const TOTAL: Duration = Duration::from_mins(5);
/// How long a body nobody wanted is read on.
const LINGER: Duration = Duration::from_secs(3);
/// When to come back if there is no memory for a body.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The memory bodies may take.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    bytes_max: u64,
    budget: Arc<Semaphore>,
}

impl Bodies {
    /// Bodies of at most `bytes_max` bytes each, `together_max` bytes at once.
    pub(crate) fn new(bytes_max: u64, together_max: u64) -> Self {
        let permits = usize::try_from(together_max.div_ceil(PERMIT_BYTES)).unwrap_or(usize::MAX);
        Self { bytes_max, budget: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))) }
    }

    /// A promise of a JSON body.
    pub(crate) fn source(&self, headers: &HeaderMap, body: Incoming) -> BodySource {
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let checked = check_type(headers).and_then(|()| check_length(announced, self.bytes_max));
        let mut reading =
            Reading { body: Unwanted(Some(body)), bytes_max: self.bytes_max, share: Share::new(self) };
        Box::pin(async move {
            checked?;
            reading.share.take(announced.unwrap_or(0))?;
            let bytes =
                timeout(TOTAL, reading.read(announced)).await.unwrap_or_else(|_| Err(too_slow(TOTAL)))?;
            Ok(Body { bytes, memory: reading.share.permit })
        })
    }
}

/// A body that has not been read to its end. When it is dropped so, the rest is read and thrown away.
struct Unwanted(Option<Incoming>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        let (Some(mut body), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let end = Instant::now() + LINGER;
        let reading = async move { while let Some(Ok(_)) = body.frame().await {} };
        drop(runtime.spawn(tokio::time::timeout_at(end, reading)));
    }
}

struct Reading {
    body: Unwanted,
    bytes_max: u64,
    share: Share,
}

impl Reading {
    /// The whole body. One that came in one piece is not copied.
    async fn read(&mut self, announced: Option<u64>) -> Result<Bytes, Error> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        if first.len() as u64 > self.bytes_max {
            return Err(too_large(self.bytes_max));
        }
        let Some(second) = self.next().await? else { return Ok(first) };
        let capacity = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut all = BytesMut::with_capacity(capacity.max(first.len() + second.len()));
        all.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(piece) = next {
            let length = (all.len() + piece.len()) as u64;
            if length > self.bytes_max {
                return Err(too_large(self.bytes_max));
            }
            self.share.take(length)?;
            all.extend_from_slice(&piece);
            next = self.next().await?;
        }
        Ok(all.freeze())
    }

    /// The next piece; none at the end, where trailers are ignored.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let Some(body) = &mut self.body.0 else { return Ok(None) };
            let frame = timeout(IDLE, body.frame()).await.map_err(|_| too_slow(IDLE))?;
            match frame {
                None => {
                    self.body.0 = None;
                    return Ok(None);
                }
                Some(Err(error)) => {
                    self.body.0 = None;
                    let message = "the request body broke off before its end";
                    return Err(Error::new(ErrorKind::ClientClosed, message).because(error));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => {
                        self.share.take(bytes.len() as u64)?;
                        return Ok(Some(bytes));
                    }
                    Err(_) => {}
                },
            }
        }
    }
}

/// One body's share of the budget.
struct Share {
    budget: Arc<Semaphore>,
    bytes_max: u64,
    permit: Option<OwnedSemaphorePermit>,
}

impl Share {
    fn new(bodies: &Bodies) -> Self {
        Self { budget: Arc::clone(&bodies.budget), bytes_max: bodies.bytes_max, permit: None }
    }

    /// Makes sure that the share covers so many bytes. Never waits: a queue of bodies would be memory too.
    fn take(&mut self, bytes: u64) -> Result<(), Error> {
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u64 * PERMIT_BYTES;
        if bytes <= held {
            return Ok(());
        }
        let step =
            if held == 0 { bytes } else { bytes.next_multiple_of(STEP_BYTES).min(self.bytes_max.max(bytes)) };
        let permits = u32::try_from((step - held).div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.budget).try_acquire_many_owned(permits).map_err(|_| {
            let message =
                "too many request bodies are under way for the gateway's memory: try again in a moment";
            Error::new(ErrorKind::Overloaded, message).retry_after(RETRY_AFTER)
        })?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Error> {
    let refused = |param: &'static str, message: String| {
        Err(Error::new(ErrorKind::UnsupportedMediaType, message).about(param))
    };
    let shown =
        |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).chars().take(64).collect::<String>();
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let message =
            format!("the body is encoded as `{}`: send it without content-encoding", shown(encoding));
        return refused("content-encoding", message);
    }
    if let Some(content_type) = headers.get(CONTENT_TYPE) {
        let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        if !essence.trim_ascii().eq_ignore_ascii_case(b"application/json") {
            let message = format!("the body's type is `{}`: send application/json", shown(content_type));
            return refused("content-type", message);
        }
    }
    Ok(())
}

fn check_length(announced: Option<u64>, bytes_max: u64) -> Result<(), Error> {
    if announced.is_some_and(|length| length > bytes_max) { Err(too_large(bytes_max)) } else { Ok(()) }
}

fn too_large(bytes_max: u64) -> Error {
    let message = format!(
        "the body is larger than the {bytes_max} bytes this gateway takes (server.limits.body_bytes_max)"
    );
    Error::new(ErrorKind::RequestTooLarge, message)
}

fn too_slow(limit: Duration) -> Error {
    let message = format!("the request body did not arrive within {} s: send it faster", limit.as_secs());
    Error::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt as _, stream};

    use super::*;

    fn chunks(sizes: &[usize]) -> Incoming {
        let pieces: Vec<_> =
            sizes.iter().map(|size| Ok::<_, Infallible>(Bytes::from(vec![b'x'; *size]))).collect();
        Incoming::from_stream(stream::iter(pieces))
    }

    async fn kind(bodies: &Bodies, headers: &HeaderMap, body: Incoming) -> Result<usize, ErrorKind> {
        bodies.source(headers, body).await.map(|body| body.bytes.len()).map_err(|error| error.kind)
    }

    fn header(name: http::HeaderName, value: &'static str) -> HeaderMap {
        [(name, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[tokio::test]
    async fn a_body_over_the_cap_is_refused_announced_or_counted() {
        let bodies = Bodies::new(100, 1 << 20);
        let none = HeaderMap::new();
        assert_eq!(kind(&bodies, &none, chunks(&[60, 40])).await, Ok(100));
        assert_eq!(kind(&bodies, &none, chunks(&[60, 41])).await, Err(ErrorKind::RequestTooLarge));
        let announced = header(CONTENT_LENGTH, "101");
        let never = Incoming::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(kind(&bodies, &announced, never).await, Err(ErrorKind::RequestTooLarge));
    }

    #[tokio::test]
    async fn all_bodies_together_have_a_budget_and_give_it_back() {
        let bodies = Bodies::new(8 << 10, 8 << 10);
        let none = HeaderMap::new();
        let held = bodies.source(&none, chunks(&[5 << 10])).await.unwrap();
        assert_eq!(kind(&bodies, &none, chunks(&[4 << 10])).await, Err(ErrorKind::Overloaded));
        drop(held);
        assert_eq!(kind(&bodies, &none, chunks(&[4 << 10])).await, Ok(4 << 10));
    }

    #[tokio::test]
    async fn only_plain_json_is_taken() {
        let bodies = Bodies::new(100, 1 << 20);
        for (name, value, taken) in [
            (CONTENT_TYPE, "application/json", true),
            (CONTENT_TYPE, "Application/JSON; charset=utf-8", true),
            (CONTENT_TYPE, "text/plain", false),
            (CONTENT_TYPE, "multipart/form-data; boundary=x", false),
            (CONTENT_ENCODING, "identity", true),
            (CONTENT_ENCODING, "gzip", false),
        ] {
            let outcome = kind(&bodies, &header(name, value), chunks(&[1])).await;
            assert_eq!(outcome, if taken { Ok(1) } else { Err(ErrorKind::UnsupportedMediaType) }, "{value}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_in_the_middle_is_not_waited_for() {
        let bodies = Bodies::new(100, 1 << 20);
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"{"))]);
        let stuck = Incoming::from_stream(first.chain(stream::pending()));
        assert_eq!(kind(&bodies, &HeaderMap::new(), stuck).await, Err(ErrorKind::InvalidRequest));
        let drip = stream::unfold((), |()| async {
            tokio::time::sleep(IDLE / 2).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
        });
        let outcome = kind(&bodies, &HeaderMap::new(), Incoming::from_stream(drip)).await;
        assert_eq!(outcome, Err(ErrorKind::InvalidRequest));
    }
}
