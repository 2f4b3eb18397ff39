//! The catalogue through its public seam: prices against their pages, the embedded data whole, bundles, differences.

#[cfg(test)]
mod embedded;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod updates;
