//! The envelope of a request: its spans are in the body and hold JSON, its names are each there once, and it takes nothing
//! that a JSON parser refuses.

use std::collections::HashSet;

use bytes::Bytes;
use serde_json::value::RawValue;
use trunkline_wire::envelope::Envelope;

pub(crate) fn check(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let envelope = match Envelope::parse(body.clone()) {
        Ok(envelope) => envelope,
        Err(error) => {
            assert!(error.offset <= data.len(), "{error}");
            assert!(error.line >= 1 && error.column >= 1, "{error}");
            return;
        }
    };
    assert_eq!(envelope.body(), &body);
    let names: Vec<&str> = envelope.fields().collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "a name twice: {names:?}");
    for name in names {
        let raw = envelope.raw(name).expect("a field has a value");
        assert!(serde_json::from_str::<&RawValue>(raw).is_ok(), "{name} is no JSON: {raw}");
        assert_eq!(envelope.value(name).as_deref(), Some(raw.as_bytes()));
        // What reads a value says the same as a parser.
        if let Some(text) = envelope.string(name) {
            assert_eq!(serde_json::from_str::<String>(raw).ok().as_deref(), Some(&*text), "{name}");
        }
        if let Some(number) = envelope.unsigned(name) {
            assert_eq!(serde_json::from_str::<u64>(raw).ok(), Some(number), "{name}");
        }
    }
}
