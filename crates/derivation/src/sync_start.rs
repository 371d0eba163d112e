//! Where to start over: heads that the current L1 chain vouches for.

use std::collections::HashMap;

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_chainspec::{RollupConfig, SystemConfig};
use openledger_l1::L1Source;
use openledger_primitives::OpenTxEnvelope;
use openledger_protocol::{L1Info, L2BlockRef, system_config_of_l2_block};

use crate::{ChainEngine, DerivationError, PipelineStart, SafeHead};

/// Where derivation goes on.
#[derive(Debug)]
pub(crate) struct SyncStart {
    /// The newest block whose origin is on L1.
    pub(crate) unsafe_head: BlockNumHash,
    /// The block to derive on.
    pub(crate) safe_head: SafeHead,
    /// Where in L1 to begin reading.
    pub(crate) pipeline: PipelineStart,
}

/// The block at `number` with its reference and configuration.
pub(crate) fn safe_head_at<E: ChainEngine>(
    engine: &E,
    config: &RollupConfig,
    number: u64,
) -> Result<SafeHead, DerivationError> {
    let (hash, block) = engine.block(number)?.ok_or(DerivationError::MissingBlock(number))?;
    safe_head_of(config, hash, &block)
}

/// The reference and configuration of a block.
pub(crate) fn safe_head_of(
    config: &RollupConfig,
    hash: B256,
    block: &alloy_consensus::Block<OpenTxEnvelope>,
) -> Result<SafeHead, DerivationError> {
    let first = block.body.transactions.first();
    let block_ref = L2BlockRef::from_parts(hash, &block.header, first, &config.genesis)?;
    let system_config = match first {
        Some(OpenTxEnvelope::Deposit(deposit)) if block_ref.number != config.genesis.l2.number => {
            let info = L1Info::decode(&deposit.input).unwrap_or_default();
            system_config_of_l2_block(&info, &block.header)
        }
        _ => config.genesis.system_config,
    };
    Ok(SafeHead { block: block_ref, system_config })
}

/// Walks back from the engine's heads.
///
/// A safe block may have been derived from an L1 block that is gone although its origin is not. So the
/// walk goes back a sequencing window, by whose end every block's data is on L1, or to the finalized
/// block. Blocks above are kept and compared again, not built again.
pub(crate) async fn find<E: ChainEngine, L: L1Source>(
    engine: &E,
    l1: &L,
    config: &RollupConfig,
) -> Result<SyncStart, DerivationError> {
    let heads = engine.heads()?;
    let mut origins = Origins { l1, known: HashMap::new() };

    // Blocks whose origin L1 has not reached yet stand or fall with those below.
    let mut current = safe_head_at(engine, config, heads.unsafe_head.number)?;
    let mut plausible = current;
    loop {
        let standing = origins.standing(current.block.l1_origin).await?;
        if standing == Standing::Canonical {
            break;
        }
        let below_finalized = current.block.number <= heads.finalized.number;
        match standing {
            Standing::Gone if below_finalized => {
                return Err(DerivationError::FinalizedOriginGone {
                    block: current.block.number,
                    origin: current.block.l1_origin.number,
                });
            }
            _ if below_finalized => break,
            Standing::Gone => {
                current = safe_head_at(engine, config, current.block.number - 1)?;
                plausible = current;
            }
            _ => current = safe_head_at(engine, config, current.block.number - 1)?,
        }
    }
    let unsafe_head = plausible.block.id();

    // L1 up to the origin of `current` is the L1 that was read. Its own batch may have been above.
    if current.block.number > heads.safe.number {
        current = safe_head_at(engine, config, heads.safe.number)?;
    }
    let highest_origin = current.block.l1_origin.number;
    while current.block.number > heads.finalized.number
        && current.block.l1_origin.number.saturating_add(config.seq_window_size) > highest_origin
    {
        current = safe_head_at(engine, config, current.block.number - 1)?;
    }
    let safe_head = current;

    let timeout = config.channel_timeout_at(safe_head.block.timestamp);
    let mut base = safe_head;
    while base.block.number > config.genesis.l2.number
        && base.block.l1_origin.number.saturating_add(timeout) >= safe_head.block.l1_origin.number
    {
        base = safe_head_at(engine, config, base.block.number - 1)?;
    }
    let system_config: SystemConfig = base.system_config;
    let pipeline = PipelineStart { l1: base.block.l1_origin, system_config };
    Ok(SyncStart { unsafe_head, safe_head, pipeline })
}

/// Canonical L1 blocks by number, each asked for once.
struct Origins<'a, L> {
    l1: &'a L,
    known: HashMap<u64, Option<B256>>,
}

/// What the current L1 chain says of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has the block.
    Canonical,
    /// It is not that far yet.
    Ahead,
    /// It has another block at that height.
    Gone,
}

impl<L: L1Source> Origins<'_, L> {
    async fn standing(&mut self, origin: BlockNumHash) -> Result<Standing, DerivationError> {
        let canonical = match self.known.get(&origin.number) {
            Some(known) => *known,
            None => {
                let header = self.l1.block_by_number(origin.number).await?;
                let hash = header.map(|header| header.hash());
                self.known.insert(origin.number, hash);
                hash
            }
        };
        Ok(match canonical {
            Some(hash) if hash == origin.hash => Standing::Canonical,
            Some(_) => Standing::Gone,
            None => Standing::Ahead,
        })
    }
}
