//! How byte streams are cut into [frames](crate::frame::Frame): one module a framing.

pub mod sse;
