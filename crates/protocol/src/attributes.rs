//! Payload attributes: what a block on a given parent and L1 origin must contain, for the sequencer
//! that builds it and the verifier that derives it alike.

use alloy_consensus::{Header, ReceiptEnvelope, Sealed};
use alloy_eips::Encodable2718;
use alloy_op_hardforks::OpHardfork;
use alloy_primitives::{Address, Bytes, address};
use alloy_rpc_types_engine::PayloadAttributes;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::{RollupConfig, SystemConfig};

use crate::{DepositError, L1BlockRef, L1Info, L2BlockRef, deposits::user_deposits, l1_blob_base_fee};

/// The predeploy that collects priority fees.
const SEQUENCER_FEE_VAULT: Address = address!("4200000000000000000000000000000000000011");

/// The L1 block that becomes an L2 block's origin.
#[derive(Debug, Clone)]
pub struct L1OriginData {
    /// Its header.
    pub header: Sealed<Header>,
    /// Its user deposits as EIP-2718 transactions; used only by the epoch's first L2 block.
    pub deposits: Vec<Bytes>,
}

/// Why a block cannot be built so.
#[derive(Debug, thiserror::Error)]
pub enum AttributesError {
    /// The origin is not the parent's, nor the next one on the same L1 chain. Retryable by a reset:
    /// L1 has reorganised.
    #[error(
        "L1 block {origin:?} cannot follow L2 block {parent}, whose origin is {parent_origin:?}: \
         L1 has reorganised"
    )]
    Origin {
        /// Number of the L2 parent.
        parent: u64,
        /// Number and hash of its origin.
        parent_origin: alloy_eips::BlockNumHash,
        /// Number and hash of the origin asked for.
        origin: alloy_eips::BlockNumHash,
    },
    /// An L2 block may not be older than its origin.
    #[error("an L2 block at {timestamp} s would be older than its L1 origin at {origin} s")]
    OlderThanOrigin {
        /// The L2 block's time.
        timestamp: u64,
        /// The origin's time.
        origin: u64,
    },
}

impl L1OriginData {
    /// Reads the deposits out of the block's receipts.
    pub fn new(
        header: Sealed<Header>,
        receipts: &[ReceiptEnvelope],
        portal: Address,
    ) -> Result<Self, DepositError> {
        let deposits = user_deposits(receipts, header.hash(), portal)?;
        Ok(Self { header, deposits })
    }

    /// The block's reference.
    pub fn block_ref(&self) -> L1BlockRef {
        (&self.header).into()
    }
}

/// Attributes of the block after `parent` with the given L1 origin: the L1 attributes deposit, then
/// on the epoch's first block the user deposits, and nothing else. `no_tx_pool` is set; add a batch's
/// transactions with [`with_transactions`].
///
/// `system_config` is the one after the logs of the origin's own L1 block.
pub fn build(
    config: &RollupConfig,
    system_config: &SystemConfig,
    parent: &L2BlockRef,
    origin: &L1OriginData,
) -> Result<OpPayloadAttributes, AttributesError> {
    let origin_ref = origin.block_ref();
    let same_epoch = parent.l1_origin == origin_ref.id();
    let next_epoch = parent.l1_origin.number.checked_add(1) == Some(origin_ref.number)
        && parent.l1_origin.hash == origin_ref.parent_hash;
    if !same_epoch && !next_epoch {
        return Err(AttributesError::Origin {
            parent: parent.number,
            parent_origin: parent.l1_origin,
            origin: origin_ref.id(),
        });
    }
    let timestamp = parent.timestamp.saturating_add(config.block_time);
    if timestamp < origin_ref.timestamp {
        return Err(AttributesError::OlderThanOrigin { timestamp, origin: origin_ref.timestamp });
    }

    let info = L1Info::new(
        config,
        system_config,
        &origin_ref,
        origin.header.base_fee_per_gas.unwrap_or_default(),
        l1_blob_base_fee(config.l1_chain_id, &origin.header),
        if same_epoch { parent.sequence_number.saturating_add(1) } else { 0 },
        timestamp,
    );
    let mut transactions = vec![info.to_deposit().encoded_2718().into()];
    if next_epoch {
        transactions.extend(origin.deposits.iter().cloned());
    }
    let jovian = config.is_active(OpHardfork::Jovian, timestamp);
    Ok(OpPayloadAttributes {
        payload_attributes: PayloadAttributes {
            timestamp,
            prev_randao: origin.header.mix_hash,
            suggested_fee_recipient: SEQUENCER_FEE_VAULT,
            withdrawals: Some(Vec::new()),
            parent_beacon_block_root: Some(origin.header.parent_beacon_block_root.unwrap_or_default()),
            ..Default::default()
        },
        transactions: Some(transactions),
        no_tx_pool: Some(true),
        gas_limit: Some(system_config.gas_limit),
        eip_1559_params: Some(system_config.eip1559_params),
        min_base_fee: jovian.then_some(system_config.min_base_fee),
    })
}

/// Adds a batch's transactions behind the deposits.
pub fn with_transactions(
    mut attributes: OpPayloadAttributes,
    transactions: impl IntoIterator<Item = Bytes>,
) -> OpPayloadAttributes {
    attributes.transactions.get_or_insert_default().extend(transactions);
    attributes
}

/// The same attributes with deposits only: what a block becomes whose transactions are invalid.
pub fn deposits_only(attributes: &OpPayloadAttributes) -> OpPayloadAttributes {
    let mut attributes = attributes.clone();
    if let Some(transactions) = &mut attributes.transactions {
        transactions.retain(|tx| tx.first() == Some(&op_alloy_consensus::DEPOSIT_TX_TYPE_ID));
    }
    attributes
}
