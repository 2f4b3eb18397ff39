//! The catalogue as bytes: a header, then one deflated block per provider, decoded only when its provider is asked for.
//! What it is not: a signature (see [`update`](crate::update)).
//!
//! `TLCAT001`, the deflated header's length (u32, little-endian), the deflated header (JSON), the blocks. The header
//! holds the date and, for each provider and for the index of models, the length of its block, packed and unpacked.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use jiff::civil::Date;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trunkline_domain::{ModelName, Text};

use crate::offer::Offer;

const MAGIC: &[u8; 8] = b"TLCAT001";
/// The largest catalogue that is read, in bytes.
pub const BYTES_MAX: usize = 16 << 20;
/// The largest block, unpacked, in bytes.
const BLOCK_BYTES_MAX: u64 = 16 << 20;
/// The most providers.
const PROVIDERS_MAX: usize = 1_000;

/// Why bytes are not a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// They do not begin like one, or are of a version this program does not read.
    #[error("this is not a catalogue that this version reads")]
    NotACatalogue,
    /// They are larger than a catalogue may be.
    #[error("a catalogue is at most {BYTES_MAX} bytes")]
    TooLarge,
    /// They are cut, garbled, or contradict themselves.
    #[error("the catalogue is damaged: {0}")]
    Damaged(String),
}

/// What a catalogue is made from.
#[derive(Clone, Debug)]
pub struct Content {
    /// The day its facts were gathered.
    pub date: Date,
    /// Providers with their offers.
    pub providers: Vec<ProviderContent>,
}

/// A provider's part.
#[derive(Clone, Debug)]
pub struct ProviderContent {
    /// The provider's id in the catalogue.
    pub id: Text,
    /// Its name, for people.
    pub name: Text,
    /// Its offers.
    pub offers: Vec<Offer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) date: Date,
    pub(crate) models: Block,
    pub(crate) providers: Vec<ProviderHeader>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProviderHeader {
    pub(crate) id: Text,
    pub(crate) name: Text,
    pub(crate) offers: u32,
    pub(crate) block: Block,
}

/// Where a block is, counted from the end of the header.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) offset: usize,
    pub(crate) length: usize,
    pub(crate) unpacked: u64,
}

/// The canonical models and, for each, the places of its providers in the header.
pub(crate) type ModelIndex = Vec<(ModelName, Vec<u16>)>;

/// Writes a catalogue. Equal content gives equal bytes.
pub fn encode(content: &Content) -> Result<Vec<u8>, CatalogueError> {
    let mut blocks = Vec::new();
    let models = append(&mut blocks, &index(content))?;
    let mut providers = Vec::new();
    for provider in &content.providers {
        providers.push(ProviderHeader {
            id: provider.id.clone(),
            name: provider.name.clone(),
            offers: u32::try_from(provider.offers.len()).map_err(damaged)?,
            block: append(&mut blocks, &provider.offers)?,
        });
    }
    let header =
        pack(&serde_json::to_vec(&Header { date: content.date, models, providers }).map_err(damaged)?)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u32::try_from(header.len()).map_err(damaged)?.to_le_bytes());
    bytes.extend(header);
    bytes.extend(blocks);
    Ok(bytes)
}

fn index(content: &Content) -> ModelIndex {
    let mut models = std::collections::BTreeMap::<ModelName, Vec<u16>>::new();
    for (provider, place) in content.providers.iter().zip(0_u16..) {
        for offer in &provider.offers {
            let places = models.entry(offer.model.clone()).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    models.into_iter().collect()
}

fn append<T: Serialize>(blocks: &mut Vec<u8>, value: &T) -> Result<Block, CatalogueError> {
    let json = serde_json::to_vec(value).map_err(damaged)?;
    let packed = pack(&json)?;
    let block = Block { offset: blocks.len(), length: packed.len(), unpacked: json.len() as u64 };
    blocks.extend(packed);
    Ok(block)
}

fn pack(bytes: &[u8]) -> Result<Vec<u8>, CatalogueError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).map_err(damaged)?;
    encoder.finish().map_err(damaged)
}

/// Reads the header; also says where the blocks begin.
pub(crate) fn header(bytes: &[u8]) -> Result<(Header, usize), CatalogueError> {
    if bytes.len() > BYTES_MAX {
        return Err(CatalogueError::TooLarge);
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(CatalogueError::NotACatalogue)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("cut in its header"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let packed = rest.get(..length).ok_or_else(|| damaged("cut in its header"))?;
    let header: Header = unpack(packed, BLOCK_BYTES_MAX)?;
    if header.providers.len() > PROVIDERS_MAX {
        return Err(damaged("too many providers"));
    }
    Ok((header, MAGIC.len() + 4 + length))
}

/// Reads a block of the bytes behind the header.
pub(crate) fn block<T: DeserializeOwned>(blocks: &[u8], block: Block) -> Result<T, CatalogueError> {
    let end = block.offset.checked_add(block.length);
    let packed =
        end.and_then(|end| blocks.get(block.offset..end)).ok_or_else(|| damaged("a block is cut"))?;
    if block.unpacked > BLOCK_BYTES_MAX {
        return Err(damaged("a block is too large"));
    }
    unpack(packed, block.unpacked)
}

fn unpack<T: DeserializeOwned>(packed: &[u8], bytes_max: u64) -> Result<T, CatalogueError> {
    let mut json = Vec::new();
    DeflateDecoder::new(packed).take(bytes_max.saturating_add(1)).read_to_end(&mut json).map_err(damaged)?;
    if json.len() as u64 > bytes_max {
        return Err(damaged("a block is longer than it says"));
    }
    serde_json::from_slice(&json).map_err(damaged)
}

#[expect(clippy::needless_pass_by_value, reason = "called through `map_err`, which hands over values")]
fn damaged(why: impl ToString) -> CatalogueError {
    CatalogueError::Damaged(why.to_string())
}
