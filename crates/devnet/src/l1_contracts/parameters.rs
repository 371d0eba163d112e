//! What the L1 contracts are set up with.

use alloy_primitives::{Address, B256, U256, b256, uint};
use openledger_chainspec::SystemConfig;

use super::initializers::ResourceConfig;
use crate::accounts::Accounts;

/// Whole supply of OPEN, in wei: a billion, all with the deployer.
pub const OPEN_SUPPLY_WEI: U256 = uint!(1_000_000_000_000_000_000_000_000_000_U256);

/// What OPEN calls itself; the contract's constructor fixes both.
pub const OPEN_NAME: &str = "OpenLedger";
/// OPEN's symbol.
pub const OPEN_SYMBOL: &str = "OPEN";
/// OPEN's decimals; the portal takes only 18.
pub const OPEN_DECIMALS: u8 = 18;

/// What the L1 contracts are set up with.
#[derive(Debug, Clone)]
pub struct L1Parameters {
    /// Owner of everything that has one.
    pub owner: Address,
    /// May post batches.
    pub batcher: Address,
    /// Signs unsafe blocks.
    pub unsafe_signer: Address,
    /// May post output roots.
    pub proposer: Address,
    /// May delete output roots; guardian.
    pub challenger: Address,
    /// Where batches go.
    pub batch_inbox: Address,
    /// Gas limit of an L2 block.
    pub gas_limit: u64,
    /// L2 blocks between two output roots.
    pub submission_interval_blocks: u64,
    /// Seconds between two L2 blocks.
    pub l2_block_time_seconds: u64,
    /// Seconds before a proven withdrawal can be finalized.
    pub finalization_period_seconds: u64,
    /// Scales the L1 base fee in L2's L1 fee; six decimals.
    pub base_fee_scalar: u32,
    /// Scales the L1 blob base fee in L2's L1 fee; six decimals.
    pub blob_base_fee_scalar: u32,
}

impl L1Parameters {
    /// The devnet's choice for `accounts` and an L2 with `l2_chain_id`.
    pub fn devnet(accounts: &Accounts, l2_chain_id: u64) -> Self {
        Self {
            owner: accounts.deployer.address(),
            batcher: accounts.batcher.address(),
            unsafe_signer: accounts.sequencer.address(),
            proposer: accounts.proposer.address(),
            challenger: accounts.challenger.address(),
            batch_inbox: batch_inbox(l2_chain_id),
            gas_limit: 60_000_000,
            submission_interval_blocks: 10,
            l2_block_time_seconds: 1,
            finalization_period_seconds: 4,
            base_fee_scalar: 1_368,
            blob_base_fee_scalar: 810_949,
        }
    }

    /// The deposit market's parameters, the OP Stack's defaults.
    pub(super) const fn resource_config() -> ResourceConfig {
        ResourceConfig {
            maxResourceLimit: 20_000_000,
            elasticityMultiplier: 10,
            baseFeeMaxChangeDenominator: 8,
            minimumBaseFee: 1_000_000_000,
            systemTxMaxGas: 1_000_000,
            maximumBaseFee: u128::MAX,
        }
    }

    /// What derivation starts from.
    pub fn system_config(&self) -> SystemConfig {
        SystemConfig {
            batcher_address: self.batcher,
            overhead: B256::ZERO,
            scalar: self.scalar(),
            gas_limit: self.gas_limit,
            ..Default::default()
        }
    }

    /// Both scalars as the system configuration packs them: version 1, blob scalar, base scalar.
    fn scalar(&self) -> B256 {
        const VERSION: B256 = b256!("0100000000000000000000000000000000000000000000000000000000000000");
        let packed = (u64::from(self.blob_base_fee_scalar) << 32) | u64::from(self.base_fee_scalar);
        VERSION | B256::from(U256::from(packed))
    }
}

/// The conventional inbox: `0xff` and the chain id's decimal digits.
fn batch_inbox(l2_chain_id: u64) -> Address {
    let mut bytes = [0u8; 20];
    bytes[0] = 0xff;
    let mut rest = l2_chain_id;
    for byte in bytes.iter_mut().skip(1).rev() {
        let pair = u8::try_from(rest % 100).unwrap_or_default();
        *byte = ((pair / 10) << 4) | (pair % 10);
        rest /= 100;
    }
    Address::new(bytes)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;

    #[test]
    fn batch_inbox_spells_the_chain_id_in_decimal() {
        assert_eq!(batch_inbox(1_330_660_686), address!("ff00000000000000000000000000001330660686"));
        assert_eq!(batch_inbox(10), address!("ff00000000000000000000000000000000000010"));
    }
}
