//! What a genesis and a rollup configuration mean, and what is refused.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_consensus::Header;
use alloy_hardforks::EthereumHardforks;
use alloy_op_hardforks::{OpHardfork, OpHardforks};
use alloy_primitives::{B256, Bytes, address, b256, hex};
use openledger_chainspec::{ChainSpec, OpenLedgerHardfork, RollupConfig};

fn spec(config: &str, rest: &str) -> Result<ChainSpec, openledger_chainspec::ChainSpecError> {
    let optimism = r#""optimism": {"eip1559Elasticity": 6, "eip1559Denominator": 50,
        "eip1559DenominatorCanyon": 250}"#;
    ChainSpec::from_json(&format!(
        r#"{{"config": {{"chainId": 901, {optimism} {config}}}, "timestamp": "0x10",
            "gasLimit": "0x1c9c380", "difficulty": "0x0", "alloc": {{}} {rest}}}"#
    ))
}

#[test]
fn isthmus_is_active_from_genesis_and_jovian_only_when_set() {
    let isthmus = spec("", "").unwrap();
    assert!(isthmus.is_isthmus_active_at_timestamp(16));
    assert!(isthmus.is_prague_active_at_timestamp(16));
    assert!(!isthmus.is_jovian_active_at_timestamp(u64::MAX));
    assert!(!isthmus.is_osaka_active_at_timestamp(u64::MAX));
    assert!(!isthmus.is_openledger_fork_active(OpenLedgerHardfork::Meridian, u64::MAX));
    assert!(spec(r#", "jovianTime": 0"#, "").unwrap().is_jovian_active_at_timestamp(16));
}

#[test]
fn genesis_header_has_the_fields_of_isthmus() {
    let spec = spec("", "").unwrap();
    let header = spec.genesis_header();
    let empty_root = b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
    let no_requests = b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(header.withdrawals_root, Some(empty_root));
    assert_eq!(header.requests_hash, Some(no_requests));
    assert_eq!(header.parent_beacon_block_root, Some(B256::ZERO));
    assert_eq!((header.blob_gas_used, header.excess_blob_gas), (Some(0), Some(0)));
    assert_eq!(header.extra_data[..], hex!("00000000fa00000006"));
    assert_eq!(spec.genesis_hash(), header.hash_slow());
}

#[test]
fn every_problem_is_reported_at_once() {
    let error = spec(
        r#", "isthmusTime": 99, "karstTime": 0, "openledger": {"meridianTime": 0}"#,
        r#", "extraData": "0x01""#,
    )
    .unwrap_err();
    // Two forks, the extra data, and three precompiles without an account.
    assert_eq!(error.problems().len(), 6, "{error}");
}

#[test]
fn an_account_with_storage_alone_is_refused_on_an_op_chain_and_listed_on_a_plain_one() {
    let alloc = r#""alloc": {"0x00000000000000000000000000000000000000aa": {"balance": "0x1",
        "storage": {"0x01": "0x02"}}, "0x00000000000000000000000000000000000000bb": {"balance": "0x1",
        "storage": {"0x01": "0x00"}}}"#;
    let genesis = |optimism: &str| {
        format!(
            r#"{{"config": {{"chainId": 901 {optimism}}}, "gasLimit": "0x1c9c380", "difficulty": "0x0", {alloc}}}"#
        )
    };
    let plain = ChainSpec::from_json(&genesis("")).unwrap();
    let expected = [address!("00000000000000000000000000000000000000aa")];
    assert!(plain.storage_only_accounts().iter().eq(&expected));
    let optimism = r#", "optimism": {"eip1559Elasticity": 6, "eip1559Denominator": 50}"#;
    let error = ChainSpec::from_json(&genesis(optimism)).unwrap_err();
    assert!(error.to_string().contains("neither code nor nonce"), "{error}");
}

#[test]
fn base_fee_follows_the_parameters_in_the_parent() {
    let spec = spec("", "").unwrap();
    let parent = Header {
        timestamp: 16,
        gas_limit: 30_000_000,
        gas_used: 30_000_000,
        base_fee_per_gas: Some(1_000_000_000),
        extra_data: Bytes::from_static(&hex!("000000000800000002")),
        ..Default::default()
    };
    // Twice the target of 15 million: up by one eighth.
    assert_eq!(spec.next_base_fee(&parent), 1_125_000_000);
    let zero = Header { extra_data: Bytes::from_static(&hex!("000000000000000002")), ..parent };
    assert!(spec.base_fee_params_of(&zero).is_err());
}

#[test]
fn jovian_prices_the_data_footprint_and_keeps_a_floor() {
    let spec = spec(r#", "jovianTime": 0"#, "").unwrap();
    let parent = Header {
        timestamp: 16,
        gas_limit: 30_000_000,
        gas_used: 0,
        blob_gas_used: Some(30_000_000),
        base_fee_per_gas: Some(1_000_000_000),
        extra_data: Bytes::from_static(&hex!("0100000008000000020000000000000007")),
        ..Default::default()
    };
    assert_eq!(spec.next_base_fee(&parent), 1_125_000_000);
    let idle = Header { blob_gas_used: Some(0), base_fee_per_gas: Some(7), ..parent };
    assert_eq!(spec.next_base_fee(&idle), 7);
}

const ROLLUP: &str = r#"{
  "genesis": {
    "l1": {"hash": "0x438335a20d98863a4c0c97999eb2481921ccd28553eac6f913af7c12aec04108", "number": 17},
    "l2": {"hash": "0xdbf6a80fef073de06add9b0d14026d6e5a86c85f6d102c36d3d8e9cf89c2afd3", "number": 0},
    "l2_time": 16,
    "system_config": {
      "batcherAddr": "0x6887246668a3b87f54deb3b94ba47a6f63f32985",
      "overhead": "0x0000000000000000000000000000000000000000000000000000000000000000",
      "scalar": "0x0100000000000000000000000000000000000000000000000000000300000005",
      "gasLimit": 30000000,
      "eip1559Params": "0x000000fa00000006",
      "operatorFeeParams": "0x0000000000000000000000000000000000000000000000070000000000000009"
    }
  },
  "block_time": 2, "max_sequencer_drift": 600, "seq_window_size": 3600, "channel_timeout": 300,
  "l1_chain_id": 900, "l2_chain_id": 901, "regolith_time": 0, "canyon_time": 0, "delta_time": 0,
  "ecotone_time": 0, "fjord_time": 0, "granite_time": 0, "holocene_time": 0, "isthmus_time": 0,
  "batch_inbox_address": "0xff00000000000000000000000000000000000901",
  "deposit_contract_address": "0xbeb5fc579115071764c7423a4f12edde41f106ed",
  "l1_system_config_address": "0x229047fed2591dbec1ef1118d64f7af3db9eb290",
  "protocol_versions_address": "0x0000000000000000000000000000000000000000",
  "chain_op_config": {"eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250}
}"#;

#[test]
fn rollup_json_is_written_as_it_was_read() {
    let config = RollupConfig::from_json(ROLLUP).unwrap();
    let value: serde_json::Value = serde_json::from_str(ROLLUP).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), value);
    assert_eq!(config.channel_timeout_at(16), 50);
    assert_eq!(config.max_sequencer_drift_at(16), 1800);
    assert!(config.is_active(OpHardfork::Isthmus, 16));
    assert!(!config.is_active(OpHardfork::Jovian, u64::MAX));
    assert_eq!((config.timestamp_of(5), config.number_at(27)), (26, 5));
    let system = config.genesis.system_config;
    assert_eq!((system.operator_fee_scalar(), system.operator_fee_constant()), (7, 9));
    assert_eq!((system.blob_base_fee_scalar(), system.base_fee_scalar()), (3, 5));
    // Its genesis hash is another chain's.
    let error = config.validate_against(&spec("", "").unwrap()).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
}

#[test]
fn rollup_problems_are_reported_at_once() {
    let json = ROLLUP
        .replace("\"block_time\": 2", "\"block_time\": 0")
        .replace("\"l1_chain_id\": 900", "\"l1_chain_id\": 901")
        .replace("\"isthmus_time\": 0", "\"isthmus_time\": 99");
    let error = RollupConfig::from_json(&json).unwrap_err();
    assert!(error.problems().len() >= 3, "{error}");
}
