//! Deploys the OP Stack's L1 contracts with OPEN as gas token, by ordinary transactions.
//!
//! All contracts come from one account, so their addresses are known before anything is sent. Two
//! rounds of transactions suffice: everything but the output oracle's set-up, and, once the block
//! is known that L2 starts after, the oracle's.

mod addresses;
mod initializers;
mod parameters;

use alloy_eips::{BlockId, BlockNumHash, BlockNumberOrTag};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_provider::Provider;
use alloy_sol_types::{SolCall, SolValue};

use self::initializers::{
    IL1Bridge, IL1Erc721Bridge, IL1Messenger, IL2OutputOracle, IMintableFactory, IOptimismPortal,
    IProxyAdmin, ISuperchainConfig, ISystemConfig, SystemAddresses,
};
pub use self::{
    addresses::{L1Contracts, L1Deployment},
    parameters::{L1Parameters, OPEN_DECIMALS, OPEN_NAME, OPEN_SUPPLY_WEI, OPEN_SYMBOL},
};
use crate::{
    Artifacts, Call, DevnetError, Wallet,
    artifacts::address_word,
    preinstalls::{MULTICALL3, Preinstalls},
};

/// Gas for a set-up call; the largest, the system configuration's, takes a third of it.
const SETUP_GAS: u64 = 1_200_000;

/// Deploys everything and waits until it is mined.
pub async fn deploy(
    deployer: &Wallet,
    artifacts: &Artifacts,
    parameters: &L1Parameters,
) -> Result<L1Deployment, DevnetError> {
    let mut plan = Plan::new(deployer.address(), deployer.next_nonce().await?, artifacts);
    let contracts = plan.contracts(parameters)?;
    let implementations = plan.implementations()?;
    plan.set_up(&contracts, &implementations, parameters);
    put_multicall3(deployer, artifacts).await?;

    let receipts = deployer.send_all(plan.calls).await?;
    let number = receipts
        .iter()
        .filter_map(|receipt| receipt.block_number)
        .max()
        .ok_or_else(|| missing_block("of the last transaction"))?;
    let origin = deployer
        .provider()
        .get_block(BlockId::Number(BlockNumberOrTag::Number(number)))
        .await
        .map_err(DevnetError::rpc("eth_getBlockByNumber"))?
        .ok_or_else(|| missing_block(&number.to_string()))?;
    let origin_timestamp = origin.header.timestamp;

    let oracle = IL2OutputOracle::initializeCall {
        submissionInterval: U256::from(parameters.submission_interval_blocks),
        l2BlockTime: U256::from(parameters.l2_block_time_seconds),
        startingBlockNumber: U256::ZERO,
        startingTimestamp: U256::from(origin_timestamp),
        proposer: parameters.proposer,
        challenger: parameters.challenger,
        finalizationPeriodSeconds: U256::from(parameters.finalization_period_seconds),
    };
    let call = set_up_proxy(
        "L2OutputOracle",
        contracts.proxy_admin,
        contracts.l2_output_oracle,
        implementations.l2_output_oracle,
        &oracle,
    );
    deployer.send(call).await?;
    let origin = BlockNumHash { number, hash: origin.header.hash };
    Ok(L1Deployment { contracts, origin, origin_timestamp })
}

fn missing_block(which: &str) -> DevnetError {
    DevnetError::Rpc { what: format!("L1 block {which}"), reason: "not there".to_owned() }
}

/// On a public chain a transaction signed for no chain in particular puts multicall3 at its address;
/// here the code is set there.
async fn put_multicall3(deployer: &Wallet, artifacts: &Artifacts) -> Result<(), DevnetError> {
    let code = Preinstalls::read(artifacts)?.code("MultiCall3Code")?;
    deployer
        .provider()
        .raw_request::<_, serde_json::Value>("anvil_setCode".into(), (MULTICALL3, code))
        .await
        .map(drop)
        .map_err(DevnetError::rpc("anvil_setCode of multicall3"))
}

/// Code behind the proxies.
#[derive(Debug, Clone, Copy)]
struct Implementations {
    superchain_config: Address,
    system_config: Address,
    optimism_portal: Address,
    l2_output_oracle: Address,
    l1_cross_domain_messenger: Address,
    l1_standard_bridge: Address,
    l1_erc721_bridge: Address,
    optimism_mintable_erc20_factory: Address,
}

/// The transactions to send, and the addresses they will have made.
struct Plan<'a> {
    deployer: Address,
    next_nonce: u64,
    artifacts: &'a Artifacts,
    calls: Vec<Call>,
}

impl<'a> Plan<'a> {
    const fn new(deployer: Address, next_nonce: u64, artifacts: &'a Artifacts) -> Self {
        Self { deployer, next_nonce, artifacts, calls: Vec::new() }
    }

    fn create(&mut self, label: &str, init_code: Bytes) -> Address {
        let address = self.deployer.create(self.next_nonce);
        let length = u64::try_from(init_code.len()).unwrap_or(u64::MAX);
        let call = Call {
            label: format!("deploy {label}"),
            to: TxKind::Create,
            // Deposit of the code, its calldata, and whatever the constructor stores.
            gas_limit: Some(length.saturating_mul(240).saturating_add(600_000)),
            input: init_code,
            value: U256::ZERO,
        };
        self.push(call);
        address
    }

    fn push(&mut self, call: Call) {
        self.calls.push(call);
        self.next_nonce += 1;
    }

    fn implementation(&mut self, name: &str) -> Result<Address, DevnetError> {
        let init_code = self.artifacts.op(name)?.init_code;
        Ok(self.create(name, init_code))
    }

    /// The token, the proxies' admin and the proxies.
    fn contracts(&mut self, parameters: &L1Parameters) -> Result<L1Contracts, DevnetError> {
        let open = self
            .artifacts
            .own("OpenToken")?
            .init_code_with(&(parameters.owner, OPEN_SUPPLY_WEI).abi_encode_params());
        let admin = self.artifacts.op("ProxyAdmin")?;
        let open_token = self.create("OpenToken", open);
        let admin = admin.init_code_with(&address_word(parameters.owner));
        let proxy_admin = self.create("ProxyAdmin", admin);
        let proxy = self.artifacts.op("Proxy")?.init_code_with(&address_word(proxy_admin));
        let mut proxy_of = |name: &str| self.create(&format!("proxy of {name}"), proxy.clone());
        Ok(L1Contracts {
            open_token,
            proxy_admin,
            superchain_config: proxy_of("SuperchainConfig"),
            system_config: proxy_of("SystemConfig"),
            optimism_portal: proxy_of("OptimismPortal"),
            l2_output_oracle: proxy_of("L2OutputOracle"),
            l1_cross_domain_messenger: proxy_of("L1CrossDomainMessenger"),
            l1_standard_bridge: proxy_of("L1StandardBridge"),
            l1_erc721_bridge: proxy_of("L1ERC721Bridge"),
            optimism_mintable_erc20_factory: proxy_of("OptimismMintableERC20Factory"),
            multicall3: MULTICALL3,
            batch_inbox: parameters.batch_inbox,
        })
    }

    fn implementations(&mut self) -> Result<Implementations, DevnetError> {
        Ok(Implementations {
            superchain_config: self.implementation("SuperchainConfig")?,
            system_config: self.implementation("SystemConfig")?,
            optimism_portal: self.implementation("OptimismPortal")?,
            l2_output_oracle: self.implementation("L2OutputOracle")?,
            l1_cross_domain_messenger: self.implementation("L1CrossDomainMessenger")?,
            l1_standard_bridge: self.implementation("L1StandardBridge")?,
            l1_erc721_bridge: self.implementation("L1ERC721Bridge")?,
            optimism_mintable_erc20_factory: self.implementation("OptimismMintableERC20Factory")?,
        })
    }

    /// Set-up calls. The portal comes before the system configuration, which hands it the gas token
    /// and is believed only once the portal knows it.
    fn set_up(&mut self, at: &L1Contracts, code: &Implementations, parameters: &L1Parameters) {
        let admin = at.proxy_admin;
        let superchain = ISuperchainConfig::initializeCall { guardian: parameters.challenger, paused: false };
        let portal = IOptimismPortal::initializeCall {
            l2Oracle: at.l2_output_oracle,
            systemConfig: at.system_config,
            superchainConfig: at.superchain_config,
        };
        let messenger = IL1Messenger::initializeCall {
            superchainConfig: at.superchain_config,
            portal: at.optimism_portal,
            systemConfig: at.system_config,
        };
        let bridge = IL1Bridge::initializeCall {
            messenger: at.l1_cross_domain_messenger,
            superchainConfig: at.superchain_config,
            systemConfig: at.system_config,
        };
        let erc721_bridge = IL1Erc721Bridge::initializeCall {
            messenger: at.l1_cross_domain_messenger,
            superchainConfig: at.superchain_config,
        };
        let factory = IMintableFactory::initializeCall { bridge: at.l1_standard_bridge };
        let system = system_config_call(at, parameters);
        for call in [
            set_up_proxy(
                "SuperchainConfig",
                admin,
                at.superchain_config,
                code.superchain_config,
                &superchain,
            ),
            set_up_proxy("OptimismPortal", admin, at.optimism_portal, code.optimism_portal, &portal),
            set_up_proxy("SystemConfig", admin, at.system_config, code.system_config, &system),
            set_up_proxy(
                "L1CrossDomainMessenger",
                admin,
                at.l1_cross_domain_messenger,
                code.l1_cross_domain_messenger,
                &messenger,
            ),
            set_up_proxy("L1StandardBridge", admin, at.l1_standard_bridge, code.l1_standard_bridge, &bridge),
            set_up_proxy("L1ERC721Bridge", admin, at.l1_erc721_bridge, code.l1_erc721_bridge, &erc721_bridge),
            set_up_proxy(
                "OptimismMintableERC20Factory",
                admin,
                at.optimism_mintable_erc20_factory,
                code.optimism_mintable_erc20_factory,
                &factory,
            ),
        ] {
            self.push(call);
        }
    }
}

fn system_config_call(at: &L1Contracts, parameters: &L1Parameters) -> ISystemConfig::initializeCall {
    ISystemConfig::initializeCall {
        owner: parameters.owner,
        basefeeScalar: parameters.base_fee_scalar,
        blobbasefeeScalar: parameters.blob_base_fee_scalar,
        batcherHash: parameters.batcher.into_word(),
        gasLimit: parameters.gas_limit,
        unsafeBlockSigner: parameters.unsafe_signer,
        config: L1Parameters::resource_config(),
        batchInbox: parameters.batch_inbox,
        addresses: SystemAddresses {
            l1CrossDomainMessenger: at.l1_cross_domain_messenger,
            l1ERC721Bridge: at.l1_erc721_bridge,
            l1StandardBridge: at.l1_standard_bridge,
            disputeGameFactory: Address::ZERO,
            optimismPortal: at.optimism_portal,
            optimismMintableERC20Factory: at.optimism_mintable_erc20_factory,
            gasPayingToken: at.open_token,
        },
    }
}

fn set_up_proxy(
    name: &str,
    proxy_admin: Address,
    proxy: Address,
    implementation: Address,
    initialize: &impl SolCall,
) -> Call {
    let call =
        IProxyAdmin::upgradeAndCallCall { proxy, implementation, data: initialize.abi_encode().into() };
    Call::function(format!("set up {name}"), proxy_admin, &call).with_gas_limit(SETUP_GAS)
}
