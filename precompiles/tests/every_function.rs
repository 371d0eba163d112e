//! What must hold of every function of the table, in the EVM and in memory.
#![allow(clippy::unwrap_used)]

mod cases;
mod table;
mod world;

use alloy_primitives::{Bytes, U256};
use alloy_sol_types::SolError;
use cases::Case;
use openledger_abi::{IAttribution, IDatanets, IPayouts};
use openledger_precompiles::IPrecompile::*;
use openledger_precompiles::{
    Activations, ActiveForks, Failure, Frame, MAX_CALLDATA, Meter, Precompile, Purity, execute,
};
use revm::context_interface::cfg::GasParams;
use revm::primitives::hardfork::SpecId;
use std::collections::BTreeMap;
use table::*;

const GAS: u64 = 30_000_000;

fn refusal(error: impl SolError) -> Result<Bytes, Failure> {
    Err(Failure::Revert(error.abi_encode().into()))
}

#[test]
fn table_is_the_interface_and_every_function_of_it_has_a_case() {
    let abis = [IDatanets::abi::contract(), IAttribution::abi::contract(), IPayouts::abi::contract()];
    for (precompile, abi) in Precompile::ALL.into_iter().zip(abis) {
        let declared: BTreeMap<[u8; 4], (String, &str)> = abi
            .functions()
            .map(|f| (f.selector().0, (f.signature(), f.state_mutability.as_json_str())))
            .collect();
        let mut listed = BTreeMap::new();
        for function in precompile.functions() {
            let mutability = match function.purity {
                Purity::Pure => "pure",
                Purity::View => "view",
                Purity::Write => "nonpayable",
                Purity::Payable => "payable",
            };
            let twice = listed.insert(function.selector, (function.signature.to_owned(), mutability));
            assert_eq!(twice, None, "{function:?}");
        }
        let missing: Vec<_> = declared.iter().filter(|(key, f)| listed.get(*key) != Some(f)).collect();
        assert!(missing.is_empty(), "{precompile:?}: declared and not in the table: {missing:#?}");
        assert_eq!(listed.len(), declared.len(), "{precompile:?}: in the table and not declared");
    }
    let cases = cases::all();
    for precompile in Precompile::ALL {
        for function in precompile.functions() {
            let covered = cases.iter().any(|case| case.data.starts_with(&function.selector));
            assert!(covered, "no case calls {}", function.signature);
        }
    }
}

#[test]
fn both_backends_agree_on_result_gas_refund_logs_and_state() {
    for mut case in cases::all() {
        let name = case.function().signature;
        let mut chain = Chain::of(&case, false);
        let before = case.world.state.clone();
        let given = case.world.raw(case.to, case.call, GAS, &case.data).unwrap();
        let run = chain.direct(&case);
        assert!(run.result.is_success(), "{name}: {:?}", run.result);
        assert_eq!(run.result.output(), Some(&given), "{name}");
        assert_eq!(run.result.logs(), case.world.state.logs, "{name}");
        assert_eq!(run.result.gas().total_gas_spent(), intrinsic(&case.data) + case.world.gas_used, "{name}");
        // EIP-3529: at most a fifth of what was spent.
        let most = run.result.gas().total_gas_spent() / 5;
        let refunded = (case.world.gas_refunded.max(0) as u64).min(most);
        assert_eq!(run.result.gas().inner_refunded(), refunded, "{name}");
        same_state(name, &before, &case.world.state, &run.state);
    }
}

#[test]
fn functions_are_not_there_before_their_fork() {
    for case in cases::all() {
        let function = case.function();
        let unknown = UnknownSelector { selector: function.selector.into() };
        let mut state = case.world.state.clone();
        let meter = Meter::new(GAS, GasParams::new_spec(SpecId::PRAGUE));
        let mut frame = Frame::new(case.call, meter, &mut state).under(ActiveForks::NONE);
        assert_eq!(execute(case.to, &mut frame, &case.data), refusal(unknown.clone()), "{function:?}");
        let mut chain = Chain::of(&case, false);
        chain.schedule_never();
        assert_eq!(outcome(&chain.direct(&case)), refusal(unknown), "{function:?}");
    }
    for precompile in Precompile::ALL {
        assert_eq!(precompile.abi_version(ActiveForks::NONE), 0);
        assert_eq!(precompile.abi_version(Activations::at_genesis().at(0)), 1);
    }
}

#[test]
fn static_calls_read_and_never_write() {
    for case in cases::all() {
        let function = case.function();
        let mut chain = Chain::of(&case, true);
        let (called, run) = chain.through(&case, Opcode::StaticCall, None, 0, &case.data);
        if function.purity.writes() {
            assert_eq!(called, refusal(StaticCallRefused {}), "{function:?}");
        } else {
            let mut world = case.world.clone();
            assert_eq!(called, world.raw(case.to, case.call, GAS, &case.data), "{function:?}");
        }
        chain.nothing_but_the_caller_changed(function.signature, &run);
    }
}

#[test]
fn delegate_and_code_calls_are_refused() {
    for case in cases::all() {
        for opcode in [Opcode::DelegateCall, Opcode::CallCode] {
            let mut chain = Chain::of(&case, true);
            let (called, run) = chain.through(&case, opcode, None, 0, &case.data);
            assert_eq!(called, refusal(DelegateCallRefused {}), "{:?}", case.function());
            chain.nothing_but_the_caller_changed(case.function().signature, &run);
        }
    }
}

#[test]
fn value_is_refused_by_what_takes_none_and_comes_back() {
    for case in cases::all().into_iter().filter(|case| case.function().purity != Purity::Payable) {
        let mut chain = Chain::of(&case, true);
        let (called, run) = chain.through(&case, Opcode::Call, None, 7, &case.data);
        assert_eq!(called, refusal(ValueRefused { value: U256::from(7) }), "{:?}", case.function());
        chain.nothing_but_the_caller_changed(case.function().signature, &run);
    }
}

#[test]
fn truncated_calldata_is_refused() {
    let no_data = || Err(Failure::Revert(Bytes::new()));
    for case in cases::all() {
        let name = case.function().signature;
        let whole = case.world.clone().raw(case.to, case.call, GAS, &case.data);
        for length in 0..case.data.len() {
            let result = case.world.clone().raw(case.to, case.call, GAS, &case.data[..length]);
            if length < 4 {
                let mut selector = [0; 4];
                selector[..length].copy_from_slice(&case.data[..length]);
                let unknown = UnknownSelector { selector: selector.into() };
                assert_eq!(result, refusal(unknown), "{name}: {length}");
            } else if result != no_data() {
                // What fills up a string's last word may be missing.
                assert!(case.data[length..].iter().all(|byte| *byte == 0), "{name}: {length}");
                assert!(case.data.len() - length < 32, "{name}: {length}");
                assert_eq!(result, whole, "{name}: {length}");
            }
        }
    }
}

#[test]
fn trailing_bytes_are_read_over_up_to_the_most_calldata_there_may_be() {
    for case in cases::all() {
        let name = case.function().signature;
        let whole = case.world.clone().raw(case.to, case.call, GAS, &case.data);
        let mut data = case.data.clone();
        data.resize(MAX_CALLDATA, 0xff);
        assert_eq!(case.world.clone().raw(case.to, case.call, GAS, &data), whole, "{name}");
        data.push(0);
        let too_long = CalldataTooLong { maximum: U256::from(MAX_CALLDATA), given: U256::from(data.len()) };
        let mut chain = Chain::of(&case, true);
        let value = u128::try_from(case.call.value).unwrap();
        let (called, run) = chain.through(&case, Opcode::Call, None, value, &data);
        assert_eq!(called, refusal(too_long), "{name}");
        chain.nothing_but_the_caller_changed(name, &run);
    }
}

/// The least limits with which a call passes each of its charges in turn.
fn charges(case: &Case) -> Vec<u64> {
    let (mut limit, mut passed) = (0, Vec::new());
    loop {
        let mut world = case.world.clone();
        match world.raw(case.to, case.call, limit, &case.data) {
            Err(Failure::OutOfGas) => {
                assert!(world.gas_wanted > limit, "{:?}", case.function());
                limit = world.gas_wanted;
                passed.push(limit);
            }
            result => {
                assert!(result.is_ok(), "{result:?}");
                return passed;
            }
        }
    }
}

#[test]
fn running_out_of_gas_at_any_charge_undoes_the_call_and_nothing_else() {
    let mut points = 0;
    for case in cases::all() {
        let name = case.function().signature;
        let mut chain = Chain::of(&case, true);
        let value = u128::try_from(case.call.value).unwrap();
        let stipend = if value == 0 { 0 } else { 2_300 };
        let charges = charges(&case);
        for limit in &charges {
            // One too little; a call that sends value gets the stipend on top, so the first charges cannot fail.
            let Some(gas) = (limit - 1).checked_sub(stipend) else { continue };
            let (called, run) = chain.through(&case, Opcode::Call, Some(gas), value, &case.data);
            assert_eq!(called, Err(Failure::OutOfGas), "{name}: {limit}");
            chain.nothing_but_the_caller_changed(name, &run);
            points += 1;
        }
        let enough = charges.last().unwrap().saturating_sub(stipend);
        let (called, _) = chain.through(&case, Opcode::Call, Some(enough), value, &case.data);
        assert!(called.is_ok(), "{name}: {called:?}");
    }
    assert!(points > 500, "{points}");
}

#[test]
fn caller_that_reverts_and_is_caught_leaves_nothing_of_the_call() {
    for case in cases::all() {
        let name = case.function().signature;
        let mut chain = Chain::of(&case, true);
        let value = u128::try_from(case.call.value).unwrap();
        let run = chain.caught(&case, value);
        assert!(run.result.is_success(), "{name}: {:?}", run.result);
        chain.nothing_but_the_caller_changed(name, &run);
        // The outer contract saw the inner one fail and went on.
        assert_eq!(run.result.output(), Some(&Bytes::from(U256::from(2).to_be_bytes::<32>())), "{name}");
    }
}

#[test]
fn selectors_of_one_precompile_are_unknown_to_the_others() {
    let world = world::World::with_model();
    for to in Precompile::ALL {
        let own: Vec<[u8; 4]> = to.functions().iter().map(|function| function.selector).collect();
        let all = Precompile::ALL.into_iter().flat_map(Precompile::functions);
        for function in all.filter(|function| !own.contains(&function.selector)) {
            let data = [function.selector.as_slice(), &[0; 320]].concat();
            let call = openledger_precompiles::Call { is_direct: true, ..Default::default() };
            let unknown = UnknownSelector { selector: function.selector.into() };
            assert_eq!(world.clone().raw(to, call, GAS, &data), refusal(unknown));
        }
    }
}
