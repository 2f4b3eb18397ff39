//! The `sandbox` provider: simulated models that live in this process and answer over the same seam as any provider.
//! With it a person without a single key sees chat, streams, tools, failover and costs work.
//!
//! What it is: a [`Dispatch`] that answers `POST /chat/completions`, `/completions`, `/embeddings` and `GET /models`
//! in OpenAI's shapes, at a human pace, with usage counted by one rule ([`tokens`]). Its failures are a real
//! provider's: statuses with error bodies, error events inside a 200, bodies that break off. What it is not: a model
//! (every answer says that it is simulated), and no place for prices, which live in the catalogue.
//!
//! Time is tokio's, so tests pause it. Chance comes from a seed: what is said depends on the question too, so streamed
//! and buffered say the same; what goes wrong depends on the request's bytes and the number of the call, so the same
//! calls in the same order fare alike, and a retry of the same request may fare better.
//!
//! Shapes are those of the API reference <https://platform.openai.com/docs/api-reference>, read in the form of the
//! official Python SDK 3.57 (`openai/types/chat/chat_completion{,_chunk,_message}.py`, `completion.py`,
//! `completion_usage.py`, `create_embedding_response.py`, `model.py`, `shared/error_object.py`).
//! `reasoning_content` is DeepSeek's name: <https://api-docs.deepseek.com/guides/reasoning_model>.
//!
//! Where to look first: [`model::MODELS`] (who is there and how each behaves), then [`reply`] (how a call is answered).

#![expect(
    clippy::disallowed_methods,
    reason = "answers are made with `json!`, which calls `to_value` on literals and numbers: nothing is lost"
)]
#![expect(clippy::wildcard_enum_match_arm, reason = "JSON of any other kind is refused, or ignored, as one")]

mod answer;
mod ask;
mod chance;
mod embed;
mod error;
mod model;
mod pace;
mod render;
mod reply;
mod schema;
mod text;
mod tokens;

use std::sync::atomic::{AtomicU64, Ordering};

use trunkline_domain::attempt::Cause;

use crate::dispatch::{Call, Dispatch, DispatchError, DispatchFuture, Response, ResponseBytes};

pub use model::{MODELS, SandboxModel};

/// The simulated provider.
#[derive(Debug)]
pub struct Sandbox {
    seed: u64,
    calls: AtomicU64,
}

impl Sandbox {
    /// A sandbox whose choices all come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, calls: AtomicU64::new(0) }
    }
}

impl Dispatch for Sandbox {
    fn dispatch(&self, call: Call) -> DispatchFuture<'_> {
        let turn = self.calls.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let deadline = call.headers_timeout;
            let body = call.body.to_bytes();
            let reply = reply::reply(&reply::Request {
                method: &call.method,
                path: &call.path,
                body: &body,
                seed: self.seed,
                turn,
            });
            if reply.head_after > deadline {
                tokio::time::sleep(deadline).await;
                return Err(DispatchError {
                    cause: Cause::HeadersTimeout,
                    message: format!("no response within {} ms", deadline.as_millis()),
                });
            }
            tokio::time::sleep(reply.head_after).await;
            Ok(Response {
                status: reply.status,
                headers: reply.headers,
                body: ResponseBytes::new(pace::Paced::new(reply.pieces)),
                address: None,
            })
        })
    }
}

#[cfg(test)]
mod tests;
