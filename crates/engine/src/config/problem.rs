//! What is wrong with a configuration, and where: one [`Problem`] per finding, never only the first.
//!
//! Not the checks themselves. A problem never repeats the value it complains about where that value could be a
//! secret. Look first at [`Problem::render`]: the line people read.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

/// Most problems kept of one file: whoever has more starts with these.
pub const PROBLEMS_MAX: usize = 200;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is not used.
    Error,
    /// The file is used; somebody should look.
    Warning,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
}

impl Position {
    /// The start of a file: for what concerns all of it.
    pub const START: Position = Position { line: 1, column: 1 };

    /// The place of a byte offset; the end of the text for an offset behind it.
    pub(super) fn of(text: &str, offset: usize) -> Position {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Where it starts.
    pub position: Position,
    /// The key's path (`providers.groq.api_key`); empty for what concerns the file.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// An error that concerns a whole file.
    pub(super) fn of_file(message: impl Into<String>, hint: &str) -> Self {
        Self {
            severity: Severity::Error,
            position: Position::START,
            key: String::new(),
            message: message.into(),
            hint: Some(hint.to_owned()),
        }
    }

    /// One line for a terminal: `trunkline.toml:12:3 providers.groq.api_kye: unknown key; did you mean "api_key"?`.
    pub fn render(&self, file: &str) -> String {
        format!("{file}:{self}")
    }
}

/// The finding without the file's name: `12:3 providers.groq.api_kye: unknown key; did you mean "api_key"?`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ", self.position.line, self.position.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Where something stands, and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The key's path.
    pub(super) key: String,
    /// Its bytes in the text.
    pub(super) span: Range<usize>,
}

/// Collects the findings of one text.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    text: &'t str,
    broken_lines: Vec<usize>,
    found: RefCell<Vec<Problem>>,
}

impl<'t> Findings<'t> {
    /// Starts with the faults of the text as TOML: their places and what is wrong there. What the rest of a broken
    /// line seems to say is guesswork, so nothing else is reported of it.
    pub(super) fn new(text: &'t str, faults: impl IntoIterator<Item = (Range<usize>, String)>) -> Self {
        let mut findings = Self { text, broken_lines: Vec::new(), found: RefCell::default() };
        let mut lines = Vec::new();
        for (span, message) in faults {
            let place = Place { key: String::new(), span };
            lines.push(findings.position(&place).line);
            findings.error(&place, message);
        }
        findings.broken_lines = lines;
        findings
    }

    pub(super) fn position(&self, place: &Place) -> Position {
        Position::of(self.text, place.span.start)
    }

    pub(super) fn error(&self, place: &Place, message: impl Into<String>) {
        self.add(Severity::Error, place, message.into(), None);
    }

    pub(super) fn error_hint(&self, place: &Place, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, place, message.into(), Some(hint.into()));
    }

    pub(super) fn warn(&self, place: &Place, message: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Warning, place, message.into(), hint);
    }

    fn add(&self, severity: Severity, place: &Place, message: String, hint: Option<String>) {
        let mut found = self.found.borrow_mut();
        let position = self.position(place);
        let last_line = Position::of(self.text, place.span.end).line;
        let broken = self.broken_lines.iter().any(|line| (position.line..=last_line).contains(line));
        if found.len() < PROBLEMS_MAX && !broken {
            found.push(Problem { severity, position, key: place.key.clone(), message, hint });
        }
    }

    /// How many findings there are so far.
    pub(super) fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// Whether a finding so far makes the file unusable.
    pub(super) fn has_errors(&self) -> bool {
        self.found.borrow().iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All findings in the order of the text.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| problem.position);
        found
    }
}

/// The candidate a misspelt word most probably means: at most a third of its letters away.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean "api_key"?`, or the words there are.
pub(super) fn did_you_mean(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean \"{candidate}\"?"),
        None => format!("known here: {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_lines_from_one() {
        let text = "ä = 1\nö = 2\n";
        assert_eq!(Position::of(text, 0), Position::START);
        assert_eq!(Position::of(text, text.find('1').unwrap()), Position { line: 1, column: 5 });
        assert_eq!(Position::of(text, text.find('2').unwrap()), Position { line: 2, column: 5 });
        assert_eq!(Position::of(text, 999), Position { line: 3, column: 1 });
    }

    #[test]
    fn only_near_words_are_suggested() {
        let keys = ["api_key", "api_keys", "region"];
        assert_eq!(nearest("api_kye", keys), Some("api_key"));
        assert_eq!(nearest("Region", keys), Some("region"));
        assert_eq!(nearest("colour", keys), None);
    }

    #[test]
    fn findings_are_capped_and_sorted() {
        let text = "a\n".repeat(PROBLEMS_MAX + 9);
        let findings = Findings::new(&text, []);
        for offset in (0..PROBLEMS_MAX + 9).rev() {
            findings.warn(&Place { key: String::new(), span: offset..offset }, "x", None);
        }
        assert!(!findings.has_errors());
        let problems = findings.into_problems();
        assert_eq!(problems.len(), PROBLEMS_MAX);
        assert!(problems.is_sorted_by_key(|problem| problem.position));
    }
}
