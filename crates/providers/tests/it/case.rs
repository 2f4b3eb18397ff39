//! A fixture case as it lies in `fixtures/providers/<id>/<operation>/<case>/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use trunkline_domain::attempt::Cause;
use trunkline_domain::{Dialect, Usage};
use trunkline_providers::registry;
use trunkline_providers::spec::ProviderSpec;

pub(crate) struct Case {
    /// `<id>/<operation>/<case>`.
    pub(crate) name: String,
    pub(crate) spec: &'static ProviderSpec,
    pub(crate) operation: String,
    pub(crate) facts: Facts,
    pub(crate) request: Bytes,
    pub(crate) upstream_request: Bytes,
    pub(crate) response: Bytes,
    pub(crate) expected: Expected,
}

/// `case.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    pub(crate) ingress: Dialect,
    pub(crate) stream: bool,
    pub(crate) upstream_model: String,
    #[serde(default = "success")]
    pub(crate) status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    pub(crate) note: String,
    pub(crate) provenance: Provenance,
}

/// Where a case comes from.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Provenance {
    /// Shown on a page of the provider's.
    Documented { url: String },
    /// A fixture, test or type in an SDK or in the server's own source.
    SdkSource { path: String },
    /// Seen from the server.
    Recorded { from: String },
    /// Written from a schema or a description.
    Constructed { from: String },
}

/// `expected.json`: an answer's facts, or an error's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) withhold_usage: bool,
    pub(crate) cause: Option<Cause>,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) retry_after_ms: Option<u64>,
    #[serde(default)]
    pub(crate) limits: BTreeMap<String, u64>,
}

fn success() -> u16 {
    200
}

impl Case {
    /// Every case of every provider.
    pub(crate) fn all() -> Vec<Case> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/providers");
        let mut cases = Vec::new();
        for provider in folders(&root) {
            let spec = registry::by_id(&name(&provider))
                .unwrap_or_else(|| panic!("{} is no provider", provider.display()));
            for operation in folders(&provider) {
                cases.extend(folders(&operation).iter().map(|path| Case::load(spec, name(&operation), path)));
            }
        }
        assert!(!cases.is_empty());
        cases
    }

    fn load(spec: &'static ProviderSpec, operation: String, path: &Path) -> Case {
        let read = |file: &str| {
            let path = path.join(file);
            Bytes::from(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        };
        let text = String::from_utf8(read("case.toml").to_vec()).unwrap();
        let facts: Facts =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let expected = serde_json::from_slice(&read("expected.json"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let response = read(if facts.stream { "upstream.response.sse" } else { "upstream.response.json" });
        let (request, upstream_request) = (read("request.json"), read("upstream.request.json"));
        let name = format!("{}/{operation}/{}", spec.id, name(path));
        Case { name, spec, operation, facts, request, upstream_request, response, expected }
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let header = |(name, value): (&String, &String)| (name.parse().unwrap(), value.parse().unwrap());
        self.facts.headers.iter().map(header).collect()
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> = fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
