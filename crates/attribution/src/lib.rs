#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod audit;
mod cholesky;
mod clusters;
mod draw;
mod error;
pub mod faithfulness;
pub mod gaming;
mod gradient_store;
mod gradients;
mod influence;
pub mod language;
mod limits;
pub mod model_store;
mod preview;
mod projection;
pub mod retraining;
pub mod score_store;
mod scorer;
mod scores;
mod shares;
mod sketch;
mod splitmix;
mod vesting;

pub use cholesky::Cholesky;
pub use clusters::{ClusterConfig, ClusterIndex, ClusterRow, Clusters, Match, Placement};
pub use error::AttributionError;
pub use gradient_store::GradientStore;
pub use gradients::{Gradients, each_gradient_on_threads, gradients, gradients_on_threads};
pub use influence::{Gram, Influence, InfluenceConfig, MAX_ROWS, length};
pub use limits::{SelfInfluenceCap, cluster_scores, size_factors};
pub use preview::{AnswerSketch, RowSketch};
pub use projection::{
    AnswerQuery, MAX_CANDIDATES, MAX_FITTED_ROWS, Projection, ProjectionConfig, StoredCurvature,
};
pub use scorer::Scorer;
pub use scores::{SCORE_SCALE, Scores, score_leaf};
pub use shares::{MAX_SHARES, Share, ShareConfig, Shares, attribute};
pub use vesting::{Released, Vesting};
