//! References to L1 and L2 blocks: as much of a block as derivation orders and compares by.

use alloy_consensus::{Block, Header, Sealed, Transaction};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_chainspec::RollupGenesis;
use openledger_primitives::OpenTxEnvelope;

use crate::{L1Info, L1InfoError};

/// An L1 block, by number, hash, parent and time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct L1BlockRef {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
    /// Hash of the block before.
    pub parent_hash: B256,
    /// Seconds since 1970.
    pub timestamp: u64,
}

impl L1BlockRef {
    /// The number and the hash.
    pub const fn id(&self) -> BlockNumHash {
        BlockNumHash { number: self.number, hash: self.hash }
    }
}

impl From<&Sealed<Header>> for L1BlockRef {
    fn from(header: &Sealed<Header>) -> Self {
        Self {
            number: header.number,
            hash: header.hash(),
            parent_hash: header.parent_hash,
            timestamp: header.timestamp,
        }
    }
}

/// An L2 block with its place in the L1 chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct L2BlockRef {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
    /// Hash of the block before.
    pub parent_hash: B256,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// The L1 block whose epoch this block belongs to.
    pub l1_origin: BlockNumHash,
    /// How many blocks of the same epoch stand before this one.
    pub sequence_number: u64,
}

/// Why an L2 block has no reference.
#[derive(Debug, thiserror::Error)]
pub enum BlockRefError {
    /// Every block but genesis starts with the L1 attributes deposit.
    #[error("L2 block {number} has no L1 attributes deposit as its first transaction")]
    NoL1Info {
        /// The block's number.
        number: u64,
    },
    /// The first deposit is there, but says nothing readable.
    #[error("L2 block {number} has an unreadable L1 attributes deposit: {source}")]
    BadL1Info {
        /// The block's number.
        number: u64,
        /// What is wrong with it.
        source: L1InfoError,
    },
    /// A block with genesis' number and another hash.
    #[error(
        "block {number} is {found}, but the rollup configuration's genesis is {expected}: \
             this data belongs to another chain"
    )]
    OtherGenesis {
        /// The genesis number.
        number: u64,
        /// The hash of the block at hand.
        found: B256,
        /// The configured hash.
        expected: B256,
    },
}

impl L2BlockRef {
    /// The reference of the genesis block.
    pub const fn genesis(genesis: &RollupGenesis) -> Self {
        Self {
            number: genesis.l2.number,
            hash: genesis.l2.hash,
            parent_hash: B256::ZERO,
            timestamp: genesis.l2_time,
            l1_origin: genesis.l1,
            sequence_number: 0,
        }
    }

    /// Reads the reference from a block; hashes its header. Use [`Self::from_parts`] where the hash
    /// is known.
    pub fn from_block(block: &Block<OpenTxEnvelope>, genesis: &RollupGenesis) -> Result<Self, BlockRefError> {
        Self::from_parts(block.header.hash_slow(), &block.header, block.body.transactions.first(), genesis)
    }

    /// Reads the reference from a block's hash, header and first transaction.
    pub fn from_parts(
        hash: B256,
        header: &Header,
        first_transaction: Option<&OpenTxEnvelope>,
        genesis: &RollupGenesis,
    ) -> Result<Self, BlockRefError> {
        let number = header.number;
        if number == genesis.l2.number {
            if hash != genesis.l2.hash {
                let expected = genesis.l2.hash;
                return Err(BlockRefError::OtherGenesis { number, found: hash, expected });
            }
            let genesis_ref = Self::genesis(genesis);
            return Ok(Self { parent_hash: header.parent_hash, ..genesis_ref });
        }
        let info = l1_info_of(number, first_transaction)?;
        Ok(Self {
            number,
            hash,
            parent_hash: header.parent_hash,
            timestamp: header.timestamp,
            l1_origin: BlockNumHash { number: info.number, hash: info.block_hash },
            sequence_number: info.sequence_number,
        })
    }

    /// The number and the hash.
    pub const fn id(&self) -> BlockNumHash {
        BlockNumHash { number: self.number, hash: self.hash }
    }
}

fn l1_info_of(number: u64, first: Option<&OpenTxEnvelope>) -> Result<L1Info, BlockRefError> {
    let Some(OpenTxEnvelope::Deposit(deposit)) = first else {
        return Err(BlockRefError::NoL1Info { number });
    };
    L1Info::decode(deposit.input()).map_err(|source| BlockRefError::BadL1Info { number, source })
}
