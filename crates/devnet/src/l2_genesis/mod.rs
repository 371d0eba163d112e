//! Builds the L2 genesis: predeploys, preinstalls, our façades, court and precompile accounts. Nobody owns
//! OPEN in it; all of it comes by deposits.

mod evm;
mod own;
mod predeploys;
#[cfg(test)]
mod tests;

use alloy_eips::{BlockNumHash, eip2935, eip4788};
use alloy_genesis::{ChainConfig, Genesis};
use alloy_primitives::{Address, Bytes, U256, address};
use openledger_chainspec::{ChainSpec, OptimismConfig, RollupConfig, RollupGenesis};
use openledger_precompiles::Parameters;
use serde_json::json;

use self::evm::GenesisEvm;
use crate::{
    Accounts, Artifacts, DevnetError, L1_CHAIN_ID, L1Contracts, L1Deployment, L1Parameters,
    preinstalls::Preinstalls,
};

/// Chain id of the devnet's L2: the letters `OPEN`.
pub const L2_CHAIN_ID: u64 = 0x4f50_454e;

/// EIP-1559 elasticity of L2's base fee.
const EIP1559_ELASTICITY: u32 = 6;
/// EIP-1559 denominator of L2's base fee, since Canyon.
const EIP1559_DENOMINATOR: u32 = 250;
/// The denominator before Canyon, which is never in force here.
const EIP1559_DENOMINATOR_BEFORE_CANYON: u32 = 50;
/// Base fee of the first block, in wei.
const INITIAL_BASE_FEE_WEI: u128 = 1_000_000;

/// Sender of EIP-4788's deployment; its nonce shows that it has deployed.
const BEACON_ROOTS_SENDER: Address = address!("0B799C86a49DEeb90402691F1041aa3AF2d3C875");
/// Sender of EIP-2935's deployment.
const HISTORY_STORAGE_SENDER: Address = address!("3462413Af4609098e1E27A490f554f260213D685");

/// What of the genesis is the network's choice.
#[derive(Debug, Clone)]
pub struct L2Parameters {
    /// Chain id of L2.
    pub chain_id: u64,
    /// Chain id of L1.
    pub l1_chain_id: u64,
    /// Gas limit of a block.
    pub gas_limit: u64,
    /// Owner of the proxies' admin.
    pub owner: Address,
    /// Who the fee vaults pay, on L2.
    pub fee_recipient: Address,
    /// What a vault must hold before it pays, in wei.
    pub fee_withdrawal_minimum: U256,
    /// What the precompiles start with.
    pub precompiles: Parameters,
    /// What the court asks for.
    pub court: CourtParameters,
    /// Seconds between two blocks.
    pub block_time_seconds: u64,
}

/// What challenging a receipt costs, and how long each step of a case may take.
#[derive(Debug, Clone)]
pub struct CourtParameters {
    /// Wei that a challenge costs.
    pub challenge_stake_wei: U256,
    /// Wei that an appeal costs.
    pub appeal_bond_wei: U256,
    /// Blocks for the attestor to deliver evidence.
    pub evidence_blocks: u64,
    /// Blocks for the judges to vote.
    pub voting_blocks: u64,
    /// Blocks for the loser to appeal.
    pub appeal_blocks: u64,
}

impl L2Parameters {
    /// The devnet's choice.
    pub fn devnet(accounts: &Accounts) -> Self {
        Self {
            chain_id: L2_CHAIN_ID,
            l1_chain_id: L1_CHAIN_ID,
            gas_limit: 60_000_000,
            owner: accounts.deployer.address(),
            fee_recipient: accounts.sequencer.address(),
            fee_withdrawal_minimum: U256::from(10_000_000_000_000_000u64),
            precompiles: Parameters {
                commit_deposit: U256::from(100_000_000_000_000_000u64),
                reveal_window: 256,
                challenge_window: 60,
                platform: accounts.platform.address(),
                minimum_deadline: 30,
                maximum_deadline: 3_600,
            },
            court: CourtParameters {
                challenge_stake_wei: U256::from(100_000_000_000_000_000u64),
                appeal_bond_wei: U256::from(200_000_000_000_000_000u64),
                evidence_blocks: 60,
                voting_blocks: 60,
                appeal_blocks: 60,
            },
            block_time_seconds: 1,
        }
    }
}

/// The genesis and the configuration that goes with it.
#[derive(Debug, Clone)]
pub struct L2Genesis {
    /// What `genesis.json` holds.
    pub genesis: Genesis,
    /// What `rollup.json` holds.
    pub rollup: RollupConfig,
}

/// Builds genesis and rollup configuration for an L1 deployment, and checks one against the other.
pub fn build_l2_genesis(
    artifacts: &Artifacts,
    deployment: &L1Deployment,
    l1: &L1Parameters,
    l2: &L2Parameters,
) -> Result<L2Genesis, DevnetError> {
    let genesis = Genesis {
        config: chain_config(l2.chain_id),
        timestamp: deployment.origin_timestamp,
        extra_data: holocene_extra_data(),
        gas_limit: l2.gas_limit,
        base_fee_per_gas: Some(INITIAL_BASE_FEE_WEI),
        alloc: alloc(artifacts, &deployment.contracts, l2, deployment.origin_timestamp)?,
        ..Default::default()
    };
    let spec = ChainSpec::from_genesis(genesis.clone())?;
    let rollup = rollup_config(deployment, l1, l2, spec.genesis_hash());
    rollup.validate()?;
    rollup.validate_against(&spec)?;
    Ok(L2Genesis { genesis, rollup })
}

fn alloc(
    artifacts: &Artifacts,
    l1: &L1Contracts,
    parameters: &L2Parameters,
    timestamp: u64,
) -> Result<std::collections::BTreeMap<Address, alloy_genesis::GenesisAccount>, DevnetError> {
    let mut evm = GenesisEvm::new(parameters.chain_id, timestamp);
    predeploys::place(&mut evm, artifacts, l1, parameters)?;
    for (address, code) in Preinstalls::read(artifacts)?.all(parameters.chain_id)? {
        evm.put(address, code, []);
    }
    evm.put(eip4788::BEACON_ROOTS_ADDRESS, eip4788::BEACON_ROOTS_CODE.clone(), []);
    evm.put(eip2935::HISTORY_STORAGE_ADDRESS, eip2935::HISTORY_STORAGE_CODE.clone(), []);
    evm.put_nonce(BEACON_ROOTS_SENDER, 1);
    evm.put_nonce(HISTORY_STORAGE_SENDER, 1);
    own::place(&mut evm, artifacts, parameters)?;
    Ok(evm.into_alloc())
}

/// Every Ethereum fork up to Prague and every OP fork up to Isthmus from the first block on.
fn chain_config(chain_id: u64) -> ChainConfig {
    let op = json!({
        "bedrockBlock": 0,
        "regolithTime": 0,
        "canyonTime": 0,
        "ecotoneTime": 0,
        "fjordTime": 0,
        "graniteTime": 0,
        "holoceneTime": 0,
        "isthmusTime": 0,
        "optimism": {
            "eip1559Elasticity": EIP1559_ELASTICITY,
            "eip1559Denominator": EIP1559_DENOMINATOR_BEFORE_CANYON,
            "eip1559DenominatorCanyon": EIP1559_DENOMINATOR,
        },
        "openledger": { "meridianTime": 0 },
    });
    let mut config = ChainConfig {
        chain_id,
        homestead_block: Some(0),
        eip150_block: Some(0),
        eip155_block: Some(0),
        eip158_block: Some(0),
        byzantium_block: Some(0),
        constantinople_block: Some(0),
        petersburg_block: Some(0),
        istanbul_block: Some(0),
        muir_glacier_block: Some(0),
        berlin_block: Some(0),
        london_block: Some(0),
        arrow_glacier_block: Some(0),
        gray_glacier_block: Some(0),
        merge_netsplit_block: Some(0),
        shanghai_time: Some(0),
        cancun_time: Some(0),
        prague_time: Some(0),
        terminal_total_difficulty: Some(U256::ZERO),
        terminal_total_difficulty_passed: true,
        ..Default::default()
    };
    if let serde_json::Value::Object(fields) = op {
        for (key, value) in fields {
            config.extra_fields.insert(key, value);
        }
    }
    config
}

/// Version 0, then denominator and elasticity, big-endian.
fn holocene_extra_data() -> Bytes {
    [&[0][..], &EIP1559_DENOMINATOR.to_be_bytes(), &EIP1559_ELASTICITY.to_be_bytes()].concat().into()
}

fn rollup_config(
    deployment: &L1Deployment,
    l1: &L1Parameters,
    l2: &L2Parameters,
    genesis_hash: alloy_primitives::B256,
) -> RollupConfig {
    let at = &deployment.contracts;
    RollupConfig {
        genesis: RollupGenesis {
            l1: deployment.origin,
            l2: BlockNumHash { number: 0, hash: genesis_hash },
            l2_time: deployment.origin_timestamp,
            system_config: l1.system_config(),
        },
        block_time: l2.block_time_seconds,
        max_sequencer_drift: 600,
        seq_window_size: 3_600,
        channel_timeout: 300,
        granite_channel_timeout: openledger_chainspec::GRANITE_CHANNEL_TIMEOUT_BLOCKS,
        l1_chain_id: l2.l1_chain_id,
        l2_chain_id: l2.chain_id,
        regolith_time: Some(0),
        canyon_time: Some(0),
        delta_time: Some(0),
        ecotone_time: Some(0),
        fjord_time: Some(0),
        granite_time: Some(0),
        holocene_time: Some(0),
        isthmus_time: Some(0),
        batch_inbox_address: l1.batch_inbox,
        deposit_contract_address: at.optimism_portal,
        l1_system_config_address: at.system_config,
        chain_op_config: Some(OptimismConfig {
            eip1559_elasticity: u64::from(EIP1559_ELASTICITY),
            eip1559_denominator: u64::from(EIP1559_DENOMINATOR_BEFORE_CANYON),
            eip1559_denominator_canyon: Some(u64::from(EIP1559_DENOMINATOR)),
        }),
        ..Default::default()
    }
}
