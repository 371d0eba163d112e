//! Attribution judged by retraining: a small trained model in a NumPy archive, scores of its rows by
//! several methods, and how well they predict what retraining on subsets did.

mod auto;
mod curvature;
mod directions;
mod error_bars;
mod kronecker;
mod lds;
mod method;
pub(crate) mod network;
mod npz;
mod products;
mod recipe;
pub(crate) mod scoring;
mod steep;
mod task;
#[cfg(test)]
mod tests;
mod train;

pub use auto::{default_settings, task_scores};
pub use error_bars::lds_interval;
pub use lds::{CHOOSING_SUBSETS, Lds, lds, spearman};
pub use method::{Method, Settings, TaskScores};
pub use npz::{Array, Npz, write_floats};
pub use task::{FrozenLayer, ModelKind, Task, Truth};
pub use train::{test_losses, train};
