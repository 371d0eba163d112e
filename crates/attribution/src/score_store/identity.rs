//! What a shard says of itself.

use std::collections::HashMap;

use alloy_primitives::B256;

use crate::error::AttributionError;

/// The most numbers a row: their integer products with a query must fit 32 bits.
pub const MAX_DIMENSION: usize = 1 << 15;

const VERSION: &str = "1";

/// Which rows' gradients these are; the same in all shards of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreIdentity {
    /// Hash of the base model.
    pub base: B256,
    /// Hash of the adapter.
    pub adapter: B256,
    /// Hash of the projection; zero where there is none.
    pub projection: B256,
    /// Numbers a row.
    pub dimension: usize,
}

/// What a shard is: rows, or sums of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rows,
    Sums,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Sums => "sums",
        }
    }
}

impl StoreIdentity {
    pub(crate) fn validate(&self) -> Result<(), AttributionError> {
        if (1..=MAX_DIMENSION).contains(&self.dimension) {
            return Ok(());
        }
        let dimension = self.dimension;
        Err(AttributionError::Invalid(format!("{dimension} numbers a row, must be 1 to {MAX_DIMENSION}")))
    }

    /// The metadata of a shard: `first` is the number of its first row or cluster, `of` names what sums are of.
    pub(crate) fn metadata(&self, kind: Kind, first: u64, of: &str) -> HashMap<String, String> {
        let fields = [
            ("version", VERSION.to_owned()),
            ("kind", kind.name().to_owned()),
            ("base", self.base.to_string()),
            ("adapter", self.adapter.to_string()),
            ("projection", self.projection.to_string()),
            ("dimension", self.dimension.to_string()),
            ("first", first.to_string()),
            ("of", of.to_owned()),
        ];
        fields.into_iter().map(|(name, value)| (format!("openledger.{name}"), value)).collect()
    }

    /// Reads a shard's metadata; what is wrong with it is said in words.
    pub(crate) fn read(
        metadata: &HashMap<String, String>,
        kind: Kind,
    ) -> Result<(Self, u64, String), String> {
        let field = |name: &str| {
            metadata
                .get(&format!("openledger.{name}"))
                .ok_or_else(|| format!("says no {name}: not of a score store"))
        };
        if field("version")? != VERSION {
            return Err(format!("format version {}, this program reads {VERSION}", field("version")?));
        }
        if field("kind")? != kind.name() {
            return Err(format!("holds {}, not {}", field("kind")?, kind.name()));
        }
        let hash = |name: &str| -> Result<B256, String> {
            field(name)?.parse().map_err(|_| format!("its {name} is no hash"))
        };
        let dimension = field("dimension")?.parse().map_err(|_| "its dimension is no number".to_owned())?;
        let first = field("first")?.parse().map_err(|_| "its first row is no number".to_owned())?;
        let (base, adapter, projection) = (hash("base")?, hash("adapter")?, hash("projection")?);
        Ok((Self { base, adapter, projection, dimension }, first, field("of")?.clone()))
    }

    /// In words, how a store differs from what is expected.
    pub(crate) fn difference(&self, expected: &Self) -> Option<String> {
        let parts = [
            ("base model", self.base, expected.base),
            ("adapter", self.adapter, expected.adapter),
            ("projection", self.projection, expected.projection),
        ];
        if let Some((what, found, wanted)) = parts.iter().find(|(_, found, wanted)| found != wanted) {
            return Some(format!("of another {what}: {found}, expected {wanted}"));
        }
        let (found, wanted) = (self.dimension, expected.dimension);
        (found != wanted).then(|| format!("has {found} numbers a row, expected {wanted}"))
    }
}
