//! Tools of the tests, never part of the product.
//!
//! [`fake_provider`]: a scripted, strict provider that speaks the APIs of OpenAI, Anthropic, Gemini, Cohere, Mistral, Amazon
//! Bedrock and Ollama, over loopback TCP or in this process.

pub mod fake_provider;
