//! The L1 contracts on a real anvil.
#![allow(clippy::unwrap_used)]

use alloy_primitives::{Address, Bytes, U256, uint};
use alloy_sol_types::SolEvent;
use openledger_abi::{
    erc20::IERC20,
    op::{IL2OutputOracle, IOptimismPortal, ISystemConfig},
};
use openledger_devnet::{
    Accounts, Anvil, AnvilOptions, Artifacts, Call, L1Deployment, L1Parameters, Wallet, deploy_l1_contracts,
};

const L2_CHAIN_ID: u64 = 1_330_660_686;

struct L1 {
    _folder: tempfile::TempDir,
    _anvil: Anvil,
    accounts: Accounts,
    parameters: L1Parameters,
    deployer: Wallet,
    deployment: L1Deployment,
}

async fn deployed() -> L1 {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::find().unwrap();
    let mut options = AnvilOptions::new(artifacts.contracts_dir(), folder.path().join("l1.log"));
    options.block_time_seconds = 1;
    let anvil = Anvil::start(&options).await.unwrap();
    let accounts = Accounts::derive().unwrap();
    let parameters = L1Parameters::devnet(&accounts, L2_CHAIN_ID);
    let deployer = Wallet::connect(&anvil.http_url(), accounts.deployer.signer.clone()).await.unwrap();
    let deployment = deploy_l1_contracts(&deployer, &artifacts, &parameters).await.unwrap();
    L1 { _folder: folder, _anvil: anvil, accounts, parameters, deployer, deployment }
}

#[tokio::test(flavor = "multi_thread")]
async fn deployed_contracts_know_open_and_each_other_and_take_its_deposits() {
    let l1 = deployed().await;
    let at = &l1.deployment.contracts;
    let view = &l1.deployer;

    let token = view.view(at.system_config, &ISystemConfig::gasPayingTokenCall {}).await.unwrap();
    assert_eq!((token.addr_, token.decimals_), (at.open_token, 18));
    let scalar = view.view(at.system_config, &ISystemConfig::scalarCall {}).await.unwrap();
    assert_eq!(scalar, U256::from_be_bytes(l1.parameters.system_config().scalar.0));
    let batcher = view.view(at.system_config, &ISystemConfig::batcherHashCall {}).await.unwrap();
    assert_eq!(batcher, l1.accounts.batcher.address().into_word());
    let gas_limit = view.view(at.system_config, &ISystemConfig::gasLimitCall {}).await.unwrap();
    assert_eq!(gas_limit, 60_000_000);
    let start = view.view(at.system_config, &ISystemConfig::startBlockCall {}).await.unwrap();
    assert!(start <= U256::from(l1.deployment.origin.number));

    let oracle = view.view(at.optimism_portal, &IOptimismPortal::l2OracleCall {}).await.unwrap();
    assert_eq!(oracle, at.l2_output_oracle);
    let version = view.view(at.optimism_portal, &IOptimismPortal::versionCall {}).await.unwrap();
    assert_eq!(version, "2.8.1-beta.1");
    let start = IL2OutputOracle::startingTimestampCall {};
    assert_eq!(
        view.view(at.l2_output_oracle, &start).await.unwrap(),
        U256::from(l1.deployment.origin_timestamp)
    );
    let next = IL2OutputOracle::nextBlockNumberCall {};
    assert_eq!(view.view(at.l2_output_oracle, &next).await.unwrap(), U256::from(10));

    deposit_is_logged_as_derivation_reads_it(&l1).await;
}

async fn deposit_is_logged_as_derivation_reads_it(l1: &L1) {
    let at = &l1.deployment.contracts;
    let amount = uint!(5_000_000_000_000_000_000_U256);
    let to = Address::repeat_byte(0xaa);
    let approve = IERC20::approveCall { spender: at.optimism_portal, value: amount };
    let deposit = IOptimismPortal::depositERC20TransactionCall {
        _to: to,
        _mint: amount,
        _value: amount,
        _gasLimit: 100_000,
        _isCreation: false,
        _data: Bytes::from_static(&[1, 2, 3]),
    };
    let receipts = l1
        .deployer
        .send_all(vec![
            Call::function("approve", at.open_token, &approve),
            Call::function("deposit", at.optimism_portal, &deposit).with_gas_limit(1_000_000),
        ])
        .await
        .unwrap();
    let log = receipts[1]
        .logs()
        .iter()
        .find_map(|log| IOptimismPortal::TransactionDeposited::decode_log(&log.inner).ok())
        .unwrap();
    assert_eq!(log.address, at.optimism_portal);
    assert_eq!((log.from, log.to, log.version), (l1.deployer.address(), to, U256::ZERO));
    // mint, value, gas limit, creation flag, data
    let expected = [
        &amount.to_be_bytes::<32>()[..],
        &amount.to_be_bytes::<32>(),
        &100_000u64.to_be_bytes(),
        &[0],
        &[1, 2, 3],
    ]
    .concat();
    assert_eq!(log.opaqueData, Bytes::from(expected));
    let held = IERC20::balanceOfCall { account: at.optimism_portal };
    assert_eq!(l1.deployer.view(at.open_token, &held).await.unwrap(), amount);
}
