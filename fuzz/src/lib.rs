//! What must hold whatever bytes a caller or a provider sends: each target takes any bytes and panics where a promise of
//! `trunkline-wire` is broken.
//!
//! What it is: promises, in functions that know nothing of who calls them. What it is not: a fuzzer. `fuzz/run` builds
//! `main.rs` around libFuzzer and looks for bytes that break a promise; `tests/` puts every fixture to every target.
//!
//! Where to look first: [`TARGETS`].

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a target panics where a promise is broken: that is what it is for"
)]

mod answers;
mod dice;
mod envelope;
mod framing;
mod http1;
mod relay;
mod requests;
mod splice;
mod streams;

use trunkline_domain::Dialect;
use trunkline_wire::codec::Codec;
use trunkline_wire::quirks::{DoneMarker, Quirks, StreamUsage, UsageConvention};
use trunkline_wire::recast::ChatCodec;
use trunkline_wire::{chat_codec_for, codec_for};

/// A target: takes any bytes, and panics where a promise is broken.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("envelope", envelope::check),
    ("framing", framing::check),
    ("http1", http1::check),
    ("splice", splice::check),
    ("relay", relay::check),
    ("requests", requests::check),
    ("answers", answers::check),
    ("streams", streams::check),
];

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// Servers that differ: the strictest, and one that differs in all that matters to a reader.
const SERVERS: [Quirks; 2] = [
    Quirks::REFERENCE,
    Quirks {
        unsupported: &["logprobs", "user"],
        renamed: &[("max_completion_tokens", "max_tokens")],
        stream_usage: StreamUsage::Always,
        done_marker: DoneMarker::Optional,
        usage: UsageConvention::DeepSeek,
        reasoning_field: Some("reasoning_content"),
        ..Quirks::REFERENCE
    },
];

/// The codecs that relay, each once.
fn codecs() -> impl Iterator<Item = &'static dyn Codec> {
    let of = |dialect| (dialect, codec_for(dialect));
    let own = |(dialect, codec): (Dialect, &'static dyn Codec)| (codec.dialect() == dialect).then_some(codec);
    Dialect::ALL.iter().copied().map(of).filter_map(own)
}

/// The codecs that recast, each once.
fn chat_codecs() -> impl Iterator<Item = &'static dyn ChatCodec> {
    Dialect::ALL.iter().filter_map(|dialect| chat_codec_for(*dialect))
}
