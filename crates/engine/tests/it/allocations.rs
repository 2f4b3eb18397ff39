//! The allocation budget: what a relayed request may ask of the allocator inside the engine, from the parsed head to the
//! last byte of the answer, journal included. Whoever raises a figure says why.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::runtime::{Builder, Runtime};
use trunkline_engine::mint::KeySpec;
use trunkline_upstream::dispatch::{
    BodyError, ByteStream, Call, Dispatch, DispatchFuture, Response, ResponseBytes,
};

use crate::rig::{Rig, TWO_ACCOUNTS, ask, ask_stream};

/// A small request and a whole answer.
const WHOLE_MAX: u64 = 64;
/// One more event of a stream.
const EVENT_MAX: u64 = 1;

const ANSWER: &[u8] = br#"{"id":"c-1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const EVENT: &[u8] = b"data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n";
const END: &[u8] = b"data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\ndata: [DONE]\n\n";

/// Answers at once, from constants, with so many events where a stream is asked for.
struct Instant {
    events: usize,
}

impl Dispatch for Instant {
    fn dispatch(&self, call: Call) -> DispatchFuture<'_> {
        let streamed =
            call.body.segments().iter().any(|part| part.windows(8).any(|text| text == b"\"stream\""));
        let kind = if streamed { "text/event-stream" } else { "application/json" };
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let body = if streamed {
            Pieces { event: EVENT, events: self.events, end: Some(END) }
        } else {
            Pieces { event: &[], events: 0, end: Some(ANSWER) }
        };
        let response = Response { status: 200, headers, body: ResponseBytes::new(body), address: None };
        Box::pin(std::future::ready(Ok(response)))
    }
}

struct Pieces {
    event: &'static [u8],
    events: usize,
    end: Option<&'static [u8]>,
}

impl ByteStream for Pieces {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let next = if self.events > 0 {
            self.events -= 1;
            Some(self.event)
        } else {
            self.end.take()
        };
        Poll::Ready(next.map(|bytes| Ok(Bytes::from_static(bytes))))
    }
}

/// Allocations of one request, after some that were only to warm up.
fn allocations(runtime: &Runtime, events: usize, body: &str) -> u64 {
    let rig = runtime.block_on(Rig::over(Arc::new(Instant { events }), TWO_ACCOUNTS, KeySpec::default()));
    let serve = || {
        let inbound = rig.inbound(trunkline_domain::Dialect::OpenaiChat, body);
        allocation_counter::measure(|| {
            let answer = runtime.block_on(rig.engine.serve(inbound)).unwrap();
            runtime.block_on(crate::rig::drop_all(answer.body));
        })
        .count_total
    };
    (0..5).map(|_| serve()).min().unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_small_request_stays_within_its_budget() {
    let taken = allocations(&runtime(), 0, &ask("acme/m"));
    assert!(taken <= WHOLE_MAX, "{taken} allocations, {WHOLE_MAX} are budgeted");
}

#[test]
fn an_event_of_a_stream_stays_within_its_budget() {
    let runtime = runtime();
    let few = allocations(&runtime, 10, &ask_stream("acme/m"));
    let many = allocations(&runtime, 110, &ask_stream("acme/m"));
    let each = (many - few) / 100;
    assert!(
        each <= EVENT_MAX,
        "{each} allocations an event ({few} for 10, {many} for 110), {EVENT_MAX} are budgeted"
    );
}
