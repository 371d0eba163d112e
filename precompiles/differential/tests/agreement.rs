//! A short run of the comparison; `make differential` runs it at length.

use openledger_differential::campaign;

/// Steps of the short run: some seconds.
const STEPS: u64 = 60_000;

#[test]
fn precompiles_and_reference_agree_on_random_sequences() {
    if let Err(found) = campaign(1, STEPS, None) {
        panic!("{found}");
    }
}
