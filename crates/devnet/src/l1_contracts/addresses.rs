//! Where the L1 contracts are.

use std::collections::BTreeMap;

use alloy_eips::BlockNumHash;
use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

/// Addresses of the deployed L1 contracts; of a proxied contract, its proxy's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L1Contracts {
    /// OPEN, the ERC-20 that pays for gas on L2.
    pub open_token: Address,
    /// Admin of all proxies.
    pub proxy_admin: Address,
    /// Pause switch and guardian.
    pub superchain_config: Address,
    /// The rollup's parameters.
    pub system_config: Address,
    /// Deposits and withdrawals.
    pub optimism_portal: Address,
    /// Output roots.
    pub l2_output_oracle: Address,
    /// Messages.
    pub l1_cross_domain_messenger: Address,
    /// Tokens.
    pub l1_standard_bridge: Address,
    /// ERC-721 tokens.
    #[serde(rename = "l1ERC721Bridge")]
    pub l1_erc721_bridge: Address,
    /// Makes L1 twins of L2 tokens.
    #[serde(rename = "optimismMintableERC20Factory")]
    pub optimism_mintable_erc20_factory: Address,
    /// Aggregated calls; at its address of every chain.
    pub multicall3: Address,
    /// Where batches go; holds no code.
    pub batch_inbox: Address,
}

impl L1Contracts {
    /// All addresses by the contracts' names.
    pub fn by_name(&self) -> BTreeMap<String, Address> {
        [
            ("OpenToken", self.open_token),
            ("ProxyAdmin", self.proxy_admin),
            ("SuperchainConfig", self.superchain_config),
            ("SystemConfig", self.system_config),
            ("OptimismPortal", self.optimism_portal),
            ("L2OutputOracle", self.l2_output_oracle),
            ("L1CrossDomainMessenger", self.l1_cross_domain_messenger),
            ("L1StandardBridge", self.l1_standard_bridge),
            ("L1ERC721Bridge", self.l1_erc721_bridge),
            ("OptimismMintableERC20Factory", self.optimism_mintable_erc20_factory),
            ("Multicall3", self.multicall3),
            ("BatchInbox", self.batch_inbox),
        ]
        .map(|(name, address)| (name.to_owned(), address))
        .into()
    }
}

/// A finished deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L1Deployment {
    /// The contracts.
    pub contracts: L1Contracts,
    /// The L1 block after which the rollup starts: it holds the configuration, and L2 deposits are
    /// taken from later ones.
    pub origin: BlockNumHash,
    /// Timestamp of that block in seconds; L2's genesis has the same.
    pub origin_timestamp: u64,
}
