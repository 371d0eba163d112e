//! A score store of a model's rows, with all that it takes to ask it who shaped an answer.
//!
//! ```text
//! texts ─► contents     which rows are stored, of which clusters, for which base model and adapter
//!            │ some, evenly
//!            ▼
//!          gradients ─► projection     fitted on them once
//!            │               │
//!            └─ all others ──┴─► rows-…, sums-… (see [`crate::score_store`]) ─► curvature of all rows
//!
//! answer's gradient ─► StoreQuery ─┬─► clusters: exact sums
//!                                  └─► candidates ─► their gradients ─► ranked rows
//! ```
//!
//! The folder is filled by [`fill`], which goes on where it was stopped, and asked by [`ModelStore::query`]. Each file says
//! what it belongs to and is checked when it is opened: a store of other rows, another base model or adapter is refused.
//!
//! | file | holds |
//! |---|---|
//! | `contents.safetensors` | hashes of base model, adapter, texts and projection; the cluster of every row; the rows that are stored |
//! | `projection.safetensors` | the fitted [`Projection`] |
//! | `fitted.gradients` | while filling: gradients of the rows that the projection is fitted on |
//! | `rows-…arrow`, `sums-…arrow` | shards |
//! | `curvature.safetensors` | the [`StoredCurvature`] of all shards |
//! | `filling.lock` | locked by the process that fills; empty |
//!
//! Only canonical rows that the model can take are stored (see [`crate::Clusters`]): a copy belongs to its cluster, and
//! changes neither the store nor any score.

mod contents;
mod fill;
mod query;

use std::path::Path;

use alloy_primitives::B256;

pub use contents::{Contents, ModelRows};
pub use fill::{FillConfig, FillStage, FillStep, Filled, fill};
pub use query::{ClusterScore, RankedRow, StoreQuery};

use crate::{
    error::AttributionError,
    projection::{Projection, StoredCurvature},
    score_store::{ScoreStore, StoreFolder, StoreIdentity},
};

const PROJECTION: &str = "projection.safetensors";
const CURVATURE: &str = "curvature.safetensors";

/// What a store is asked to be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOf {
    /// Hash of the base model.
    pub base: B256,
    /// Hash of the adapter.
    pub adapter: B256,
    /// Hash of the texts, see [`ModelRows::hash`].
    pub rows: B256,
}

/// A filled store.
#[derive(Debug)]
pub struct ModelStore {
    contents: Contents,
    projection: Projection,
    store: ScoreStore,
    curvature: StoredCurvature,
}

impl ModelStore {
    /// Opens a store of these texts, base model and adapter, and checks all of it.
    pub fn open(folder: &Path, of: &StoreOf) -> Result<Self, AttributionError> {
        let path = folder.join(contents::FILE);
        let unfilled = |what: &str| AttributionError::StoreFile { path: path.clone(), what: what.to_owned() };
        let contents =
            Contents::load(folder)?.ok_or_else(|| unfilled("is not there: fill the store first"))?;
        contents.check(folder, of)?;
        let unfinished =
            || unfilled("the store is not finished: fill it again, it goes on where it was stopped");
        let hash = contents.projection().ok_or_else(unfinished)?;
        let projection = Projection::load(&folder.join(PROJECTION), Some(hash))?;
        let identity = identity(of, &projection)?;
        let shards = StoreFolder::local(folder)?;
        if ScoreStore::count_shards(&shards)? == 0 {
            return Err(unfinished());
        }
        let store = ScoreStore::open(&shards, Some(&identity))?;
        if store.len() != contents.stored().len() || store.clusters() != contents.clusters() {
            return Err(unfinished());
        }
        let curvature = StoredCurvature::load(&folder.join(CURVATURE), store.content())?;
        Ok(Self { contents, projection, store, curvature })
    }

    /// Which rows are stored.
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// What rows and answers are projected with.
    pub const fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The shards.
    pub const fn scores(&self) -> &ScoreStore {
        &self.store
    }
}

fn identity(of: &StoreOf, projection: &Projection) -> Result<StoreIdentity, AttributionError> {
    let StoreOf { base, adapter, .. } = *of;
    Ok(StoreIdentity { base, adapter, projection: projection.hash()?, dimension: projection.rank() })
}
