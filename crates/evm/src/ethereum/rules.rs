//! Which Ethereum rules one block follows.

use alloy_consensus::Header;
use alloy_evm::{EvmEnv, eth::spec::EthExecutorSpec};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, U256};
use openledger_chainspec::ChainSpec;

/// The rules of one block.
///
/// Proof of stake starts at a total difficulty, not at a number; the block's own difficulty, which is zero
/// from then on and never before, says on which side it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockRules<'a> {
    spec: &'a ChainSpec,
    is_merged: bool,
}

impl<'a> BlockRules<'a> {
    pub(crate) fn new(spec: &'a ChainSpec, header: &Header) -> Self {
        let is_merged = spec.terminal_total_difficulty().is_some() && header.difficulty.is_zero();
        Self { spec, is_merged }
    }

    /// The chain's specification.
    pub(crate) const fn spec(&self) -> &'a ChainSpec {
        self.spec
    }

    /// Whether the block was proposed under proof of stake.
    pub(crate) const fn is_merged(&self) -> bool {
        self.is_merged
    }

    /// The environment of the block with this `header`.
    pub(crate) fn env(&self, header: &Header) -> EvmEnv {
        let blob_params = self.spec.blob_params_at(header.timestamp);
        EvmEnv::for_eth_block(header, self, self.spec.chain_id(), blob_params)
    }
}

impl EthereumHardforks for BlockRules<'_> {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        match fork {
            EthereumHardfork::Paris if self.is_merged => ForkCondition::TTD {
                activation_block_number: 0,
                fork_block: Some(0),
                total_difficulty: U256::ZERO,
            },
            EthereumHardfork::Paris => ForkCondition::Never,
            fork => self.spec.ethereum_fork_activation(fork),
        }
    }
}

impl EthExecutorSpec for BlockRules<'_> {
    fn deposit_contract_address(&self) -> Option<Address> {
        self.spec.deposit_contract_address()
    }
}
