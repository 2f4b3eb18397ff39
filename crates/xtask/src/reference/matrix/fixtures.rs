//! What the matrix is computed from: the small requests of `fixtures/matrix/`, and the dialects' own fixtures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use trunkline_domain::Dialect;

use crate::reference::Problem;

/// One dialect's file in `fixtures/matrix/`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Examples {
    /// Small requests by capability.
    #[serde(default)]
    pub(super) request: BTreeMap<String, String>,
    /// What callers cannot ask for in this dialect, and where its fields are listed.
    #[serde(default)]
    pub(super) absent: BTreeMap<String, String>,
    /// Small answers by capability, for what no fixture of the dialect shows.
    #[serde(default)]
    pub(super) answer: BTreeMap<String, String>,
    /// What answers of this dialect do not say, and where their fields are listed.
    #[serde(default)]
    pub(super) silent: BTreeMap<String, String>,
    /// Where the fields are documented.
    #[serde(rename = "source")]
    _source: String,
}

impl Examples {
    pub(super) fn of(dialect: Dialect) -> Result<Self, Problem> {
        read(&root().join("matrix").join(dialect.as_str()).with_extension("toml"))
    }
}

/// A case of a dialect or a provider.
pub(super) struct Case {
    pub(super) folder: PathBuf,
    /// Nobody else showed it like this: it is written from types.
    pub(super) constructed: bool,
}

#[derive(Deserialize)]
struct CaseFile {
    provenance: Provenance,
}

#[derive(Deserialize)]
struct Provenance {
    kind: String,
}

impl Case {
    /// A file of the case, if it has it.
    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(name)).ok()
    }
}

/// The cases in a folder below `fixtures/`, by name; none where there is no such folder.
pub(super) fn cases(folder: &Path) -> Result<Vec<Case>, Problem> {
    let path = root().join(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let problem = |error| Problem::File { path: path.clone(), error };
    let mut folders = std::fs::read_dir(&path)
        .map_err(problem)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(problem)?;
    folders.sort();
    folders.into_iter().map(case).collect()
}

fn case(folder: PathBuf) -> Result<Case, Problem> {
    let file: CaseFile = read(&folder.join("case.toml"))?;
    Ok(Case { constructed: file.provenance.kind == "constructed", folder })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Problem> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Problem::File { path: path.to_owned(), error })?;
    toml::from_str(&text).map_err(|error| Problem::Rows { path: path.to_owned(), error: Box::new(error) })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}
