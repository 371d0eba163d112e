//! A row as its owner gives it, and the bounds it keeps.

use crate::ContentStoreError;
use alloy_primitives::B256;
use openledger_shares::{MerkleTree, row_leaf};
use serde::{Deserialize, Serialize};

/// Most rows a contribution may have.
pub const MAX_ROWS: usize = 1 << 16;
/// Most bytes of text a row may have.
pub const MAX_ROW_BYTES: usize = 1 << 16;
/// Most bytes of text a contribution may have.
pub const MAX_CONTRIBUTION_BYTES: usize = 1 << 26;

/// A row of text and the salt that hides it in its commitment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Random, chosen by the owner; without it the leaf could be guessed from the text.
    pub salt: B256,
    /// UTF-8 text.
    pub text: String,
}

impl Row {
    /// The row's leaf in its contribution's Merkle tree.
    pub fn leaf(&self) -> B256 {
        row_leaf(self.salt, self.text.as_bytes())
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({} bytes)", self.text.len())
    }
}

/// The Merkle root of `rows` in their order, after checking their bounds.
pub fn contribution_root(rows: &[Row]) -> Result<B256, ContentStoreError> {
    within("the number of rows", rows.len(), MAX_ROWS)?;
    let mut total = 0;
    for row in rows {
        within("a row's length in bytes", row.text.len(), MAX_ROW_BYTES)?;
        total += row.text.len();
    }
    within("the contribution's length in bytes", total, MAX_CONTRIBUTION_BYTES)?;
    let tree = MerkleTree::new(rows.iter().map(Row::leaf).collect()).map_err(|_| {
        ContentStoreError::OutOfBounds { what: "the number of rows", given: rows.len(), maximum: MAX_ROWS }
    })?;
    Ok(tree.root())
}

fn within(what: &'static str, given: usize, maximum: usize) -> Result<(), ContentStoreError> {
    if (1..=maximum).contains(&given) {
        Ok(())
    } else {
        Err(ContentStoreError::OutOfBounds { what, given, maximum })
    }
}
