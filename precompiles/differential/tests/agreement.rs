//! A short run of the comparison; `make differential` runs it at length.
#![allow(clippy::unwrap_used)]

use openledger_abi::{IAttribution, IDatanets, IPayouts};
use openledger_differential::{campaign, refusals};
use openledger_precompiles::Precompile;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Steps of the short run: some seconds.
const STEPS: u64 = 60_000;

/// `refusals.toml`: for each function, the errors that it is refused with.
#[derive(Deserialize)]
struct Listed {
    /// In the short run.
    often: BTreeMap<String, BTreeSet<String>>,
    /// In long runs alone.
    seldom: BTreeMap<String, BTreeSet<String>>,
    /// In none; why is in the README.
    never: BTreeSet<String>,
}

#[test]
fn precompiles_and_reference_agree_on_random_sequences_that_meet_each_functions_every_error() {
    let coverage = campaign(1, STEPS, None).unwrap_or_else(|found| panic!("{found}"));
    let listed: Listed = toml::from_str(include_str!("../refusals.toml")).unwrap();
    let met = refusals(&coverage).0;
    let functions =
        |all: &BTreeMap<String, BTreeSet<String>>| -> BTreeSet<String> { all.keys().cloned().collect() };
    assert_eq!(functions(&met), functions(&listed.often), "refusals.toml lists every function, and no other");
    assert!(
        functions(&listed.seldom).is_subset(&functions(&listed.often)),
        "refusals.toml names no function"
    );
    for (function, met) in &met {
        let (often, none) = (&listed.often[function], BTreeSet::new());
        let seldom = listed.seldom.get(function).unwrap_or(&none);
        let missing: Vec<_> = often.difference(met).collect();
        assert!(missing.is_empty(), "{function} did not meet {missing:?}");
        let unknown: Vec<_> =
            met.iter().filter(|error| !often.contains(*error) && !seldom.contains(*error)).collect();
        assert!(unknown.is_empty(), "{function} met {unknown:?}, which refusals.toml does not list");
    }
    let everywhere = || listed.often.iter().chain(&listed.seldom);
    let abis = [IDatanets::abi::contract(), IAttribution::abi::contract(), IPayouts::abi::contract()];
    for (precompile, abi) in Precompile::ALL.into_iter().zip(abis) {
        for error in abi.errors() {
            let own = format!("{precompile:?}.");
            let mut of_it = everywhere().filter(|(function, _)| function.starts_with(&own));
            let met = of_it.any(|(_, errors)| errors.contains(&error.name));
            let never = listed.never.contains(&format!("{own}{}", error.name));
            assert!(met != never, "{own}{} is declared: which function is refused with it?", error.name);
        }
    }
}
