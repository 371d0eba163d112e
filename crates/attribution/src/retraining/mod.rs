//! Attribution judged by retraining: a small trained model in a NumPy archive, scores of its rows by
//! several methods, and how well they predict what retraining on subsets did.

mod auto;
mod curvature;
mod kronecker;
mod lds;
mod method;
mod network;
mod npz;
mod products;
mod recipe;
mod scoring;
mod task;
#[cfg(test)]
mod tests;

pub use auto::{default_settings, task_scores};
pub use lds::{CHOOSING_SUBSETS, Lds, lds, spearman};
pub use method::{Method, Settings, TaskScores};
pub use npz::{Array, Npz, write_floats};
pub use task::{FrozenLayer, ModelKind, Task, Truth};
