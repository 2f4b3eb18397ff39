//! A request recast: what can be read can be written for any dialect or is refused by name; what is written is a request;
//! and a request that lost nothing on the way to its own dialect reads the same again.

use bytes::Bytes;
use serde_json::Value;
use trunkline_domain::chat::ChatRequest;
use trunkline_wire::codec::FieldError;
use trunkline_wire::envelope::Envelope;
use trunkline_wire::quirks::Quirks;
use trunkline_wire::recast::{ChatCodec, EncodeTarget, Losses};

use crate::{SERVERS, chat_codecs};

pub(crate) fn check(data: &[u8]) {
    let Ok(envelope) = Envelope::parse(Bytes::copy_from_slice(data)) else {
        return;
    };
    let plain = has_plain_names(data);
    for from in chat_codecs() {
        let request = match from.decode_request(&envelope) {
            Ok(request) => request,
            Err(error) => {
                check_refusal(&error);
                continue;
            }
        };
        for to in chat_codecs() {
            for quirks in &SERVERS {
                let Some((written, losses)) = write(to, &request, quirks) else {
                    continue;
                };
                let again = to.decode_request(&written).unwrap_or_else(|error| {
                    panic!("{:?} cannot read what it wrote: {error}\n{:?}", to.dialect(), written.body())
                });
                let own = plain && to.dialect() == from.dialect() && *quirks == Quirks::REFERENCE;
                if own && losses.is_empty() {
                    let twice = write(to, &again, quirks).map(|(written, _)| written.body().clone());
                    assert!(
                        twice.as_ref().is_some_and(|twice| same(written.body(), twice)),
                        "written once {:?}\nand twice {twice:?}",
                        written.body()
                    );
                }
            }
        }
    }
}

fn write(to: &dyn ChatCodec, request: &ChatRequest, quirks: &Quirks) -> Option<(Envelope, Losses)> {
    let target = EncodeTarget {
        model: &request.model,
        quirks,
        stream: request.stream,
        output_cap: None,
        output_max: Some(4_096),
        minter: None,
    };
    let mut losses = Losses::default();
    let body = match to.encode_request(request, &target, &mut losses) {
        Ok(body) => body,
        Err(error) => {
            check_refusal(&error);
            return None;
        }
    };
    let envelope = Envelope::parse(body.clone())
        .unwrap_or_else(|error| panic!("{:?} wrote {body:?}: {error}", to.dialect()));
    Some((envelope, losses))
}

fn check_refusal(error: &FieldError) {
    assert!(!error.message.is_empty(), "a refusal without a word about {}", error.field);
}

/// Whether no member's name has a dot: a dot is how the canonical form tells members of members.
fn has_plain_names(data: &[u8]) -> bool {
    fn plain(value: &Value) -> bool {
        match value {
            Value::Array(elements) => elements.iter().all(plain),
            Value::Object(members) => members.iter().all(|(name, value)| !name.contains('.') && plain(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }
    serde_json::from_slice(data).is_ok_and(|value| plain(&value))
}

/// Whether two texts say the same, but for the last digits of numbers that have more of them than are kept.
fn same(one: &[u8], other: &[u8]) -> bool {
    fn alike(one: &Value, other: &Value) -> bool {
        match (one, other) {
            (Value::Number(one), Value::Number(other)) => {
                let (one, other) = (one.as_f64().unwrap_or_default(), other.as_f64().unwrap_or_default());
                (one - other).abs() <= one.abs() * 1e-12
            }
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
            }
            (Value::Object(one), Value::Object(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && alike(one.1, other.1))
            }
            (one, other) => one == other,
        }
    }
    match (serde_json::from_slice(one), serde_json::from_slice(other)) {
        (Ok(one), Ok(other)) => alike(&one, &other),
        (Err(_), Err(_)) => one == other,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}
