//! The one place that reads environment variables and secret files.
//!
//! A configuration only *names* its secrets ([`SecretRef`]); they are fetched when a snapshot is built. Errors name
//! the variable or the file, never what it holds. Look first at [`SecretRef::resolve`].

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use trunkline_domain::Secret;
use zeroize::Zeroize;

use super::problem::{Position, Problem, Severity};
use super::reader::{Table, Value};

/// The largest secret file read, in bytes.
pub const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What surrounds the process, as far as a configuration may look.
pub trait Environment {
    /// An environment variable, if it is set to valid UTF-8.
    fn var(&self, name: &str) -> Option<String>;

    /// A whole file; an error of kind `FileTooLarge` above `bytes_max`.
    fn read_file(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>>;
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read_file(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            bytes.zeroize();
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("larger than {bytes_max} bytes"),
            ));
        }
        Ok(bytes)
    }
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In an environment variable of this name.
    Env(String),
    /// In this file; a relative path starts at the working directory.
    File(PathBuf),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A secret the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// Where it is kept.
    pub source: SecretSource,
    /// The key that names it.
    pub key: String,
    /// Where that key stands.
    pub position: Position,
}

/// Why a secret could not be had. Names its source, never its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or holds no valid UTF-8.
    #[error("environment variable {0} is not set")]
    Unset(String),
    /// The variable or file holds nothing but white space.
    #[error("{0} is empty")]
    Empty(String),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds bytes that are not text.
    #[error("{0} is not UTF-8 text")]
    NotText(PathBuf),
    /// What it holds could not be sent in a header.
    #[error("{0} holds more than one line, or control characters")]
    NotOneLine(String),
}

impl SecretRef {
    /// Fetches the secret, without one trailing newline.
    pub fn resolve(&self, environment: &dyn Environment) -> Result<Secret<String>, SecretError> {
        one_line(self.fetch(environment)?, || self.source.to_string())
    }

    /// Fetches a secret that may have several lines, such as a credentials file.
    pub fn resolve_text(&self, environment: &dyn Environment) -> Result<Secret<String>, SecretError> {
        let secret = Secret::new(self.fetch(environment)?);
        if secret.expose().trim().is_empty() {
            return Err(SecretError::Empty(self.source.to_string()));
        }
        Ok(secret)
    }

    fn fetch(&self, environment: &dyn Environment) -> Result<String, SecretError> {
        match &self.source {
            SecretSource::Env(name) => environment.var(name).ok_or_else(|| SecretError::Unset(name.clone())),
            SecretSource::File(path) => {
                let bytes = environment
                    .read_file(path, SECRET_BYTES_MAX)
                    .map_err(|source| SecretError::Unreadable { path: path.clone(), source })?;
                String::from_utf8(bytes).map_err(|error| {
                    error.into_bytes().zeroize();
                    SecretError::NotText(path.clone())
                })
            }
        }
    }

    /// [`SecretRef::resolve`], with a failure as a problem at the key's place.
    pub(super) fn resolve_or_report(&self, environment: &dyn Environment) -> Result<Secret<String>, Problem> {
        self.resolve(environment).map_err(|error| self.problem(error.to_string()))
    }

    /// [`SecretRef::resolve_text`], with a failure as a problem at the key's place.
    pub(super) fn resolve_text_or_report(
        &self,
        environment: &dyn Environment,
    ) -> Result<Secret<String>, Problem> {
        self.resolve_text(environment).map_err(|error| self.problem(error.to_string()))
    }

    /// An error at the key's place.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            position: self.position,
            key: self.key.clone(),
            message: message.into(),
            hint: None,
        }
    }

    /// Reads `{ env = "NAME" }` or `{ file = "PATH" }`; a secret written out is refused and not repeated.
    pub(super) fn read(value: &Value<'_>) -> Option<Self> {
        if !value.is_table() {
            value.error_hint(
                "a secret is never written into this file",
                "write { env = \"NAME\" } or { file = \"PATH\" }",
            );
            return None;
        }
        value.table(Self::read_source)?
    }

    /// Reads the keys `env` and `file` of a table that may have others.
    pub(super) fn read_source(table: &mut Table<'_>) -> Option<Self> {
        let (env, file) = (table.get("env"), table.get("file"));
        let place = table.place().clone();
        let source = match (env, file) {
            (Some(env), None) => SecretSource::Env(variable_name(&env)?),
            (None, Some(file)) => SecretSource::File(PathBuf::from(file.text()?)),
            (Some(_), Some(_)) => {
                table.findings().error(&place, "names both env and file: keep one");
                return None;
            }
            (None, None) => {
                let hint = "write { env = \"NAME\" } or { file = \"PATH\" }";
                table.findings().error_hint(&place, "names neither env nor file", hint);
                return None;
            }
        };
        Some(Self { source, position: table.findings().position(&place), key: place.key })
    }
}

/// A variable's name. Mixed case is refused, because that is what a key pasted in the wrong place looks like, and
/// an error about an unset variable would print it.
fn variable_name(value: &Value<'_>) -> Option<String> {
    let name = value.text()?;
    let upper = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let lower = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if name.starts_with(|first: char| first.is_ascii_digit()) || !(upper || lower) {
        value.error_hint(
            "is not the name of an environment variable",
            "the name, such as MY_API_KEY, not the secret",
        );
        return None;
    }
    Some(name.to_owned())
}

fn one_line(mut text: String, source: impl FnOnce() -> String) -> Result<Secret<String>, SecretError> {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    let secret = Secret::new(text);
    if secret.expose().trim().is_empty() {
        return Err(SecretError::Empty(source()));
    }
    if secret.expose().chars().any(char::is_control) {
        return Err(SecretError::NotOneLine(source()));
    }
    Ok(secret)
}

/// Surroundings made of a list, for tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct FakeEnvironment {
    pub(crate) vars: Vec<(&'static str, &'static str)>,
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
}

#[cfg(test)]
impl Environment for FakeEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn read_file(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let file = self.files.iter().find(|(known, _)| Path::new(known) == path);
        let bytes = file.ok_or(io::ErrorKind::NotFound)?.1.clone();
        if bytes.len() as u64 > bytes_max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(source: SecretSource, environment: &dyn Environment) -> Result<String, String> {
        let reference = SecretRef { source, key: "k".to_owned(), position: Position::START };
        match reference.resolve(environment) {
            Ok(secret) => Ok(secret.expose().clone()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn env(name: &str) -> SecretSource {
        SecretSource::Env(name.to_owned())
    }

    fn file(path: &str) -> SecretSource {
        SecretSource::File(PathBuf::from(path))
    }

    #[test]
    fn one_trailing_newline_is_cut_and_nothing_else() {
        let environment = FakeEnvironment {
            vars: vec![("A", "key"), ("B", " \n")],
            files: vec![
                ("one", b"key\n".to_vec()),
                ("two", b"key\n\n".to_vec()),
                ("dos", b" key\r\n".to_vec()),
            ],
        };
        assert_eq!(resolve(env("A"), &environment), Ok("key".to_owned()));
        assert_eq!(resolve(file("one"), &environment), Ok("key".to_owned()));
        let two = Err("two holds more than one line, or control characters".to_owned());
        assert_eq!(resolve(file("two"), &environment), two);
        assert_eq!(resolve(file("dos"), &environment), Ok(" key".to_owned()));
        assert_eq!(resolve(env("B"), &environment), Err("environment variable B is empty".to_owned()));
    }

    #[test]
    fn failures_name_the_source_only() {
        let environment = FakeEnvironment {
            vars: vec![],
            files: vec![("binary", b"sk-canary\xff".to_vec()), ("empty", b"\n".to_vec())],
        };
        assert_eq!(
            resolve(env("GONE"), &environment),
            Err("environment variable GONE is not set".to_owned())
        );
        assert_eq!(resolve(file("binary"), &environment), Err("binary is not UTF-8 text".to_owned()));
        assert_eq!(resolve(file("empty"), &environment), Err("empty is empty".to_owned()));
        assert_eq!(resolve(file("gone"), &environment), Err("cannot read gone: entity not found".to_owned()));
    }

    #[test]
    fn the_process_reads_files_up_to_a_cap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(ProcessEnvironment.read_file(&path, 5).unwrap(), b"12345");
        assert_eq!(ProcessEnvironment.read_file(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
