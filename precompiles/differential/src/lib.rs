#![doc = include_str!("../README.md")]

mod campaign;
mod ledger;
mod plan;
mod refusals;
mod rng;
mod shrink;
mod side;
mod signing;
mod step;
mod twin;
pub mod world;

pub use campaign::{Coverage, EPISODE, Found, campaign, episode};
pub use ledger::Ledger;
pub use plan::Planner;
pub use refusals::{Refusals, refusals};
pub use rng::Rng;
pub use shrink::{failure, shrink};
pub use side::{Ending, Memory, Outcome, Side};
pub use step::Step;
pub use twin::{Difference, Twin};
