//! The catalogue as one looks at it: who offers what. Providers are decoded when asked for, so that a gateway pays
//! memory only for those it uses.

use std::borrow::Cow;

use jiff::civil::Date;
use trunkline_domain::{ModelName, Text};

use crate::format::{self, CatalogueError, Header, ModelIndex};
use crate::offer::Offer;
use crate::price_book::hex_prefix;
use crate::sandbox::{self, SANDBOX};

static EMBEDDED: &[u8] = include_bytes!("../data/catalogue.bin");

/// A catalogue.
#[derive(Clone, Debug)]
pub struct Catalogue {
    version: Text,
    header: Header,
    blocks: usize,
    bytes: Cow<'static, [u8]>,
}

/// A provider in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEntry {
    /// Its id here.
    pub id: Text,
    /// Its name, for people.
    pub name: Text,
    /// How many offers it has.
    pub offers: u32,
}

/// A canonical model in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// The canonical slug.
    pub name: ModelName,
    /// The ids of the providers that offer it.
    pub providers: Vec<Text>,
}

impl Catalogue {
    /// The catalogue this program was built with.
    pub fn embedded() -> Result<Self, CatalogueError> {
        Self::open(Cow::Borrowed(EMBEDDED))
    }

    /// A catalogue from bytes. All of it is decoded once, so that what is accepted here can be used later.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CatalogueError> {
        let catalogue = Self::open(Cow::Owned(bytes.to_vec()))?;
        catalogue.models()?;
        for provider in &catalogue.header.providers {
            catalogue.offers(&provider.id)?;
        }
        Ok(catalogue)
    }

    fn open(bytes: Cow<'static, [u8]>) -> Result<Self, CatalogueError> {
        let (header, blocks) = format::header(&bytes)?;
        let hash = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let version = Text::from(format!("{}-{}", header.date, hex_prefix(hash.as_ref())));
        Ok(Self { version, header, blocks, bytes })
    }

    /// Date and the first digits of the content's hash: what bills name as their price version.
    pub fn version(&self) -> &Text {
        &self.version
    }

    /// The day its facts were gathered.
    pub fn date(&self) -> Date {
        self.header.date
    }

    /// Its bytes, as [`Catalogue::from_bytes`] reads them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The providers, the sandbox last.
    pub fn providers(&self) -> Vec<ProviderEntry> {
        let entry = |provider: &format::ProviderHeader| ProviderEntry {
            id: provider.id.clone(),
            name: provider.name.clone(),
            offers: provider.offers,
        };
        let mut entries: Vec<ProviderEntry> = self.header.providers.iter().map(entry).collect();
        entries.push(sandbox::provider());
        entries
    }

    /// A provider's offers, decoded now: keep what is needed. Grouped by model; of several upstream ids for one model
    /// the preferred one comes first. Empty for a provider that is not in the catalogue.
    pub fn offers(&self, provider: &str) -> Result<Vec<Offer>, CatalogueError> {
        if provider == SANDBOX {
            return Ok(sandbox::offers());
        }
        let Some(entry) = self.header.providers.iter().find(|entry| *entry.id == *provider) else {
            return Ok(Vec::new());
        };
        let mut offers: Vec<Offer> = format::block(self.blocks(), entry.block)?;
        for offer in &mut offers {
            offer.provider = entry.id.clone();
            offer.prices.shrink();
        }
        Ok(offers)
    }

    /// Every canonical model and who offers it, by name, decoded now. The sandbox's are not among them: they are
    /// never to be taken for real ones.
    pub fn models(&self) -> Result<Vec<ModelEntry>, CatalogueError> {
        let index: ModelIndex = format::block(self.blocks(), self.header.models)?;
        let provider =
            |place: u16| self.header.providers.get(usize::from(place)).map(|entry| entry.id.clone());
        let entry = |(name, places): (ModelName, Vec<u16>)| {
            let providers = places.into_iter().map(provider).collect::<Option<_>>();
            let unknown = || CatalogueError::Damaged("the index names an unknown provider".to_owned());
            Ok(ModelEntry { name, providers: providers.ok_or_else(unknown)? })
        };
        index.into_iter().map(entry).collect()
    }

    fn blocks(&self) -> &[u8] {
        self.bytes.get(self.blocks..).unwrap_or_default()
    }
}
