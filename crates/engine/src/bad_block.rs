//! Records of blocks that went wrong, in a folder of the operator's, for analysis.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use alloy_eips::{BlockNumHash, Encodable2718};
use alloy_primitives::{B256, Bytes, TxHash};
use openledger_evm::{Block, Differences};
use openledger_storage::StateView;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::{
    StateRead,
    witness::{ExecutionWitness, WitnessedState},
};

/// A block that went wrong.
pub(crate) struct BadBlock<'a> {
    pub(crate) block: &'a Block,
    pub(crate) id: BlockNumHash,
    pub(crate) reason: String,
    /// The transaction to blame, where one was found.
    pub(crate) culprit: Option<TxHash>,
    pub(crate) differences: Differences,
}

/// One record, as it stands in its file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BadBlockRecord {
    /// The block's number.
    pub number: u64,
    /// The hash of its header; of one whose state root is zero where the block was never finished.
    pub hash: B256,
    /// Its parent, on whose state it was executed.
    pub parent_hash: B256,
    /// The block in RLP.
    pub block: Bytes,
    /// What went wrong.
    pub reason: String,
    /// The transaction to blame, where one was found.
    pub transaction: Option<TxHash>,
    /// That transaction, encoded.
    pub raw_transaction: Option<Bytes>,
    /// What differs: field, what it must be, what it is.
    pub differences: Vec<(String, String, String)>,
    /// The parent's state as far as executing the block reads it.
    pub witness: ExecutionWitness,
}

impl BadBlockRecord {
    /// Reads a record.
    pub fn from_path(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

/// The folder of the records.
#[derive(Debug)]
pub(crate) struct BadBlocks {
    folder: Option<PathBuf>,
    capacity: usize,
}

impl BadBlocks {
    pub(crate) fn new(folder: Option<PathBuf>, capacity: usize) -> Self {
        Self { folder: folder.filter(|_| capacity > 0), capacity }
    }

    /// Writes a record with what `execute` reads of `state`. Failing to is logged, and no more.
    pub(crate) fn record(&self, bad: &BadBlock<'_>, state: &StateView, execute: impl FnOnce(&dyn StateRead)) {
        let Some(folder) = &self.folder else { return };
        let witnessed = WitnessedState::new(state);
        execute(&witnessed);
        let blamed = bad.block.body.transactions.iter().find(|tx| Some(tx.tx_hash()) == bad.culprit);
        let differences = bad.differences.fields().iter().map(|difference| {
            (difference.field.to_owned(), difference.expected.clone(), difference.found.clone())
        });
        let record = BadBlockRecord {
            number: bad.id.number,
            hash: bad.id.hash,
            parent_hash: bad.block.header.parent_hash,
            block: alloy_rlp::encode(bad.block).into(),
            reason: bad.reason.clone(),
            transaction: bad.culprit,
            raw_transaction: blamed.map(|tx| tx.encoded_2718().into()),
            differences: differences.collect(),
            witness: witnessed.into_witness(),
        };
        match self.write(folder, &record) {
            Ok(path) => info!(path = %path.display(), "kept a record of a bad block"),
            Err(error) => warn!(%error, folder = %folder.display(), "cannot keep a record of a bad block"),
        }
    }

    fn write(&self, folder: &Path, record: &BadBlockRecord) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{:012}-{}.json", record.number, record.hash));
        // Whole or not at all, for whoever looks at the folder.
        let unfinished = path.with_extension("part");
        fs::write(&unfinished, serde_json::to_vec(record)?)?;
        fs::rename(&unfinished, &path)?;
        let mut records = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == "json") {
                records.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        records.sort();
        for (_, oldest) in records.iter().take(records.len().saturating_sub(self.capacity)) {
            fs::remove_file(oldest)?;
        }
        Ok(path)
    }
}
