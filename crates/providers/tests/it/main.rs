//! The registry and every fixture, through the crate's public seam.

#[cfg(test)]
mod case;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod replay;
