//! Judgement: which deployments may serve a request, in which order, at what worst-case cost.
//!
//! What it is: [`plan`], a pure function from a [`World`] and an [`Ask`] to a [`RoutePlan`]; the same world, ask and
//! seed give the same plan, so every decision can be replayed and explained. What it is not: it never waits, never
//! tries anything, never looks at a clock.
//!
//! Where to look first: [`plan`]; then [`resolve`] (names), [`filter`] (who is left out, with a reason), [`order`]
//! (who comes first), [`bound`] (what it can cost at most), [`explain`] (the plan as a document), [`resume`] (who may go
//! on with an answer that broke off), [`fallbacks`] (what a model to fall back to lacks).

pub mod ask;
pub mod bound;
pub mod explain;
pub mod fallbacks;
pub mod filter;
pub mod order;
pub mod resolve;
pub mod resume;
pub mod world;

mod plan;

pub use ask::Ask;
pub use plan::{PlanError, plan};
pub use world::{Deployment, OfferTable, World};
