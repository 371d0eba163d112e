#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cholesky;
mod clusters;
mod error;
mod gradients;
mod influence;
mod store;

pub use cholesky::Cholesky;
pub use clusters::{ClusterConfig, ClusterRow, Clusters};
pub use error::AttributionError;
pub use gradients::{Gradients, gradients};
pub use influence::{Gram, Influence, InfluenceConfig, MAX_ROWS, length};
pub use store::GradientStore;
