//! Rows and salts of a contribution, and the root that commits to them.

use alloy_primitives::{B256, keccak256};
use openledger_shares::{MerkleTree, row_leaf};

use super::{ContributionPlan, attributor::SaltedRow, play::failed};
use crate::DevnetError;

/// A contribution before it is revealed.
pub(super) struct Pledge<'a> {
    pub(super) rows: Vec<SaltedRow<'a>>,
    pub(super) root: B256,
    pub(super) salt: B256,
}

impl<'a> Pledge<'a> {
    pub(super) fn new(plan: &'a ContributionPlan, secret: B256) -> Result<Self, DevnetError> {
        let salt_of = |index: u64| keccak256([secret.as_slice(), &index.to_be_bytes()].concat());
        let rows: Vec<SaltedRow<'_>> =
            (0..).zip(&plan.rows).map(|(index, text)| SaltedRow { salt: salt_of(index), text }).collect();
        let leaves = rows.iter().map(|row| row_leaf(row.salt, row.text.as_bytes())).collect();
        let tree = MerkleTree::new(leaves).map_err(|error| failed(&format!("{}: {error}", plan.account)))?;
        Ok(Self { rows, root: tree.root(), salt: secret })
    }
}
