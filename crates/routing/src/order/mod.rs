//! Who comes first among those that may serve.

mod balanced;

pub use balanced::balanced;
