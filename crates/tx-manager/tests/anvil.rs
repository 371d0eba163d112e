//! Against a real L1 node.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_eips::eip4844::Blob;
use alloy_node_bindings::{Anvil, AnvilInstance};
use alloy_primitives::{Address, U256};
use alloy_provider::{DynProvider, Provider, ProviderBuilder};
use alloy_signer_local::PrivateKeySigner;
use openledger_tx_manager::{FeeLimits, TxCandidate, TxManager, TxManagerConfig, TxManagerError};
use std::{path::PathBuf, sync::Arc, time::Duration};

fn anvil(arguments: &[&str]) -> AnvilInstance {
    let tool = "../../contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
    Anvil::at(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(tool)).args(arguments).spawn()
}

fn provider(anvil: &AnvilInstance) -> DynProvider {
    ProviderBuilder::default().connect_http(anvil.endpoint_url()).erased()
}

async fn manager(anvil: &AnvilInstance, limits: FeeLimits) -> TxManager {
    let config = TxManagerConfig {
        limits,
        resubmission_timeout: Duration::from_millis(400),
        poll_interval: Duration::from_millis(50),
        confirmations: 1,
        max_attempts: 6,
    };
    let signer = PrivateKeySigner::from(anvil.keys()[0].clone());
    TxManager::new(provider(anvil), signer, config).await.unwrap()
}

fn payment() -> TxCandidate {
    TxCandidate { to: Address::repeat_byte(0x77), value: U256::from(5), ..Default::default() }
}

#[tokio::test]
async fn concurrent_candidates_with_and_without_blobs_are_all_mined() {
    let anvil = anvil(&[]);
    let manager = Arc::new(manager(&anvil, FeeLimits::default()).await);
    let blobs = TxCandidate { blobs: vec![Blob::repeat_byte(1); 2], ..payment() };
    let plain = payment();
    let (first, second, third) =
        tokio::join!(manager.send(&plain), manager.send(&blobs), manager.send(&plain));
    assert!(first.unwrap().status() && third.unwrap().status());
    assert_eq!(second.unwrap().blob_gas_used, Some(2 * 131_072));
    let balance = provider(&anvil).get_balance(Address::repeat_byte(0x77)).await.unwrap();
    assert_eq!(balance, U256::from(15));
}

#[tokio::test]
async fn transaction_left_by_an_earlier_life_is_outbid() {
    let anvil = anvil(&["--no-mining"]);
    let earlier = manager(&anvil, FeeLimits::default()).await;
    let abandoned = TxCandidate { to: Address::repeat_byte(0x11), ..payment() };
    let gone = tokio::time::timeout(Duration::from_millis(300), earlier.send(&abandoned)).await;
    assert!(gone.is_err(), "nothing mines it");
    let miner = provider(&anvil);
    let mining = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let _: String = miner.raw_request("evm_mine".into(), ()).await.unwrap();
    });
    let receipt = manager(&anvil, FeeLimits::default()).await.send(&payment()).await.unwrap();
    mining.await.unwrap();
    assert_eq!(receipt.to, Some(Address::repeat_byte(0x77)));
}

#[tokio::test]
async fn fee_limits_end_the_bidding_with_a_clear_error() {
    let anvil = anvil(&["--no-mining"]);
    let limits = FeeLimits { max_fee: 3_000_000_000, ..FeeLimits::default() };
    let error = manager(&anvil, limits).await.send(&payment()).await.unwrap_err();
    assert!(matches!(error, TxManagerError::NotMined { attempts: 6, .. }), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn call_that_would_revert_is_refused_before_it_is_sent() {
    let anvil = anvil(&[]);
    let code = alloy_primitives::bytes!("60006000fd");
    let _: serde_json::Value = provider(&anvil)
        .raw_request("anvil_setCode".into(), (Address::repeat_byte(0x22), code))
        .await
        .unwrap();
    let reverting = TxCandidate { to: Address::repeat_byte(0x22), ..Default::default() };
    let error = manager(&anvil, FeeLimits::default()).await.send(&reverting).await.unwrap_err();
    assert!(matches!(error, TxManagerError::Refused(_)) && !error.is_retryable(), "{error}");
    let forced = TxCandidate { gas_limit: Some(60_000), ..reverting };
    let error = manager(&anvil, FeeLimits::default()).await.send(&forced).await.unwrap_err();
    assert!(matches!(error, TxManagerError::Reverted(_)), "{error}");
}

#[tokio::test]
async fn nonce_gap_that_a_reorganisation_left_is_noticed() {
    let anvil = anvil(&["--no-mining"]);
    let node = provider(&anvil);
    // Two transactions of an earlier life are mined, then taken back while the third waits.
    let account = PrivateKeySigner::from(anvil.keys()[0].clone()).address();
    let _: serde_json::Value = node.raw_request("anvil_setNonce".into(), (account, "0x2")).await.unwrap();
    let manager = manager(&anvil, FeeLimits::default()).await;
    let undo = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let _: serde_json::Value = node.raw_request("anvil_setNonce".into(), (account, "0x0")).await.unwrap();
    });
    let error = manager.send(&payment()).await.unwrap_err();
    undo.await.unwrap();
    assert!(matches!(error, TxManagerError::NonceGap { nonce: 2 }) && error.is_retryable(), "{error}");
}
