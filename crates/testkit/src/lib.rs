//! Tools of the tests, never part of the product.
//!
//! [`fake_provider`]: a scripted, strict OpenAI-compatible provider, over loopback TCP or in this process.

pub mod fake_provider;
