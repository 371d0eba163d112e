//! What long work is given: base model, caches, and the desk to serve between its steps.

use super::desk::{Desk, LongJob};
use crate::{AttributorError, memory::Needs};
use openledger_model::{BaseModel, PrefixCache, Tokenizer};
use std::{collections::HashMap, path::PathBuf};

/// Memory for the lower layers' outputs, bytes.
pub(crate) const PREFIX_CACHE_BYTES: usize = 2 << 30;

/// What all work shares and none changes.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) model: BaseModel,
    pub(crate) tokenizer: Tokenizer,
    pub(super) models_folder: PathBuf,
}

impl Base {
    /// Where a model's files are.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.models_folder.join(name)
    }
}

/// What the thread owns.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) base: Base,
    pub(crate) desk: Desk,
    prefixes: HashMap<usize, PrefixCache>,
}

impl Bench {
    pub(super) fn new(base: Base, desk: Desk) -> Self {
        Self { base, desk, prefixes: HashMap::new() }
    }

    /// The next long work, once all short work that waits is done; `None` at the end.
    pub(super) fn next(&mut self) -> Option<LongJob> {
        self.desk.next(&self.base)
    }

    /// Refuses long work that does not fit into what is free once all is dropped that can be read again.
    pub(crate) fn admit(&mut self, needs: Needs) -> Result<(), AttributorError> {
        let device = self.base.model.device();
        needs.fits_now(device).or_else(|_| {
            self.forget();
            needs.fits_now(device)
        })
    }

    /// Drops what a panic may have left half changed; all of it can be read again.
    pub(super) fn forget(&mut self) {
        self.prefixes.clear();
        self.desk.models.forget();
    }

    /// The base, the cache below `first_layer`, and the desk.
    pub(crate) fn with_prefix(&mut self, first_layer: usize) -> (&Base, &mut PrefixCache, &mut Desk) {
        let cache = self
            .prefixes
            .entry(first_layer)
            .or_insert_with(|| PrefixCache::new(first_layer, PREFIX_CACHE_BYTES));
        (&self.base, cache, &mut self.desk)
    }
}
