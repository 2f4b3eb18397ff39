//! What is wrong with a body's shape, as Anthropic says it: a path of members, indices and the alternatives that were
//! read, then the words of pydantic (<https://docs.pydantic.dev/latest/errors/validation_errors/>), as in
//! <https://github.com/anthropics/claude-code/issues/11678>.

use crate::fake_provider::shape::{Kind, Problem, Step, Wrong};

/// The message.
pub(super) fn of(problem: &Problem) -> String {
    let mut path: Vec<String> = problem.path.iter().map(step).collect();
    let words = match &problem.wrong {
        Wrong::Unknown(name) => {
            path.push(name.clone());
            "Extra inputs are not permitted".to_owned()
        }
        Wrong::Missing(name) => {
            path.push((*name).to_owned());
            "Field required".to_owned()
        }
        Wrong::Value(kind, value) => expected(*kind, value.as_f64()),
    };
    format!("{}: {words}", path.join("."))
}

fn step(step: &Step) -> String {
    match step {
        Step::Member(name) => name.clone(),
        Step::Index(index) => index.to_string(),
        Step::Tag(name) => (*name).to_owned(),
    }
}

fn expected(kind: Kind, number: Option<f64>) -> String {
    match kind {
        Kind::Text => "Input should be a valid string".to_owned(),
        Kind::Flag => "Input should be a valid boolean".to_owned(),
        Kind::Whole(least, _) if number.is_some_and(|number| number.fract() == 0.0) => {
            format!("Input should be greater than or equal to {least}")
        }
        Kind::Whole(..) => "Input should be a valid integer".to_owned(),
        Kind::Decimal => "Input should be a valid number".to_owned(),
        Kind::Choice(words) => format!("Input should be {}", quoted(words.iter().copied())),
        Kind::List(_) | Kind::TextOr(_) => "Input should be a valid list".to_owned(),
        Kind::Tagged(shapes) => {
            let names = quoted(shapes.iter().map(|(name, _)| *name));
            format!("Input tag found using 'type' does not match any of the expected tags: {names}")
        }
        Kind::Any | Kind::Free | Kind::Each(_) | Kind::Object(_) | Kind::OneOf(_) => {
            "Input should be a valid dictionary".to_owned()
        }
    }
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}
