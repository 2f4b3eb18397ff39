//! Which models exist, who offers them, and for how much.
//!
//! What it is: the embedded catalogue (facts gathered from public price lists, built by `xtask catalogue build`), the
//! price book's arithmetic, the lookup of names, and the verification of newer catalogues. What it is not: a store of
//! prices at run time, or a way to fetch them. Bytes and times come in as arguments; there is no I/O and no clock.
//!
//! Where to look first: [`Catalogue`] (what is offered), [`PriceList`] (what it costs, and at most), [`Names`] (what a
//! caller's name means), [`update`] (signed bundles and what they change).

pub mod capability;
mod catalogue;
mod cost;
pub mod diff;
pub mod format;
pub mod names;
pub mod offer;
pub mod price;
pub mod price_book;
mod sandbox;
pub mod update;

pub use capability::{Capabilities, Capability, Modalities, Modality, Support};
pub use catalogue::{Catalogue, ModelEntry, ProviderEntry};
pub use cost::{Terms, Unbounded, Unpriced};
pub use format::CatalogueError;
pub use names::{Names, Resolution};
pub use offer::{Kind, Offer, Status};
pub use price::{Fees, PriceList, Rates, ServiceTier, TokenClass, Unit};
pub use price_book::Correction;
pub use sandbox::SANDBOX;
