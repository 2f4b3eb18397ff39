//! Who comes first among those that may serve.

mod balanced;
mod state;

pub use balanced::balanced;
