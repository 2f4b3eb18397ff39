//! What the matrix is computed from: the small requests of `fixtures/matrix/`, the dialects' own fixtures, and those of
//! providers. Each fixture is the provider's whose documentation, SDK or server it was taken from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use trunkline_domain::Dialect;

use crate::reference::Problem;

/// Where something is said, and how that was looked up.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cited {
    /// The page.
    pub(super) url: String,
    /// What was read, where and in which version: the page, an OpenAPI document, an SDK's source.
    #[serde(rename = "read")]
    _read: String,
}

/// Claims by capability.
pub(super) type Claims = BTreeMap<String, Cited>;

/// One dialect's file in `fixtures/matrix/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Examples {
    /// Whose dialect it is: the provider its fixtures come from unless they say another.
    pub(super) provider: String,
    /// Small requests by capability.
    #[serde(default)]
    pub(super) request: BTreeMap<String, String>,
    /// What callers cannot ask for in this dialect, and where its fields are listed.
    #[serde(default)]
    pub(super) absent: Claims,
    /// What requests to providers of this dialect cannot say, so that they are not asked, and where its fields are listed.
    #[serde(default)]
    pub(super) lacks: Claims,
    /// Small answers by capability, for what no fixture of the dialect shows.
    #[serde(default)]
    pub(super) answer: BTreeMap<String, String>,
    /// What answers of this dialect do not say, and where their fields are listed.
    #[serde(default)]
    pub(super) silent: Claims,
    /// What is otherwise at one provider of the dialect.
    #[serde(default)]
    pub(super) at: BTreeMap<String, Particular>,
    /// Where the fields are documented.
    #[serde(rename = "source")]
    _source: String,
}

/// How a provider's answers differ from the dialect's.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Particular {
    /// What they do not say.
    #[serde(default)]
    pub(super) silent: Claims,
    /// What they say only where it is asked for, which the gateway does not do of itself.
    #[serde(default)]
    pub(super) unasked: Claims,
}

impl Examples {
    pub(super) fn of(dialect: Dialect) -> Result<Self, Problem> {
        read(&root().join("matrix").join(dialect.as_str()).with_extension("toml"))
    }

    /// What a provider's answers differ in.
    pub(super) fn particular(&self, provider: &str) -> Option<&Particular> {
        self.at.get(provider)
    }
}

/// A case of a dialect or a provider.
pub(super) struct Case {
    folder: PathBuf,
    /// Nobody showed it like this: it is written from types.
    pub(super) constructed: bool,
    /// Whose it is; of a dialect's case none where it is its inventor's.
    pub(super) provider: Option<String>,
    /// In which dialect a provider's case is.
    pub(super) dialect: Option<Dialect>,
}

#[derive(Deserialize)]
struct CaseFile {
    provenance: Provenance,
    provider: Option<String>,
    ingress: Option<Dialect>,
}

#[derive(Deserialize)]
struct Provenance {
    kind: String,
}

impl Case {
    /// Its folder's name.
    pub(super) fn name(&self) -> String {
        self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// A file of the case, if it has it.
    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        let upstream = if self.dialect.is_some() { "upstream." } else { "" };
        std::fs::read(self.folder.join(format!("{upstream}{name}"))).ok()
    }
}

/// The cases of a dialect, by name.
pub(super) fn of_dialect(dialect: Dialect) -> Result<Vec<Case>, Problem> {
    cases(Path::new(dialect.as_str()))
}

/// The cases of a provider's chats, by name; none where it has none.
pub(super) fn of_provider(id: &str) -> Result<Vec<Case>, Problem> {
    let mut found = cases(&Path::new("providers").join(id).join("chat"))?;
    for case in &mut found {
        case.provider = Some(id.to_owned());
    }
    Ok(found)
}

fn cases(folder: &Path) -> Result<Vec<Case>, Problem> {
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
    let CaseFile { provenance, provider, ingress } = read(&folder.join("case.toml"))?;
    Ok(Case { constructed: provenance.kind == "constructed", provider, dialect: ingress, folder })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Problem> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Problem::File { path: path.to_owned(), error })?;
    toml::from_str(&text).map_err(|error| Problem::Rows { path: path.to_owned(), error: Box::new(error) })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}
