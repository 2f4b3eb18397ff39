//! Edits of a body: they do what they say, the result is an object without a name twice, and undoing them gives the
//! original.

use bytes::Bytes;
use trunkline_wire::envelope::Envelope;
use trunkline_wire::splice::{Edit, EditValue, splice};

use crate::dice::Dice;

/// Names to edit that a body may or may not have.
const NAMES: [&str; 4] = ["model", "max_tokens", "stream_options", "\"\u{7f}é"];

/// Values to put in.
const VALUES: [&str; 4] = ["7", "\"x\\\"y\"", "{\"a\":[1,null]}", "null"];

pub(crate) fn check(data: &[u8]) {
    let Ok(envelope) = Envelope::parse(Bytes::copy_from_slice(data)) else {
        return;
    };
    let edits = edits(&mut Dice::of(data), &envelope);
    let edited = apply(&envelope, &edits);
    for edit in &edits {
        let expected = last(&edits, edit.field()).value().map(EditValue::as_bytes);
        assert_eq!(edited.raw_bytes(edit.field()), expected, "{edits:?}");
    }
    let untouched = |name: &&str| edits.iter().all(|edit| edit.field() != *name);
    for name in envelope.fields().filter(untouched) {
        assert_eq!(edited.raw(name), envelope.raw(name), "{name} was not to be touched");
    }
    let undone = apply(&edited, &edits.iter().map(|edit| undo(&envelope, edit)).collect::<Vec<_>>());
    if edits.iter().any(|edit| edit.value().is_none() && envelope.contains(edit.field())) {
        // What was removed comes back at the end.
        assert_eq!(values(&undone), values(&envelope));
    } else {
        assert_eq!(undone.body(), envelope.body(), "{edits:?}");
    }
}

/// Up to four edits, of fields that are there and of others.
fn edits(dice: &mut Dice, envelope: &Envelope) -> Vec<Edit> {
    let names: Vec<String> = envelope.fields().chain(NAMES).map(str::to_owned).collect();
    (0..dice.below(5))
        .map(|_| {
            let field = names[dice.below(names.len())].clone();
            let value = EditValue::json(VALUES[dice.below(VALUES.len())]);
            match dice.below(3) {
                0 => Edit::remove(field),
                1 => Edit::insert(field, value),
                _ => Edit::replace(field, value),
            }
        })
        .collect()
}

fn last<'a>(edits: &'a [Edit], field: &str) -> &'a Edit {
    edits.iter().rfind(|edit| edit.field() == field).expect("the edit itself")
}

/// The edit that puts a field back.
fn undo(original: &Envelope, edit: &Edit) -> Edit {
    let field = edit.field().to_owned();
    match original.value(&field) {
        Some(value) => Edit::replace(field, EditValue::json(value)),
        None => Edit::remove(field),
    }
}

fn apply(envelope: &Envelope, edits: &[Edit]) -> Envelope {
    let spliced = splice(envelope, edits);
    assert!(spliced.segments().iter().all(|segment| !segment.is_empty()));
    let body = spliced.to_bytes();
    assert_eq!(spliced.len(), body.len());
    Envelope::parse(body.clone()).unwrap_or_else(|error| panic!("{edits:?} made {body:?}: {error}"))
}

/// Names and values as written, in an order of their own.
fn values(envelope: &Envelope) -> Vec<(&str, Option<&str>)> {
    let mut values: Vec<_> = envelope.fields().map(|name| (name, envelope.raw(name))).collect();
    values.sort_unstable();
    values
}
