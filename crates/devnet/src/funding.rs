//! OPEN for L2 accounts: deposits through the portal, as anyone would make them.

use std::time::{Duration, Instant};

use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::Provider;
use openledger_abi::{erc20::IERC20, op::IOptimismPortal};

use crate::{Call, DevnetError, L1Contracts, Wallet, connect};

/// Gas that a plain deposit buys on L2.
const DEPOSIT_L2_GAS: u64 = 100_000;
/// Gas on L1: the deposit market burns what L2 gas costs, so an estimate can be too low later.
const DEPOSIT_L1_GAS: u64 = 1_500_000;
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// One deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// Who receives it on L2.
    pub to: Address,
    /// How much, in wei of OPEN.
    pub amount_wei: U256,
}

/// Deposits the payer's OPEN to L2 accounts, one transaction each after one approval, and returns
/// once all are mined on L1.
pub async fn deposit(
    payer: &Wallet,
    contracts: &L1Contracts,
    deposits: &[Deposit],
) -> Result<(), DevnetError> {
    let portal = contracts.optimism_portal;
    let total = deposits.iter().fold(U256::ZERO, |total, deposit| total.saturating_add(deposit.amount_wei));
    let approve = IERC20::approveCall { spender: portal, value: total };
    let mut calls = vec![
        Call::function("approve OPEN for the portal", contracts.open_token, &approve).with_gas_limit(100_000),
    ];
    for deposit in deposits {
        let call = IOptimismPortal::depositERC20TransactionCall {
            _to: deposit.to,
            _mint: deposit.amount_wei,
            _value: deposit.amount_wei,
            _gasLimit: DEPOSIT_L2_GAS,
            _isCreation: false,
            _data: Bytes::new(),
        };
        let label = format!("deposit OPEN to {}", deposit.to);
        calls.push(Call::function(label, portal, &call).with_gas_limit(DEPOSIT_L1_GAS));
    }
    payer.send_all(calls).await.map(drop)
}

/// Deposits, and waits until every account holds at least what it had and what was deposited.
pub async fn deposit_and_wait(
    payer: &Wallet,
    contracts: &L1Contracts,
    deposits: &[Deposit],
    l2_http: &str,
    timeout: Duration,
) -> Result<(), DevnetError> {
    let l2 = connect(l2_http)?;
    let balance = async |account: Address| {
        l2.get_balance(account).await.map_err(DevnetError::rpc("eth_getBalance on L2"))
    };
    let mut expected: Vec<(Address, U256)> = Vec::with_capacity(deposits.len());
    for deposit in deposits {
        match expected.iter_mut().find(|(account, _)| *account == deposit.to) {
            Some((_, sum)) => *sum = sum.saturating_add(deposit.amount_wei),
            None => {
                let before = balance(deposit.to).await?;
                expected.push((deposit.to, before.saturating_add(deposit.amount_wei)));
            }
        }
    }
    deposit(payer, contracts, deposits).await?;

    let deadline = Instant::now() + timeout;
    for (account, at_least) in expected {
        while balance(account).await? < at_least {
            if Instant::now() >= deadline {
                return Err(DevnetError::Timeout {
                    what: format!("the deposit to {account} to arrive on L2"),
                    seconds: timeout.as_secs(),
                });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    Ok(())
}
