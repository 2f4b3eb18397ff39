//! Tests of the wire crate through its public seam: one binary, one file a subject.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail loudly, like the tests")]

mod annotate;
mod anthropic;
mod envelope;
mod errors;
mod gemini;
mod recast;
mod relay;
mod responses;
mod skim;
mod splice;
mod sse;
mod state;
mod stream;
mod usage;

use bytes::Bytes;
use trunkline_wire::envelope::Envelope;

/// The envelope of a request that must be one.
fn envelope(body: &str) -> Envelope {
    Envelope::parse(Bytes::copy_from_slice(body.as_bytes())).expect(body)
}
