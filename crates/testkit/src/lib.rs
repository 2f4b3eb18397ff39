//! Tools of the tests, never part of the product.
//!
//! [`fake_provider`]: a scripted, strict provider that speaks OpenAI's, Anthropic's and Gemini's APIs, over loopback TCP
//! or in this process.

pub mod fake_provider;
