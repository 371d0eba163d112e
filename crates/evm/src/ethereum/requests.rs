//! What EIP-6110, EIP-7002 and EIP-7251 ask of a block that its execution does not check by itself.

use alloy_eips::{
    eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_primitives::{Address, B256, Log, U256, b256};
use openledger_primitives::OpenReceipt;
use revm::{Database, primitives::KECCAK_EMPTY};

/// The topic of the deposit contract's event.
const DEPOSIT_EVENT: B256 = b256!("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");
/// Length of the event's data, and what it must hold: where each field starts, and how long it is.
const DEPOSIT_DATA_BYTES: usize = 576;
const DEPOSIT_FIELDS: [(usize, usize); 5] = [(160, 48), (256, 32), (320, 8), (384, 96), (512, 8)];

/// Refuses a block in which the deposit contract logged something else than its event's fixed layout.
pub(super) fn check_deposit_logs(contract: Option<Address>, receipts: &[OpenReceipt]) -> Result<(), String> {
    let contract = contract.unwrap_or(MAINNET_DEPOSIT_CONTRACT_ADDRESS);
    let logs = receipts.iter().flat_map(OpenReceipt::logs);
    let mut deposits =
        logs.filter(|log| log.address == contract && log.topics().first() == Some(&DEPOSIT_EVENT));
    match deposits.find(|log| !has_deposit_layout(log)) {
        Some(log) => Err(format!("a deposit event of {contract} has another layout: {}", log.data.data)),
        None => Ok(()),
    }
}

fn has_deposit_layout(log: &Log) -> bool {
    let data = &log.data.data;
    let word = |at: usize| data.get(at..at + 32).map(U256::from_be_slice);
    data.len() == DEPOSIT_DATA_BYTES
        && DEPOSIT_FIELDS.iter().enumerate().all(|(index, (start, length))| {
            word(32 * index) == Some(U256::from(*start)) && word(*start) == Some(U256::from(*length))
        })
}

/// Refuses a block at whose end a contract that it must ask for requests has no code.
pub(super) fn check_system_contracts<DB: Database>(db: &mut DB) -> Result<Result<(), String>, DB::Error> {
    for address in [WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS] {
        let account = db.basic(address)?;
        if account.is_none_or(|account| account.code_hash == KECCAK_EMPTY) {
            return Ok(Err(format!("the system contract {address} has no code")));
        }
    }
    Ok(Ok(()))
}
