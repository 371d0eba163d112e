//! What differs between two executions of one block.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use openledger_evm::{Differences, ExecutedBlock};

/// Accounts that are named at most.
const MAX_ACCOUNTS: usize = 16;

/// Compares two executions of one block: results of every transaction, and every change of the state.
pub(crate) fn compare_executions(first: &ExecutedBlock, second: &ExecutedBlock) -> Differences {
    let mut differences = Differences::default();
    differences.compare("gasUsed", &first.gas_used, &second.gas_used);
    differences.compare("daFootprint", &first.da_footprint, &second.da_footprint);
    differences.compare("receipts", &first.receipts.len(), &second.receipts.len());
    let unequal = first.receipts.iter().zip(&second.receipts).position(|(first, second)| first != second);
    if let Some(index) = unequal {
        let at = |receipts: &[_]| format!("transaction {index}: {:?}", receipts.get(index));
        differences.push("receipt", at(&first.receipts), at(&second.receipts));
    }
    if first.bundle.state != second.bundle.state {
        let all: BTreeSet<Address> =
            first.bundle.state.keys().chain(second.bundle.state.keys()).copied().collect();
        let unequal = all
            .into_iter()
            .filter(|address| first.bundle.state.get(address) != second.bundle.state.get(address));
        for address in unequal.take(MAX_ACCOUNTS) {
            let of =
                |executed: &ExecutedBlock| format!("{address}: {:?}", executed.bundle.state.get(&address));
            differences.push("account", of(first), of(second));
        }
    }
    if first.bundle.contracts != second.bundle.contracts {
        let of = |executed: &ExecutedBlock| {
            format!("{:?}", executed.bundle.contracts.keys().collect::<BTreeSet<_>>())
        };
        differences.push("code", of(first), of(second));
    }
    differences
}
