//! What the door is shared by: `std`'s atomics and mutex, or loom's where every interleaving is tried (feature `loom`).

#[cfg(feature = "loom")]
use loom::sync as base;
#[cfg(not(feature = "loom"))]
use std::sync as base;

pub(super) use base::atomic::{AtomicU32, Ordering};
pub(super) use base::{Mutex, MutexGuard};

/// Where what was written before must be seen by whoever does not see what is read after. All accesses are sequentially
/// consistent, so there is nothing to do; loom takes them for `AcqRel`, but for a fence (loom 0.7.3, `README.md`,
/// "Unsupported features").
pub(super) fn in_one_order() {
    #[cfg(feature = "loom")]
    base::atomic::fence(Ordering::SeqCst);
}
