//! Edits do what they say and nothing else.

use bytes::Bytes;
use proptest::prelude::*;
use trunkline_wire::envelope::Envelope;
use trunkline_wire::splice::{Edit, EditValue, splice};

use crate::envelope;

fn spliced(body: &str, edits: &[Edit]) -> String {
    let spliced = splice(&envelope(body), edits);
    assert_eq!(spliced.len(), spliced.to_bytes().len());
    assert!(spliced.segments().iter().all(|segment| !segment.is_empty()));
    String::from_utf8(spliced.to_bytes().to_vec()).unwrap()
}

fn replace(field: &'static str, json: &'static str) -> Edit {
    Edit::replace(field, EditValue::json(json))
}

fn insert(field: &'static str, json: &'static str) -> Edit {
    Edit::insert(field, EditValue::json(json))
}

#[test]
fn edits_touch_only_what_they_name() {
    let body = "{ \"a\" : 1 ,\n \"b\":[2.0], \"c\" :\"x\" }\n";
    for (edits, expected) in [
        (vec![], body),
        (vec![replace("b", "0")], "{ \"a\" : 1 ,\n \"b\":0, \"c\" :\"x\" }\n"),
        (vec![insert("d", "true")], "{ \"a\" : 1 ,\n \"b\":[2.0], \"c\" :\"x\",\"d\":true }\n"),
        (vec![Edit::remove("a")], "{ \"b\":[2.0], \"c\" :\"x\" }\n"),
        (vec![Edit::remove("b")], "{ \"a\" : 1, \"c\" :\"x\" }\n"),
        (vec![Edit::remove("c")], "{ \"a\" : 1 ,\n \"b\":[2.0] }\n"),
        (vec![Edit::remove("a"), Edit::remove("b")], "{ \"c\" :\"x\" }\n"),
        (vec![Edit::remove("b"), Edit::remove("c")], "{ \"a\" : 1 }\n"),
        (vec![Edit::remove("a"), Edit::remove("c")], "{ \"b\":[2.0] }\n"),
        (vec![Edit::remove("a"), Edit::remove("b"), Edit::remove("c")], "{  }\n"),
        (vec![Edit::remove("a"), Edit::remove("b"), Edit::remove("c"), insert("d", "1")], "{ \"d\":1 }\n"),
        (
            vec![Edit::remove("c"), insert("d", "1"), replace("a", "2")],
            "{ \"a\" : 2 ,\n \"b\":[2.0],\"d\":1 }\n",
        ),
    ] {
        assert_eq!(spliced(body, &edits), expected, "{edits:?}");
    }
}

#[test]
fn no_edit_makes_a_duplicate_key() {
    assert_eq!(spliced(r#"{"a":1}"#, &[insert("a", "2")]), r#"{"a":2}"#);
    assert_eq!(spliced(r#"{"\u0061":1}"#, &[replace("a", "2")]), r#"{"\u0061":2}"#);
    assert_eq!(spliced("{}", &[insert("a", "1"), replace("a", "2")]), r#"{"a":2}"#);
    assert_eq!(spliced(r#"{"a":1}"#, &[replace("a", "2"), Edit::remove("a")]), "{}");
    assert_eq!(spliced(r#"{"b":1}"#, &[Edit::remove("a")]), r#"{"b":1}"#);
}

#[test]
fn the_callers_bytes_are_not_copied() {
    let body = Bytes::from_static(br#"{"model":"a","messages":[]}"#);
    let spliced =
        splice(&Envelope::parse(body.clone()).unwrap(), &[Edit::replace("model", EditValue::string("b\"c"))]);
    let own = body.as_ptr_range();
    let segments = spliced.clone().into_segments();
    assert_eq!(segments.len(), 3);
    assert!(own.contains(&segments[0].as_ptr()) && own.contains(&segments[2].as_ptr()));
    assert_eq!(segments[1].as_ref(), br#""b\"c""#);
    assert_eq!(format!("{spliced:?}"), format!("SplicedBody({} bytes in 3 segments)", spliced.len()));
}

#[test]
fn edits_bear_names_and_keep_their_values_to_themselves() {
    let edit = Edit::Replace {
        field: "stream_options".into(),
        member: Some("include_usage"),
        value: EditValue::json("{}"),
    };
    assert_eq!(edit.name(), "stream_options.include_usage");
    assert_eq!(Edit::remove("models").name(), "models");
    assert!(!format!("{:?}", Edit::insert("user", EditValue::string("canary"))).contains("canary"));
}

/// A body with these members, white space at random, and the members.
fn body() -> impl Strategy<Value = (String, Vec<(String, String)>)> {
    let space = prop::sample::select(vec!["", " ", "\n\t"]);
    let value =
        prop::sample::select(vec!["1", "\"x\"", "[1, 2]", "{\"k\": {}}", "null", "1e3", "\"\\u0041,}\""]);
    let member = ("[a-h]", value, space.clone(), space.clone(), space);
    prop::collection::vec(member, 0..8).prop_map(|members| {
        let mut seen = Vec::<(String, String)>::new();
        let mut text = Vec::new();
        for (key, value, before, between, after) in members {
            if seen.iter().all(|(other, _)| *other != key) {
                text.push(format!("{before}\"{key}\"{between}:{between}{value}{after}"));
                seen.push((key, value.to_owned()));
            }
        }
        (format!(" {{{}}} ", text.join(",")), seen)
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let field = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "y", "z"]);
    (field, 0..3_u8, 0..1000_u64).prop_map(|(field, kind, number)| match kind {
        0 => Edit::replace(field, EditValue::number(number)),
        1 => Edit::insert(field, EditValue::number(number)),
        _ => Edit::remove(field),
    })
}

proptest! {
    #[test]
    fn a_spliced_body_holds_what_the_edits_say((body, members) in body(), edits in prop::collection::vec(edit(), 0..6)) {
        let mut expected = members;
        for edit in &edits {
            let place = expected.iter().position(|(key, _)| key == edit.field());
            let value = edit.value().map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap());
            match (place, value) {
                (Some(place), Some(value)) => expected[place].1 = value,
                (Some(place), None) => drop(expected.remove(place)),
                (None, Some(value)) => expected.push((edit.field().to_owned(), value)),
                (None, None) => {}
            }
        }
        let spliced = envelope(&spliced(&body, &edits));
        let mut found: Vec<_> =
            spliced.fields().map(|name| (name.to_owned(), spliced.raw(name).unwrap().to_owned())).collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn edits_undone_give_back_the_callers_bytes((body, _) in body(), edits in prop::collection::vec(edit(), 0..6)) {
        let before = envelope(&body);
        let edits: Vec<_> = edits.into_iter().filter(|edit| edit.value().is_some()).collect();
        let after = Envelope::parse(splice(&before, &edits).to_bytes()).unwrap();
        let undo: Vec<_> = edits.iter().map(|edit| {
            let field = edit.field().to_owned();
            match before.value(&field) {
                Some(value) => Edit::replace(field, EditValue::json(value)),
                None => Edit::remove(field),
            }
        }).collect();
        prop_assert_eq!(splice(&after, &undo).to_bytes(), body.as_bytes());
    }
}
