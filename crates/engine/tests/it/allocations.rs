//! The allocation budget: what a relayed request may ask of the allocator inside the engine, from the parsed head to the
//! last byte of the answer, journal included. Whoever raises a figure says why. And what a recast event asks of it: the
//! same early and late in a stream, and in a short conversation and a long one.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};
use trunkline_domain::Dialect;
use trunkline_engine::inbound::{Inbound, PathFacts};
use trunkline_engine::mint::KeySpec;
use trunkline_upstream::dispatch::{
    BodyError, ByteStream, Call, Dispatch, DispatchFuture, Response, ResponseBytes,
};

use trunkline_wire::gemini::path::Framing;

use crate::rig::{Rig, TWO_ACCOUNTS, ask, ask_stream};

/// A small request and a whole answer.
const WHOLE_MAX: u64 = 64;
/// One more event of a stream.
const EVENT_MAX: u64 = 1;

const ANSWER: &[u8] = br#"{"id":"c-1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const EVENT: &[u8] = b"data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n";
const END: &[u8] = b"data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\ndata: [DONE]\n\n";

/// A provider's stream: how it begins, an event that comes again and again, and how it ends.
#[derive(Clone, Copy)]
struct Stream {
    begin: Option<&'static [u8]>,
    event: &'static [u8],
    end: &'static [u8],
}

const OPENAI: Stream = Stream { begin: None, event: EVENT, end: END };
/// As in `fixtures/providers/anthropic/chat/stream`.
const ANTHROPIC: Stream = Stream {
    begin: Some(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-1\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"),
    event: b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}\n\n",
    end: b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
};
/// As in `fixtures/providers/gemini/chat/stream`.
const GEMINI: Stream = Stream {
    begin: None,
    event: b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" word\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,\"totalTokenCount\":9},\"modelVersion\":\"m-1\",\"responseId\":\"r-1\"}\n\n",
    end: b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\".\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":2,\"totalTokenCount\":11},\"modelVersion\":\"m-1\",\"responseId\":\"r-1\"}\n\n",
};

/// Answers at once, from constants, with so many events where a stream is asked for.
struct Instant {
    stream: Stream,
    events: usize,
    pace: Pace,
}

/// How the pieces of a stream come.
#[derive(Clone, Copy)]
enum Pace {
    /// All are there at once, and may be handed on together.
    Together,
    /// Each after a moment in which nothing is there.
    Apart,
}

impl Dispatch for Instant {
    fn dispatch(&self, call: Call) -> DispatchFuture<'_> {
        let streamed = call.path.contains(":streamGenerateContent")
            || call.body.segments().iter().any(|part| part.windows(8).any(|text| text == b"\"stream\""));
        let kind = if streamed { "text/event-stream" } else { "application/json" };
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let body = if streamed {
            let Stream { begin, event, end } = self.stream;
            let waits = matches!(self.pace, Pace::Apart).then_some(false);
            Pieces { begin, event, events: self.events, end: Some(end), waits }
        } else {
            Pieces { begin: None, event: &[], events: 0, end: Some(ANSWER), waits: None }
        };
        let response = Response { status: 200, headers, body: ResponseBytes::new(body), address: None };
        Box::pin(std::future::ready(Ok(response)))
    }
}

struct Pieces {
    begin: Option<&'static [u8]>,
    event: &'static [u8],
    events: usize,
    end: Option<&'static [u8]>,
    /// Whether the next one is to be waited for, where any are.
    waits: Option<bool>,
}

impl ByteStream for Pieces {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(waits) = &mut self.waits {
            *waits = !*waits;
            if *waits {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let next = if self.begin.is_some() {
            self.begin.take()
        } else if self.events > 0 {
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
    let rig = runtime.block_on(Rig::over(
        Arc::new(Instant { stream: OPENAI, events, pace: Pace::Together }),
        TWO_ACCOUNTS,
        KeySpec::default(),
    ));
    let serve = || {
        let inbound = rig.inbound(Dialect::OpenaiChat, body);
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

/// Who calls, and how the conversation is written.
#[derive(Clone, Copy, Debug)]
enum Caller {
    Openai,
    Anthropic,
    Gemini,
}

impl Caller {
    /// A request for a stream, with so many messages.
    fn inbound(self, rig: &Rig, messages: usize) -> Inbound {
        let turn = |number: usize| match (self, number.is_multiple_of(2)) {
            (Self::Openai | Self::Anthropic, true) => r#"{"role":"user","content":"turn"}"#,
            (Self::Openai | Self::Anthropic, false) => r#"{"role":"assistant","content":"turn"}"#,
            (Self::Gemini, true) => r#"{"role":"user","parts":[{"text":"turn"}]}"#,
            (Self::Gemini, false) => r#"{"role":"model","parts":[{"text":"turn"}]}"#,
        };
        let turns: Vec<&str> = (0..messages).map(turn).collect();
        let turns = turns.join(",");
        let chat = format!(r#"{{"model":"acme/m","stream":true,"max_tokens":64,"messages":[{turns}]}}"#);
        match self {
            Self::Openai => rig.inbound(Dialect::OpenaiChat, &chat),
            Self::Anthropic => rig.inbound(Dialect::AnthropicMessages, &chat),
            Self::Gemini => {
                let mut inbound =
                    rig.inbound(Dialect::GeminiGenerate, &format!(r#"{{"contents":[{turns}]}}"#));
                inbound.path = Some(PathFacts { model: "acme/m".into(), stream: Some(Framing::Sse) });
                inbound
            }
        }
    }
}

/// An account of a kind that answers with its dialect's stream.
fn account(kind: &str) -> String {
    format!(
        r#"
        [providers.east]
        kind = "{kind}"
        base_url = "http://east.test/v1"
        api_key = {{ env = "KEY" }}
        models = [{{ id = "m-1", name = "acme/m", context_window = 100000, output_max = 1000, input_usd_per_million = 1, output_usd_per_million = 10 }}]
        "#
    )
}

/// What some frames of an answer asked of the allocator: how often, and how many bytes.
type Asked = (u64, u64);

/// What the frames after the first `skipped` asked for, 100 of them; the least of some streams, since others work on the
/// same thread now and then.
fn hundred_frames(runtime: &Runtime, rig: &Rig, caller: Caller, messages: usize, skipped: usize) -> Asked {
    let serve = || {
        let inbound = caller.inbound(rig, messages);
        runtime.block_on(async {
            let mut body = rig.engine.serve(inbound).await.map_err(|refusal| refusal.error).unwrap().body;
            for _ in 0..skipped {
                body.frame().await.unwrap().unwrap();
            }
            let (mut count, mut bytes) = (0, 0);
            for _ in 0..100 {
                let mut frame = pin!(body.frame());
                let frame = poll_fn(|context| {
                    let mut polled = Poll::Pending;
                    let asked = allocation_counter::measure(|| polled = frame.as_mut().poll(context));
                    (count, bytes) = (count + asked.count_total, bytes + asked.bytes_total);
                    polled
                });
                frame.await.unwrap().unwrap();
            }
            crate::rig::drop_all(body).await;
            (count, bytes)
        })
    };
    (0..3).map(|_| serve()).min().unwrap()
}

#[test]
fn a_recast_event_costs_the_same_early_and_late_and_however_long_the_conversation() {
    let runtime = runtime();
    let providers = [("custom", OPENAI), ("anthropic", ANTHROPIC), ("gemini", GEMINI)];
    for ((kind, stream), caller) in providers.into_iter().flat_map(|provider| {
        [Caller::Openai, Caller::Anthropic, Caller::Gemini].map(|caller| (provider, caller))
    }) {
        let network = Arc::new(Instant { stream, events: 1_200, pace: Pace::Apart });
        let rig = runtime.block_on(Rig::over(network, &account(kind), KeySpec::default()));
        let asked = [(20, 10), (20, 1_000), (400, 10), (400, 1_000)]
            .map(|(messages, skipped)| hundred_frames(&runtime, &rig, caller, messages, skipped));
        assert!(asked.iter().all(|one| *one == asked[0]), "{caller:?} at {kind}: {asked:?}");
    }
}
