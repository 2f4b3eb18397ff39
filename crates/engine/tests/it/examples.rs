//! The configurations under `examples/` are what they are shown as: without a problem, and with a call in their head.

use std::path::{Path, PathBuf};

use trunkline_catalogue::Catalogue;
use trunkline_engine::config::{CatalogueModels, check};

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_example_is_valid_by_the_embedded_catalogue() {
    let catalogue = Catalogue::embedded().unwrap();
    let models = CatalogueModels::new(&catalogue).unwrap();
    for path in examples() {
        let checked = check(&std::fs::read_to_string(&path).unwrap(), &models);
        let problems: Vec<_> =
            checked.problems.iter().map(|problem| problem.render(&path.display().to_string())).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        assert!(!checked.config.unwrap().accounts.is_empty(), "{}", path.display());
    }
}

#[test]
fn every_example_shows_a_call_it_can_answer() {
    let catalogue = Catalogue::embedded().unwrap();
    let models = CatalogueModels::new(&catalogue).unwrap();
    for path in examples() {
        let text = std::fs::read_to_string(&path).unwrap();
        let config = check(&text, &models).config.unwrap();
        let (_, after) = text.split_once("curl ").unwrap_or_else(|| panic!("{}: no call", path.display()));
        let (_, named) = after.split_once(r#""model": ""#).unwrap();
        let model = named.split('"').next().unwrap();
        let is_route = config.routes.iter().any(|route| &*route.name == model);
        let as_target = format!("{text}\n[routes.checked]\ntargets = [\"{model}\"]\n");
        assert!(is_route || check(&as_target, &models).problems.is_empty(), "{}: {model}", path.display());
    }
}
