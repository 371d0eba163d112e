//! `devnet.json`: what users and tools need to know of a running network.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use openledger_abi::{
    ATTRIBUTION, CLAIM_ROUTER, CONTRIBUTION_TOKEN, DATANET_TOKEN, DATANETS, L1_BLOCK,
    L2_CROSS_DOMAIN_MESSENGER, L2_STANDARD_BRIDGE, L2_TO_L1_MESSAGE_PASSER, PAYOUTS, WETH,
};
use serde::{Deserialize, Serialize};

use crate::{Account, L1_CHAIN_ID, L2_CHAIN_ID, Roles, processes::names};

/// The contents of `devnet.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevnetJson {
    /// L1's JSON-RPC and blobs.
    pub l1_http: String,
    /// L2's JSON-RPC.
    pub l2_http: String,
    /// L2's WebSocket.
    pub l2_ws: String,
    /// The verifier's JSON-RPC.
    pub verifier_http: String,
    /// The attributor's HTTP.
    pub attributor_http: String,
    /// L1's chain id.
    pub l1_chain_id: u64,
    /// L2's chain id.
    pub l2_chain_id: u64,
    /// Contracts of L1 and L2 by name.
    pub contracts: BTreeMap<String, Address>,
    /// Accounts that hold OPEN or ether, with their keys, which are public.
    pub accounts: Vec<AccountJson>,
    /// The exact command line of each process, by role.
    pub commands: BTreeMap<String, String>,
}

/// One account in `devnet.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountJson {
    /// What it is for.
    pub name: String,
    /// Its address.
    pub address: Address,
    /// Its key.
    pub private_key: B256,
}

impl From<&Account> for AccountJson {
    fn from(account: &Account) -> Self {
        Self { name: account.name.clone(), address: account.address(), private_key: account.private_key() }
    }
}

impl DevnetJson {
    /// Describes a network; `l1_command` is how its L1 was started.
    pub fn new<'a>(
        roles: &Roles,
        l1_command: String,
        accounts: impl IntoIterator<Item = &'a Account>,
    ) -> Self {
        let l2_contracts = [
            ("Datanets", DATANETS),
            ("Attribution", ATTRIBUTION),
            ("Payouts", PAYOUTS),
            ("DatanetToken", DATANET_TOKEN),
            ("ContributionToken", CONTRIBUTION_TOKEN),
            ("ClaimRouter", CLAIM_ROUTER),
            ("L1Block", L1_BLOCK),
            ("L2CrossDomainMessenger", L2_CROSS_DOMAIN_MESSENGER),
            ("L2StandardBridge", L2_STANDARD_BRIDGE),
            ("L2ToL1MessagePasser", L2_TO_L1_MESSAGE_PASSER),
            ("WETH", WETH),
        ];
        let mut contracts = roles.contracts.by_name();
        contracts.extend(l2_contracts.into_iter().map(|(name, address)| (name.to_owned(), address)));
        let mut commands = BTreeMap::from([
            ("l1".to_owned(), l1_command),
            (names::SEQUENCER.to_owned(), roles.sequencer().to_string()),
            (names::BATCHER.to_owned(), roles.batcher().to_string()),
            (names::PROPOSER.to_owned(), roles.proposer().to_string()),
            (names::VERIFIER.to_owned(), roles.verifier().to_string()),
        ]);
        if let Some(attributor) = roles.attributor() {
            commands.insert(names::ATTRIBUTOR.to_owned(), attributor.to_string());
        }
        Self {
            l1_http: roles.l1_http(),
            l2_http: roles.l2_http(),
            l2_ws: roles.l2_ws(),
            verifier_http: roles.verifier_http(),
            attributor_http: roles.attributor_http(),
            l1_chain_id: L1_CHAIN_ID,
            l2_chain_id: L2_CHAIN_ID,
            contracts,
            accounts: accounts.into_iter().map(AccountJson::from).collect(),
            commands,
        }
    }
}
