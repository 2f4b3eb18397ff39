//! How byte streams are cut into [frames](crate::frame::Frame): one module a framing.

pub mod json_array;
pub mod sse;
