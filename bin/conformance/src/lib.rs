#![doc = include_str!("../README.md")]

mod blocks;
mod chain;
mod engine;
mod fixture;
mod network;
mod op_block;
mod report;
mod roots;
mod state;

pub use blocks::run_blocks;
pub use engine::run_engine;
pub use op_block::run_op_block;
pub use report::{Case, Report, run_files};
pub use roots::run_roots;
pub use state::run_state;
