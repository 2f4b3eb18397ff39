//! The configuration through its public seam: text in; settings, or rendered problems, out.

mod accepted;
mod problems;
mod surroundings;

use trunkline_providers::spec::ProviderSpec;

use super::{Checked, ConfigFile, KnownModels, check};

/// A catalogue of three models.
struct Few;

const KNOWN: [&str; 3] = ["openai/gpt-5", "gpt-5", "mistralai/mistral-large"];

impl KnownModels for Few {
    fn knows(&self, name: &str) -> bool {
        KNOWN.contains(&name)
    }

    fn offers(&self, provider: &ProviderSpec, id: &str) -> bool {
        provider.id == "groq" && id == "openai/gpt-oss-120b"
    }

    fn suggestions(&self, name: &str) -> Vec<String> {
        super::problem::nearest(name, KNOWN).into_iter().map(str::to_owned).collect()
    }
}

/// Every problem as a terminal shows it.
fn problems(text: &str) -> String {
    rendered(&check(text, &Few))
}

fn rendered(checked: &Checked) -> String {
    checked.problems.iter().map(|problem| problem.render("trunkline.toml") + "\n").collect()
}

/// A text that must be without any problem.
fn valid(text: &str) -> ConfigFile {
    let checked = check(text, &Few);
    assert_eq!(rendered(&checked), "");
    checked.config.unwrap()
}
