//! What fixtures of several kinds have in common.

use std::collections::BTreeMap;

use alloy_eips::eip7840::BlobParams;
use alloy_genesis::{ChainConfig, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use eyre::{Result, ensure};
use openledger_storage::StateView;
use serde::Deserialize;

use crate::network::chain_config;

/// An account before or after.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Account {
    pub(crate) nonce: U256,
    pub(crate) balance: U256,
    #[serde(default)]
    pub(crate) code: Bytes,
    #[serde(default)]
    pub(crate) storage: BTreeMap<U256, U256>,
}

/// Accounts by address.
pub(crate) type Accounts = BTreeMap<Address, Account>;

impl Account {
    fn to_genesis(&self) -> GenesisAccount {
        let slot = |(slot, value): (&U256, &U256)| (B256::from(*slot), B256::from(*value));
        GenesisAccount {
            nonce: Some(self.nonce.saturating_to()),
            balance: self.balance,
            code: (!self.code.is_empty()).then(|| self.code.clone()),
            storage: (!self.storage.is_empty()).then(|| self.storage.iter().map(slot).collect()),
            private_key: None,
        }
    }

    /// Compares with what the database holds.
    pub(crate) fn check(&self, address: Address, state: &StateView) -> Result<()> {
        let Some(account) = state.account(address)? else {
            eyre::bail!("account {address} is missing after the last block")
        };
        ensure!(
            U256::from(account.nonce) == self.nonce && account.balance == self.balance,
            "account {address} has nonce {} and balance {}, must have {} and {}",
            account.nonce,
            account.balance,
            self.nonce,
            self.balance
        );
        let code = state.code(account.code_hash)?.unwrap_or_default();
        ensure!(code == self.code, "account {address} has another code");
        for (slot, expected) in &self.storage {
            let found = state.slot(address, B256::from(*slot))?;
            ensure!(found == *expected, "{address}[{slot}] is {found}, must be {expected}");
        }
        Ok(())
    }
}

/// The accounts as a genesis file allocates them.
pub(crate) fn allocation(accounts: &Accounts) -> BTreeMap<Address, GenesisAccount> {
    accounts.iter().map(|(address, account)| (*address, account.to_genesis())).collect()
}

/// The `config` part.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FixtureConfig {
    chainid: Option<U64>,
    #[serde(default)]
    blob_schedule: BTreeMap<String, FixtureBlobParams>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FixtureBlobParams {
    target: U64,
    max: U64,
    base_fee_update_fraction: U64,
}

impl FixtureConfig {
    /// The chain configuration of `network` with these values.
    pub(crate) fn chain_config(&self, network: &str) -> Result<ChainConfig> {
        let params = |given: &FixtureBlobParams| BlobParams {
            target_blob_count: given.target.to(),
            max_blob_count: given.max.to(),
            update_fraction: given.base_fee_update_fraction.to(),
            max_blobs_per_tx: given.max.to(),
            ..BlobParams::cancun()
        };
        let schedule = self.blob_schedule.iter().map(|(fork, given)| (fork.clone(), params(given))).collect();
        chain_config(network, self.chainid.map_or(1, |id| id.to()), schedule)
    }
}
