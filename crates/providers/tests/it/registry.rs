//! What holds of every provider.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use trunkline_domain::Dialect;
use trunkline_providers::registry::{ALL, by_id};
use trunkline_providers::spec::{BaseUrl, Proof, ProviderSpec};

use crate::case::{Case, Provenance};

/// Files of `src` that are no provider.
const SUPPORT: &[&str] = &["adapter", "classify", "lib", "local_server", "rate_limits", "registry", "spec"];

#[test]
fn every_provider_has_a_file_of_its_name_and_every_file_a_provider() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: BTreeSet<String> = fs::read_dir(source)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !SUPPORT.contains(&name.as_str()))
        .collect();
    let ids: BTreeSet<String> = ALL.iter().map(|spec| spec.id.to_owned()).collect();
    assert_eq!(ids, files);
    assert_eq!(ids.len(), ALL.len(), "ids are unique");
}

#[test]
fn providers_are_found_by_id() {
    for spec in ALL {
        assert_eq!(by_id(spec.id), Some(*spec));
    }
    assert_eq!(by_id("no-such-provider"), None);
}

#[test]
fn specs_are_well_formed() {
    for spec in ALL {
        let id = spec.id;
        assert!(spec.docs.starts_with("https://"), "{id}: docs");
        assert!(!spec.name.is_empty() && !spec.otel.is_empty() && !spec.catalogue.is_empty(), "{id}: names");
        assert!(!spec.apis.is_empty(), "{id}: serves nothing");
        let paths = spec.apis.iter().map(|api| api.path).chain(spec.listing.map(|listing| listing.path));
        for path in paths {
            assert!(path.starts_with('/') && !path.ends_with('/'), "{id}: {path}");
        }
        match spec.base_url {
            BaseUrl::Fixed(url) | BaseUrl::PerCustomer(url) => {
                assert!(url.starts_with("https://") && !url.ends_with('/'), "{id}: {url}");
            }
            BaseUrl::Local { url, .. } => {
                assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with('/'), "{id}: {url}");
            }
            BaseUrl::InProcess => assert!(spec.env.is_empty() && spec.listing.is_none(), "{id}"),
        }
    }
}

#[test]
fn a_variable_names_one_provider() {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for spec in ALL {
        for variable in spec.env {
            if let Some(other) = owners.insert(variable, spec.id) {
                panic!("{variable} names {other} and {}", spec.id);
            }
        }
    }
}

#[test]
fn a_proven_provider_has_an_answer_a_stream_usage_and_an_error() {
    let cases = Case::all();
    for spec in ALL.iter().filter(|spec| needs_fixtures(spec)) {
        let of_it: Vec<_> = cases.iter().filter(|case| case.spec == *spec).collect();
        let has = |what: &str, found: &dyn Fn(&Case) -> bool| {
            assert!(of_it.iter().any(|case| found(case)), "{}: no case with {what}", spec.id);
        };
        has("a buffered answer", &|case| !case.facts.stream && case.expected.cause.is_none());
        has("a stream", &|case| case.facts.stream && case.expected.cause.is_none());
        has("usage", &|case| case.expected.usage.is_some());
        has("an error", &|case| case.expected.cause.is_some());
    }
}

/// The sandbox is proven by the code that answers in its place, a dialect that is never relayed by its own fixtures.
fn needs_fixtures(spec: &ProviderSpec) -> bool {
    let recast =
        |dialect| matches!(dialect, Dialect::BedrockConverse | Dialect::CohereChat | Dialect::OllamaChat);
    spec.proof == Proof::Proven
        && spec.base_url != BaseUrl::InProcess
        && !spec.apis.iter().all(|api| recast(api.dialect))
}

#[test]
fn cases_lie_where_their_provider_serves_them_and_say_where_they_come_from() {
    for case in Case::all() {
        let api = case.spec.apis.iter().find(|api| api.dialect == case.facts.ingress);
        let operation = api.unwrap_or_else(|| panic!("{}: not served", case.name)).operation;
        assert_eq!(operation.as_str(), case.operation, "{}", case.name);
        assert!(!case.facts.note.is_empty(), "{}: what is it for?", case.name);
        match &case.facts.provenance {
            Provenance::Documented { url } => assert!(url.starts_with("https://"), "{}: {url}", case.name),
            Provenance::SdkSource { path: source }
            | Provenance::Recorded { from: source }
            | Provenance::Constructed { from: source } => assert!(!source.is_empty(), "{}", case.name),
        }
    }
}
