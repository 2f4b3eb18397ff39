//! Plans, as a caller of the crate sees them.

#![cfg_attr(test, expect(unreachable_pub, reason = "the modules of a test binary are its only readers"))]

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod filters;
#[cfg(test)]
mod house;
#[cfg(test)]
mod names;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod resume;
