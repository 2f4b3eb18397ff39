//! `xtask catalogue check`: whether a built catalogue can be read, and whether it is what its facts give.

use std::path::Path;

use trunkline_catalogue::Catalogue;

use super::{Problem, build, facts, read};

pub(super) fn run(data: &Path, facts: Option<&Path>) -> Result<String, Problem> {
    let bytes = read(&data.join("catalogue.bin"))?;
    let catalogue = Catalogue::from_bytes(&bytes)?;
    if let Some(facts) = facts
        && build::build(&facts::load(facts)?)?.bytes != bytes
    {
        return Err(Problem::Other(
            "the catalogue is not what these facts give: run `catalogue build`".to_owned(),
        ));
    }
    let offers: u32 = catalogue.providers().iter().map(|provider| provider.offers).sum();
    let models = catalogue.models()?.len();
    Ok(format!(
        "catalogue {}: {offers} offers of {models} models, {} bytes",
        catalogue.version(),
        bytes.len()
    ))
}
