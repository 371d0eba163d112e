#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cholesky;
mod clusters;
mod error;
mod gradients;
mod influence;
pub mod retraining;
mod scorer;
mod scores;
mod shares;
mod store;

pub use cholesky::Cholesky;
pub use clusters::{ClusterConfig, ClusterRow, Clusters};
pub use error::AttributionError;
pub use gradients::{Gradients, gradients};
pub use influence::{Gram, Influence, InfluenceConfig, MAX_ROWS, length};
pub use scorer::Scorer;
pub use scores::{SCORE_SCALE, Scores, score_leaf};
pub use shares::{MAX_SHARES, Share, ShareConfig, Shares, attribute};
pub use store::GradientStore;
