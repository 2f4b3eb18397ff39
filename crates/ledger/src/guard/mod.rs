//! What a request owns while it runs. Both guards act in `Drop`, synchronously and infallibly: their room in the journal
//! was taken at the door. Whatever happens (success, failover, disconnect, panic), money is settled and rows are written.
//!
//! Where to look first: [`RequestGuard::attempt`], then [`AttemptGuard`].

mod attempt;
mod request;

pub use attempt::AttemptGuard;
pub use request::RequestGuard;

#[cfg(test)]
mod tests;
