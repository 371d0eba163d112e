#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod changes;
mod error;
mod execute;
mod sparse;
mod state;
mod witness;

pub use error::{StatelessError, WitnessError};
pub use execute::execute_payload;
pub use state::{StateAfter, WitnessState};
pub use witness::Witness;
