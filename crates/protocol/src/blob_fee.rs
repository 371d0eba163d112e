//! The L1 blob base fee that L2 fees are reckoned with.

use alloy_consensus::Header;
use alloy_eips::eip7840::BlobParams;

/// When a public L1 changed its blob parameters, in seconds, and to what. Osaka left them as they were.
type Schedule = [(u64, BlobParams); 3];

const MAINNET: Schedule = [
    (1_746_612_311, BlobParams::prague()),
    (1_765_290_071, BlobParams::bpo1()),
    (1_767_747_671, BlobParams::bpo2()),
];
const SEPOLIA: Schedule = [
    (1_741_159_776, BlobParams::prague()),
    (1_761_017_184, BlobParams::bpo1()),
    (1_761_607_008, BlobParams::bpo2()),
];

/// Blob base fee of an L1 block in wei; 1 where the header has no excess blob gas.
///
/// Mainnet and Sepolia follow their schedules of blob parameters. Every other L1 is taken to run
/// Prague's for good. The value is part of the L2 block, so that all nodes must agree on it.
pub fn l1_blob_base_fee(l1_chain_id: u64, header: &Header) -> u128 {
    header.blob_fee(blob_params(l1_chain_id, header.timestamp)).unwrap_or(1)
}

fn blob_params(l1_chain_id: u64, timestamp: u64) -> BlobParams {
    let schedule = match l1_chain_id {
        1 => MAINNET,
        11_155_111 => SEPOLIA,
        _ => return BlobParams::prague(),
    };
    let active = schedule.into_iter().rev().find(|(since, _)| timestamp >= *since);
    active.map_or(BlobParams::cancun(), |(_, params)| params)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRAGUE: u64 = 1_746_612_311;

    #[test]
    fn mainnet_changes_its_parameters_over_time() {
        let excess_blob_gas = Some(100_000_000);
        let fee =
            |timestamp| l1_blob_base_fee(1, &Header { timestamp, excess_blob_gas, ..Default::default() });
        assert!(fee(PRAGUE - 1) > fee(PRAGUE));
        assert!(fee(PRAGUE) > fee(1_800_000_000));
    }

    #[test]
    fn without_excess_blob_gas_the_fee_is_one_wei() {
        assert_eq!(l1_blob_base_fee(900, &Header::default()), 1);
    }
}
