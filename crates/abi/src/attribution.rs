//! Bindings of `contracts/src/interfaces/IAttribution.sol`.
#![allow(missing_docs, clippy::too_many_arguments)]

alloy_sol_types::sol! {
    #![sol(abi, all_derives)]
    "../../contracts/src/interfaces/IAttribution.sol"
}
