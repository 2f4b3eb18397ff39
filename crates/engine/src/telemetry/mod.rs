//! What the gateway says about itself.

pub mod metrics;
