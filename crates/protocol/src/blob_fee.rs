//! The L1 blob base fee that L2 fees are reckoned with.

use alloy_consensus::Header;
use alloy_eips::eip7840::BlobParams;
use alloy_eips::eip7892::BlobScheduleBlobParams;

/// Ethereum mainnet's first block of Prague, and of Osaka.
const MAINNET_PRAGUE_TIME: u64 = 1_746_612_311;
const MAINNET_CHAIN_ID: u64 = 1;

/// Blob base fee of an L1 block in wei; 1 where the header has no excess blob gas.
///
/// Mainnet follows its schedule of blob parameters. Every other L1 is taken to run Prague's, which
/// a network that changes them must be told apart for here: the value is part of the L2 block.
pub fn l1_blob_base_fee(l1_chain_id: u64, header: &Header) -> u128 {
    header.blob_fee(blob_params(l1_chain_id, header.timestamp)).unwrap_or(1)
}

fn blob_params(l1_chain_id: u64, timestamp: u64) -> BlobParams {
    if l1_chain_id != MAINNET_CHAIN_ID {
        return BlobParams::prague();
    }
    let schedule = BlobScheduleBlobParams::mainnet();
    match schedule.active_scheduled_params_at_timestamp(timestamp) {
        Some(params) => *params,
        None if timestamp >= MAINNET_PRAGUE_TIME => schedule.prague,
        None => schedule.cancun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_changes_its_parameters_over_time() {
        let excess_blob_gas = Some(100_000_000);
        let fee =
            |timestamp| l1_blob_base_fee(1, &Header { timestamp, excess_blob_gas, ..Default::default() });
        assert!(fee(MAINNET_PRAGUE_TIME - 1) > fee(MAINNET_PRAGUE_TIME));
        assert!(fee(MAINNET_PRAGUE_TIME) > fee(1_800_000_000));
    }

    #[test]
    fn without_excess_blob_gas_the_fee_is_one_wei() {
        assert_eq!(l1_blob_base_fee(900, &Header::default()), 1);
    }
}
