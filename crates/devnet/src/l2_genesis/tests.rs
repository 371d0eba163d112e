//! The genesis, run: every claim here is checked by calling into it.
#![allow(clippy::unwrap_used)]

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy_sol_types::{SolCall, sol};
use openledger_abi::{
    BASE_FEE_VAULT, CLAIM_ROUTER, CONTRIBUTION_TOKEN, COURT, DATANET_TOKEN, DATANETS, GAS_PRICE_ORACLE,
    ICourt, L1_ATTRIBUTES_DEPOSITOR, L1_BLOCK, L2_CROSS_DOMAIN_MESSENGER, L2_ERC721_BRIDGE,
    L2_STANDARD_BRIDGE, L2_TO_L1_MESSAGE_PASSER, OPERATOR_FEE_VAULT, PROXY_ADMIN, SEQUENCER_FEE_VAULT, WETH,
    op::IL1Block,
};

use super::*;
use crate::preinstalls::{DETERMINISTIC_DEPLOYMENT_PROXY, MULTICALL3, PERMIT2, permit2_domain_separator};

sol! {
    interface IPredeploys {
        function otherMessenger() external view returns (address);
        function otherBridge() external view returns (address);
        function messenger() external view returns (address);
        function isFjord() external view returns (bool);
        function getL1Fee(bytes data) external view returns (uint256);
        function RECIPIENT() external view returns (address);
        function MIN_WITHDRAWAL_AMOUNT() external view returns (uint256);
        function WITHDRAWAL_NETWORK() external view returns (uint8);
        function symbol() external view returns (string);
        function owner() external view returns (address);
        function getProxyImplementation(address proxy) external view returns (address);
        function initialize(address other) external;
        function REMOTE_CHAIN_ID() external view returns (uint256);
    }

    interface IPreinstalls {
        struct Call { address target; bytes callData; }
        function aggregate(Call[] calls) external returns (uint256 blockNumber, bytes[] returnData);
        function getChainId() external view returns (uint256);
        function DOMAIN_SEPARATOR() external view returns (bytes32);
    }
}

const CALLER: Address = Address::repeat_byte(0x11);

struct Fixture {
    evm: GenesisEvm,
    built: L2Genesis,
    deployment: L1Deployment,
    parameters: L2Parameters,
}

impl Fixture {
    fn new() -> Self {
        let accounts = Accounts::derive().unwrap();
        let artifacts = Artifacts::find().unwrap();
        let at = |byte| Address::repeat_byte(byte);
        let deployment = L1Deployment {
            contracts: L1Contracts {
                open_token: at(0xa1),
                proxy_admin: at(0xa2),
                superchain_config: at(0xa3),
                system_config: at(0xa4),
                optimism_portal: at(0xa5),
                l2_output_oracle: at(0xa6),
                l1_cross_domain_messenger: at(0xa7),
                l1_standard_bridge: at(0xa8),
                l1_erc721_bridge: at(0xa9),
                optimism_mintable_erc20_factory: at(0xaa),
                multicall3: MULTICALL3,
                batch_inbox: at(0xab),
            },
            origin: BlockNumHash { number: 3, hash: B256::repeat_byte(0x33) },
            origin_timestamp: 1_800_000_000,
        };
        let l1 = L1Parameters::devnet(&accounts, L2_CHAIN_ID);
        let parameters = L2Parameters::devnet(&accounts);
        let built = build_l2_genesis(&artifacts, &deployment, &l1, &parameters).unwrap();
        Self { evm: GenesisEvm::on(&built.genesis), built, deployment, parameters }
    }

    fn call<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        let output = self.evm.call(C::SIGNATURE, CALLER, to, call.abi_encode().into()).unwrap();
        C::abi_decode_returns(&output).unwrap()
    }
}

#[test]
fn genesis_allocates_no_open() {
    let genesis = Fixture::new().built.genesis;
    assert!(genesis.alloc.values().all(|account| account.balance.is_zero()));
}

#[test]
fn genesis_is_the_same_from_the_same_deployment() {
    let (one, other) = (Fixture::new().built, Fixture::new().built);
    assert_eq!(serde_json::to_string(&one.genesis).unwrap(), serde_json::to_string(&other.genesis).unwrap());
    assert_eq!(one.rollup, other.rollup);
}

#[test]
fn written_files_read_back_as_the_same_chain() {
    let built = Fixture::new().built;
    let spec = ChainSpec::from_json(&serde_json::to_string(&built.genesis).unwrap()).unwrap();
    let rollup = RollupConfig::from_json(&serde_json::to_string(&built.rollup).unwrap()).unwrap();
    assert_eq!(spec.genesis_hash(), built.rollup.genesis.l2.hash);
    rollup.validate_against(&spec).unwrap();
}

#[test]
fn l1_block_names_open_as_gas_token_before_the_first_deposit() {
    let mut fixture = Fixture::new();
    let token = fixture.call(L1_BLOCK, &IL1Block::gasPayingTokenCall {});
    assert_eq!((token.addr_, token.decimals_), (fixture.deployment.contracts.open_token, 18));
    assert_eq!(fixture.call(L1_BLOCK, &IL1Block::gasPayingTokenNameCall {}), "OpenLedger");
    assert_eq!(fixture.call(L1_BLOCK, &IL1Block::gasPayingTokenSymbolCall {}), "OPEN");
    assert!(fixture.call(L1_BLOCK, &IL1Block::isCustomGasTokenCall {}));
    assert_eq!(fixture.call(WETH, &IPredeploys::symbolCall {}), "WOPEN");
}

#[test]
fn l1_block_takes_attributes_from_the_depositor_through_its_proxy() {
    let mut fixture = Fixture::new();
    // selector, scalars, sequence number, then words: see the Ecotone L1 attributes.
    let mut data = IL1Block::setL1BlockValuesEcotoneCall::SELECTOR.to_vec();
    data.extend_from_slice(&7u32.to_be_bytes()); // base fee scalar
    data.extend_from_slice(&9u32.to_be_bytes()); // blob base fee scalar
    data.extend_from_slice(&0u64.to_be_bytes());
    data.extend_from_slice(&1_800_000_001u64.to_be_bytes());
    data.extend_from_slice(&77u64.to_be_bytes());
    data.extend_from_slice(&[0u8; 32 * 4]);
    let data = Bytes::from(data);
    let refused = fixture.evm.call("attributes", CALLER, L1_BLOCK, data.clone());
    assert!(refused.is_err());
    fixture.evm.call("attributes", L1_ATTRIBUTES_DEPOSITOR, L1_BLOCK, data).unwrap();
    assert_eq!(fixture.call(L1_BLOCK, &IL1Block::numberCall {}), 77);
    assert_eq!(fixture.call(L1_BLOCK, &IL1Block::baseFeeScalarCall {}), 7);
    assert!(fixture.call(L1_BLOCK, &IL1Block::isCustomGasTokenCall {}));
}

#[test]
fn messengers_and_bridges_know_their_counterparts_on_l1() {
    let mut fixture = Fixture::new();
    let l1 = fixture.deployment.contracts.clone();
    let messenger = IPredeploys::otherMessengerCall {};
    assert_eq!(fixture.call(L2_CROSS_DOMAIN_MESSENGER, &messenger), l1.l1_cross_domain_messenger);
    let bridge = IPredeploys::otherBridgeCall {};
    assert_eq!(fixture.call(L2_STANDARD_BRIDGE, &bridge), l1.l1_standard_bridge);
    assert_eq!(fixture.call(L2_ERC721_BRIDGE, &bridge), l1.l1_erc721_bridge);
    let messenger = IPredeploys::messengerCall {};
    assert_eq!(fixture.call(L2_STANDARD_BRIDGE, &messenger), L2_CROSS_DOMAIN_MESSENGER);
}

#[test]
fn predeploys_cannot_be_initialized_again() {
    let mut fixture = Fixture::new();
    let call: Bytes = IPredeploys::initializeCall { other: CALLER }.abi_encode().into();
    for at in [L2_CROSS_DOMAIN_MESSENGER, L2_STANDARD_BRIDGE, L2_ERC721_BRIDGE] {
        assert!(fixture.evm.call("initialize", CALLER, at, call.clone()).is_err());
    }
}

#[test]
fn gas_price_oracle_speaks_fjord() {
    let mut fixture = Fixture::new();
    assert!(fixture.call(GAS_PRICE_ORACLE, &IPredeploys::isFjordCall {}));
    // Nothing is charged before the first L1 attributes.
    let fee = IPredeploys::getL1FeeCall { data: Bytes::from(vec![7; 100]) };
    assert_eq!(fixture.call(GAS_PRICE_ORACLE, &fee), U256::ZERO);
}

#[test]
fn fee_vaults_pay_the_recipient_on_l2() {
    let mut fixture = Fixture::new();
    for vault in [SEQUENCER_FEE_VAULT, BASE_FEE_VAULT, OPERATOR_FEE_VAULT] {
        let recipient = fixture.call(vault, &IPredeploys::RECIPIENTCall {});
        assert_eq!(recipient, fixture.parameters.fee_recipient);
        let minimum = fixture.call(vault, &IPredeploys::MIN_WITHDRAWAL_AMOUNTCall {});
        assert_eq!(minimum, fixture.parameters.fee_withdrawal_minimum);
        assert_eq!(fixture.call(vault, &IPredeploys::WITHDRAWAL_NETWORKCall {}), 1);
    }
}

#[test]
fn proxy_admin_has_its_owner_and_sees_the_implementations() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.call(PROXY_ADMIN, &IPredeploys::ownerCall {}), fixture.parameters.owner);
    let call = IPredeploys::getProxyImplementationCall { proxy: L2_TO_L1_MESSAGE_PASSER };
    let implementation = fixture.call(PROXY_ADMIN, &call);
    assert_eq!(implementation, address!("c0D3C0d3C0d3C0D3c0d3C0d3c0D3C0d3c0d30016"));
}

#[test]
fn multicall3_aggregates_calls_of_other_contracts() {
    let mut fixture = Fixture::new();
    let call = IPreinstalls::aggregateCall {
        calls: vec![IPreinstalls::Call {
            target: MULTICALL3,
            callData: IPreinstalls::getChainIdCall {}.abi_encode().into(),
        }],
    };
    let returned = fixture.call(MULTICALL3, &call).returnData;
    assert_eq!(returned, [Bytes::from(U256::from(L2_CHAIN_ID).to_be_bytes::<32>())]);
}

#[test]
fn permit2_signs_for_this_chain() {
    let mut fixture = Fixture::new();
    let separator = fixture.call(PERMIT2, &IPreinstalls::DOMAIN_SEPARATORCall {});
    assert_eq!(separator, permit2_domain_separator(L2_CHAIN_ID));
}

#[test]
fn deterministic_deployer_puts_code_at_the_address_of_its_salt() {
    let mut fixture = Fixture::new();
    // Returns the one byte 0x00 as code.
    let init_code = [0x60, 0x01, 0x60, 0x00, 0xf3];
    let salt = B256::repeat_byte(0x5a);
    let data = [salt.as_slice(), &init_code].concat().into();
    fixture.evm.call("create2", CALLER, DETERMINISTIC_DEPLOYMENT_PROXY, data).unwrap();
    let at = DETERMINISTIC_DEPLOYMENT_PROXY.create2(salt, keccak256(init_code));
    assert_eq!(fixture.evm.code(at), Bytes::from_static(&[0]));
}

#[test]
fn facades_and_precompile_accounts_are_there() {
    let fixture = Fixture::new();
    for facade in [DATANET_TOKEN, CONTRIBUTION_TOKEN, CLAIM_ROUTER] {
        assert!(fixture.evm.code(facade).len() > 100, "{facade}");
    }
    let datanets = &fixture.built.genesis.alloc[&DATANETS];
    assert!(datanets.storage.as_ref().is_some_and(|storage| !storage.is_empty()));
    assert_eq!((datanets.code.clone(), datanets.nonce), (Some(Bytes::from_static(&[0xef])), Some(1)));
}

#[test]
fn court_asks_for_what_the_network_chose() {
    let mut fixture = Fixture::new();
    let chosen = fixture.parameters.court.clone();
    assert_eq!(fixture.call(COURT, &ICourt::challengeStakeCall {}), chosen.challenge_stake_wei);
    assert_eq!(fixture.call(COURT, &ICourt::appealBondCall {}), chosen.appeal_bond_wei);
    let periods = fixture.call(COURT, &ICourt::periodsCall {});
    let blocks = (chosen.evidence_blocks, chosen.voting_blocks, chosen.appeal_blocks);
    assert_eq!((periods.evidence, periods.voting, periods.appeal), blocks);
}
