//! Which errors each function of the three meets, by name: what refusals.toml lists.

use crate::Coverage;
use openledger_abi::{IAttribution, IDatanets, IPayouts};
use openledger_precompiles::Precompile;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// For each function, as `Datanets.commit(bytes32)`, the names of errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals(pub BTreeMap<String, BTreeSet<String>>);

/// What a run met; the errors that the frame has for every function are left out.
pub fn refusals(coverage: &Coverage) -> Refusals {
    let mut all = Refusals::default();
    for precompile in Precompile::ALL {
        let abi = match precompile {
            Precompile::Datanets => IDatanets::abi::contract(),
            Precompile::Attribution => IAttribution::abi::contract(),
            Precompile::Payouts => IPayouts::abi::contract(),
        };
        for function in precompile.functions() {
            let met = abi.errors().filter(|error| {
                coverage.errors.contains_key(&(precompile.address(), function.selector, error.selector().0))
            });
            let name = format!("{precompile:?}.{}", function.signature);
            all.0.insert(name, met.map(|error| error.name.clone()).collect());
        }
    }
    all
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(function, errors)| {
            let errors: Vec<_> = errors.iter().map(|error| format!("\"{error}\"")).collect();
            writeln!(f, "\"{function}\" = [{}]", errors.join(", "))
        })
    }
}
