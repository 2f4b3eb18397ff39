//! What the catalogue in use answers to a check.
//!
//! Not the resolution of a request's model. Look first at [`CatalogueModels`].

use trunkline_catalogue::{Catalogue, CatalogueError, Names, Offer, Resolution};
use trunkline_providers::spec::ProviderSpec;

use super::check::KnownModels;

/// A catalogue, prepared for the questions of a check.
#[derive(Debug)]
pub struct CatalogueModels<'c> {
    catalogue: &'c Catalogue,
    names: Names,
}

impl<'c> CatalogueModels<'c> {
    /// Prepares a catalogue; fails if it is damaged.
    pub fn new(catalogue: &'c Catalogue) -> Result<Self, CatalogueError> {
        let names = Names::new(catalogue.models()?.into_iter().map(|model| model.name));
        Ok(Self { catalogue, names })
    }
}

impl KnownModels for CatalogueModels<'_> {
    fn knows(&self, name: &str) -> bool {
        matches!(self.names.resolve(name), Resolution::Model(_))
    }

    fn offers(&self, provider: &ProviderSpec) -> Option<Vec<Offer>> {
        self.catalogue.offers(provider.catalogue).ok()
    }

    fn suggestions(&self, name: &str) -> Vec<String> {
        self.names.suggest(name).iter().map(ToString::to_string).collect()
    }
}

/// Takes every model's name for known: for reading a file before there is a catalogue to ask.
#[derive(Clone, Copy, Debug)]
pub struct AnyModel;

impl KnownModels for AnyModel {
    fn knows(&self, _: &str) -> bool {
        true
    }

    fn offers(&self, _: &ProviderSpec) -> Option<Vec<Offer>> {
        None
    }

    fn suggestions(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_providers::registry;

    #[test]
    fn the_embedded_catalogue_answers() {
        let catalogue = Catalogue::embedded().unwrap();
        let models = CatalogueModels::new(&catalogue).unwrap();
        let first = catalogue.models().unwrap().swap_remove(0).name;
        assert!(models.knows(first.as_str()));
        let misspelt = format!("{first}x");
        assert!(!models.knows(&misspelt));
        assert_eq!(models.suggestions(&misspelt).first().map(String::as_str), Some(first.as_str()));

        let provider = registry::by_id("groq").unwrap();
        let offer = catalogue.offers(provider.catalogue).unwrap().swap_remove(0);
        assert!(models.offers(provider).unwrap().contains(&offer));
    }
}
