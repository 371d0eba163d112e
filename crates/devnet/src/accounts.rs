//! The devnet's well-known keys, all from one public mnemonic. Never use them on a real chain.

use alloy_primitives::{Address, B256};
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};

use crate::DevnetError;

/// The mnemonic that every Ethereum development tool knows.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Index of the first story account in the derivation path `m/44'/60'/0'/0/INDEX`.
pub const FIRST_STORY_INDEX: u32 = 10;

/// How many accounts L1 endows with ether: all roles and the first story accounts.
pub(crate) const L1_FUNDED_ACCOUNTS: u32 = 40;

/// One account: a name, its key.
#[derive(Debug, Clone)]
pub struct Account {
    /// What the account is for.
    pub name: String,
    /// Its key.
    pub signer: PrivateKeySigner,
}

impl Account {
    /// The account at `index` of the well-known mnemonic.
    pub fn derive(name: impl Into<String>, index: u32) -> Result<Self, DevnetError> {
        let key_error = |error: alloy_signer_local::LocalSignerError| DevnetError::Key {
            index,
            reason: error.to_string(),
        };
        let signer = MnemonicBuilder::<English>::default()
            .phrase(MNEMONIC)
            .index(index)
            .map_err(key_error)?
            .build()
            .map_err(key_error)?;
        Ok(Self { name: name.into(), signer })
    }

    /// The account number `position` of the story, counted from zero.
    pub fn story(name: impl Into<String>, position: u32) -> Result<Self, DevnetError> {
        Self::derive(name, FIRST_STORY_INDEX.saturating_add(position))
    }

    /// The account's address.
    pub const fn address(&self) -> Address {
        self.signer.address()
    }

    /// The account's secret key.
    pub fn private_key(&self) -> B256 {
        self.signer.to_bytes()
    }
}

/// The accounts that the network's own parts use.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// Deploys and owns the contracts, holds the supply of OPEN on L1, pays for deposits.
    pub deployer: Account,
    /// Posts batches.
    pub batcher: Account,
    /// Posts output roots.
    pub proposer: Account,
    /// Signs unsafe blocks; collects fees on L2.
    pub sequencer: Account,
    /// Signs receipts.
    pub attributor: Account,
    /// Receives the platform's part of fees.
    pub platform: Account,
    /// May delete output roots and pause withdrawals.
    pub challenger: Account,
}

impl Accounts {
    /// Derives all of them.
    pub fn derive() -> Result<Self, DevnetError> {
        Ok(Self {
            deployer: Account::derive("deployer", 0)?,
            batcher: Account::derive("batcher", 1)?,
            proposer: Account::derive("proposer", 2)?,
            sequencer: Account::derive("sequencer", 3)?,
            attributor: Account::derive("attributor", 4)?,
            platform: Account::derive("platform", 5)?,
            challenger: Account::derive("challenger", 6)?,
        })
    }

    /// All of them, in the order of their derivation.
    pub fn all(&self) -> [&Account; 7] {
        [
            &self.deployer,
            &self.batcher,
            &self.proposer,
            &self.sequencer,
            &self.attributor,
            &self.platform,
            &self.challenger,
        ]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy_primitives::address;

    use super::*;

    #[test]
    fn first_accounts_are_the_ones_every_tool_derives() {
        let accounts = Accounts::derive().unwrap();
        assert_eq!(accounts.deployer.address(), address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(accounts.batcher.address(), address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"));
    }

    #[test]
    fn story_accounts_never_collide_with_roles() {
        let roles = Accounts::derive().unwrap();
        let first = Account::story("alice", 0).unwrap();
        assert!(roles.all().iter().all(|role| role.address() != first.address()));
    }
}
