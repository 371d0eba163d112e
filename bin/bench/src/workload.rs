//! What the blocks hold.

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;

use crate::{
    accounts::{Draft, Random},
    genesis::{BLOCK_GAS, COMPUTE},
};

alloy_sol_types::sol! {
    function transfer(address to, uint256 value) external returns (bool);
}

/// A kind of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Native transfers.
    Transfer,
    /// Transfers of an ERC-20.
    Erc20,
    /// Calls that compute and change no storage.
    Compute,
}

/// Gas of a block that the L1 attributes may take.
const DEPOSIT_GAS: u64 = 1_100_000;
const COMPUTE_GAS: u64 = 2_800_000;
/// So many turns of the loop, at 92 gas each, fit in [`COMPUTE_GAS`].
const COMPUTE_TURNS: u64 = 30_000;

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Transfer, Self::Erc20, Self::Compute];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Erc20 => "erc20",
            Self::Compute => "compute",
        }
    }

    /// What one takes at most, and so how many fit in a block.
    const fn gas_limit(self) -> u64 {
        match self {
            Self::Transfer => 21_000,
            Self::Erc20 => 60_000,
            Self::Compute => COMPUTE_GAS,
        }
    }

    /// What one takes, about.
    const fn gas(self) -> u64 {
        match self {
            Self::Transfer => 21_000,
            Self::Erc20 => 36_000,
            Self::Compute => COMPUTE_GAS,
        }
    }

    /// Transactions that fill a block, `full` gas of it.
    pub(crate) const fn per_block(self, full: u64) -> u64 {
        let gas = if full < BLOCK_GAS { full } else { BLOCK_GAS };
        let count = gas.saturating_sub(DEPOSIT_GAS) / self.gas();
        if count == 0 { 1 } else { count }
    }

    /// One transaction from an account to another.
    pub(crate) fn draft(self, from: u64, nonce: u64, to: Address, token: Address, value: u64) -> Draft {
        let (to, value, input) = match self {
            Self::Transfer => (to, value, Vec::new()),
            Self::Erc20 => {
                let call = transferCall { to, value: U256::from(value) };
                (token, 0, call.abi_encode())
            }
            Self::Compute => (COMPUTE, 0, U256::from(COMPUTE_TURNS).to_be_bytes_vec()),
        };
        Draft { from, nonce, to, value, gas_limit: self.gas_limit(), input }
    }
}

/// Transactions between accounts drawn uniformly; keeps their nonces.
#[derive(Debug)]
pub(crate) struct Uniform<'a> {
    pub(crate) accounts: &'a [Address],
    pub(crate) token: Address,
    pub(crate) nonces: Vec<u64>,
    pub(crate) random: Random,
}

impl<'a> Uniform<'a> {
    pub(crate) fn new(accounts: &'a [Address], token: Address) -> Self {
        Self { accounts, token, nonces: vec![0; accounts.len()], random: Random(7) }
    }

    pub(crate) fn drafts(&mut self, kind: Kind, count: u64) -> Vec<Draft> {
        let draft = |_| {
            let accounts = self.accounts.len() as u64;
            let (from, to) = (self.random.below(accounts), self.random.below(accounts));
            let nonce = self.nonces[from as usize];
            self.nonces[from as usize] += 1;
            let value = 1 + self.random.below(1 << 40);
            kind.draft(from, nonce, self.accounts[to as usize], self.token, value)
        };
        (0..count).map(draft).collect()
    }
}
