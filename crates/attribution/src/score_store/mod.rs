//! The score store: projected gradients of any number of rows and their sums per cluster, in checksummed
//! shards that are mapped into memory and scanned in parallel.
//!
//! ```text
//! rows ─► ShardWriter ─► rows-00000000-DIGEST.arrow …   16 bits a number in two planes of 8, 2 bytes a number
//!                   └──► sums-00000000-DIGEST.arrow …   a cluster's sum, f64
//!                                 │ mapped
//! query ─► ScoreStore ────────────┴─► a score a cluster (exact sums) · the top rows (exact) · merge of parts
//! ```
//!
//! A shard is an Arrow IPC file whose name holds the first half of its SHA-256: one that was cut short or
//! damaged is found when it is opened. Shards appear under their name only when they are complete, so a
//! writer that was killed goes on after the last one. What they say of themselves (format version, base
//! model, adapter, projection, dimension) must be the same in all, and what the reader expects.
//!
//! Payouts follow from [`ScoreStore::cluster_scores`], which uses the sums of all of a cluster's rows, and
//! never from nearest neighbours; [`ScoreStore::top_rows`] explains.

mod folder;
mod identity;
mod planes;
mod query;
mod reader;
mod shard;
mod sums;
#[cfg(test)]
mod tests;
mod writer;

pub use folder::StoreFolder;
pub use identity::{MAX_DIMENSION, StoreIdentity};
pub use query::{RowScore, merge_top_rows};
pub use reader::ScoreStore;
pub use writer::{MAX_ROWS_PER_SHARD, ShardWriter};
