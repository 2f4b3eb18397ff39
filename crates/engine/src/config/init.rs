//! The file `trunkline init` writes: every key with its default, commented out.
//!
//! Not generated: it is written to be read. Tests hold it complete, and valid once its settings are uncommented.
//! A `#` directly before a setting switches it off; prose has a space after its `#`.

/// The commented configuration.
pub const TEMPLATE: &str = include_str!("init.toml");
