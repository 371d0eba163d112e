//! Bindings of `contracts/src/interfaces/ICourt.sol`.
#![allow(missing_docs, clippy::too_many_arguments)]

alloy_sol_types::sol! {
    #![sol(abi, all_derives)]
    "../../contracts/src/interfaces/ICourt.sol"
}
