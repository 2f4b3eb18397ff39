//! Why a command failed: lines that say what to do next, and an exit code for scripts.

use std::process::ExitCode;

use super::output;

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    lines: Vec<String>,
    exit: Exit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// It could not be done.
    Failed,
    /// What was asked for, or the configuration, is not right.
    Mistaken,
}

impl Failure {
    /// Something could not be done.
    pub(super) fn new(line: impl Into<String>) -> Self {
        Self { lines: vec![format!("trunkline: {}", line.into())], exit: Exit::Failed }
    }

    /// What was asked for is not right.
    pub(super) fn mistake(line: impl Into<String>) -> Self {
        Self { exit: Exit::Mistaken, ..Self::new(line) }
    }

    /// The configuration is not right: each problem as it is rendered.
    pub(super) fn configuration(problems: Vec<String>) -> Self {
        Self { lines: problems, exit: Exit::Mistaken }
    }

    /// Says why, and gives the code.
    pub(super) fn report(&self) -> ExitCode {
        for line in &self.lines {
            output::complain(line);
        }
        match self.exit {
            Exit::Failed => ExitCode::from(1),
            Exit::Mistaken => ExitCode::from(2),
        }
    }
}
