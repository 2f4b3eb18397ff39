//! What providers say when they refuse or fail, as their pages, SDKs and users quote it: every row of
//! `fixtures/errors/` means what it says there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use http::HeaderMap;
use serde::Deserialize;
use trunkline_domain::attempt::Cause;
use trunkline_domain::{Dialect, UnixMs};
use trunkline_providers::adapter::ErrorAnswer;
use trunkline_providers::classify::{Classified, ClassifiedBy, classify};
use trunkline_providers::registry;
use trunkline_providers::spec::ProviderSpec;
use trunkline_wire::codec_for;

/// A file of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    error: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    about: String,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    dialect: Option<Dialect>,
    body: String,
    cause: Cause,
    retry_after_ms: Option<u64>,
    #[serde(default)]
    by: By,
    kind: Kind,
    source: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum By {
    #[default]
    Words,
    Status,
}

/// Where the body comes from; `fixtures/errors/README.md` says what each is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Documented,
    DocumentedShape,
    SdkSource,
    Thread,
    ThreadShape,
}

fn rows() -> Vec<(&'static ProviderSpec, Row)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/errors");
    let mut rows = Vec::new();
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let id = file.file_stem().unwrap().to_str().unwrap();
        let spec = registry::by_id(id).unwrap_or_else(|| panic!("{id} is no provider"));
        let text = fs::read_to_string(&file).unwrap();
        let Rows { error } = toml::from_str(&text).unwrap_or_else(|error| panic!("{id}: {error}"));
        rows.extend(error.into_iter().map(|row| (spec, row)));
    }
    rows
}

#[test]
fn every_documented_error_means_what_its_row_says() {
    let mut wrong = Vec::new();
    for (spec, row) in rows() {
        let dialect = row.dialect.unwrap_or(spec.apis[0].dialect);
        let words = codec_for(dialect).read_error(row.body.as_bytes());
        let pair = |(name, value): (&String, &String)| (name.parse().unwrap(), value.parse().unwrap());
        let headers: HeaderMap = row.headers.iter().map(pair).collect();
        let answer =
            ErrorAnswer { status: row.status, headers: &headers, words: words.as_ref(), now: UnixMs(0) };
        let Classified { error, by } = classify(spec, &answer);
        let by = if by == ClassifiedBy::Words { By::Words } else { By::Status };
        let waits_ms = error.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap());
        if (error.cause, by, waits_ms) != (row.cause, row.by, row.retry_after_ms) {
            wrong.push(format!("{}: {:?} {by:?} {waits_ms:?} for {row:#?}", spec.id, error.cause));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_row_names_where_it_was_read_and_shows_no_secret() {
    let rows = rows();
    assert!(rows.len() >= 150, "{} rows", rows.len());
    for (spec, row) in rows {
        let named = row.source.starts_with("https://")
            || row.source.starts_with("github.com/")
            || row.source.starts_with("seen from ");
        assert!(named, "{}: {}", spec.id, row.source);
        let of_a_thread = matches!(row.kind, Kind::Thread | Kind::ThreadShape);
        assert_eq!(of_a_thread, row.source.starts_with("https://github.com/"), "{}: {row:?}", spec.id);
        assert!(row.about.ends_with('.'), "{}: {}", spec.id, row.about);
        let secret = |word: &str| {
            word.len() >= 16
                && word.chars().filter(char::is_ascii_digit).count() > 2
                && word.contains(char::is_alphabetic)
        };
        let mut words = row.body.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(!words.any(secret), "{}: {}", spec.id, row.body);
    }
}
