//! The precompiles beside two contracts, row by row.

use alloy_primitives::{Bytes, hex};
use eyre::{OptionExt, Result};
use openledger_figures::{Figures, median};

use crate::{
    own::Own,
    rows::{NAMES, Row, rows},
    same::Interface,
};

const CONTENDERS: [&str; 3] = ["precompiles", "same_layout", "own_layout"];

/// The deployed code of one of our own artifacts.
pub(crate) fn deployed(artifact: &str) -> Result<Bytes> {
    let artifact: serde_json::Value = serde_json::from_str(artifact)?;
    let code = artifact["deployedBytecode"].as_str().ok_or_eyre("an artifact without code")?;
    Ok(hex::decode(code)?.into())
}

/// Gas, and what was touched, of a row's calls.
fn weigh(row: &mut Row, name: &str, results: &mut Figures) -> Result<f64> {
    let (mut gas, mut read, mut changed, mut new, mut code) = (0, 0, 0, 0, 0);
    for (machine, call) in row {
        let run = machine.run(call)?;
        gas += run.used;
        for account in run.state.values() {
            read += account.storage.len();
            changed += account.storage.values().filter(|slot| slot.is_changed()).count();
            let is_new = |slot: &&revm::state::EvmStorageSlot| {
                slot.original_value().is_zero() && !slot.present_value().is_zero()
            };
            new += account.storage.values().filter(is_new).count();
            if account.is_created() {
                code += account.info.code.as_ref().map_or(0, |code| code.original_bytes().len());
            }
        }
    }
    results.set(format!("{name}.gas"), gas as f64);
    let counts = [("slots_read", read), ("slots_changed", changed), ("slots_new", new), ("code_bytes", code)];
    for (what, count) in counts {
        results.set(format!("{name}.{what}"), count as f64);
    }
    Ok(gas as f64)
}

/// Microseconds of a row's calls.
fn time(row: &mut Row) -> Result<f64> {
    let mut micros = 0.0;
    for (machine, call) in row {
        micros += 1e6 * machine.time(call)?.as_secs_f64();
    }
    Ok(micros)
}

pub(crate) fn measure(rounds: usize, results: &mut Figures) -> Result<()> {
    let (ours, same, own) = (Interface::precompiles()?, Interface::solidity()?, Own::new()?);
    let mut contenders = [rows(&ours)?, rows(&same)?, rows(&own)?];
    for (index, name) in NAMES.into_iter().enumerate() {
        let (mut gas, mut times) = ([0.0; 3], [const { Vec::new() }; 3]);
        for (contender, gas) in
            contenders.iter_mut().zip(CONTENDERS).map(|(c, n)| (&mut c[index], n)).zip(&mut gas)
        {
            let (row, contender) = contender;
            *gas = weigh(row, &format!("{name}.{contender}"), results)?;
        }
        for _ in 0..rounds {
            for (contender, times) in contenders.iter_mut().zip(&mut times) {
                times.push(time(&mut contender[index])?);
            }
        }
        let micros = times.map(|times| median(&times));
        for (contender, micros) in CONTENDERS.into_iter().zip(micros) {
            results.set(format!("{name}.{contender}.us"), micros);
        }
        results.set(format!("{name}.gas_ratio"), gas[0] / gas[2]);
        results.set(format!("{name}.gas_over_same_layout"), gas[0] / gas[1]);
        results.set(format!("{name}.time_over_same_layout"), micros[0] / micros[1]);
        results.set(format!("{name}.time_over_own_layout"), micros[0] / micros[2]);
        results.set(format!("{name}.time_ratio"), (micros[0] / micros[1]).max(micros[0] / micros[2]));
    }
    let gas = |name: &str| results.get(&format!("{name}.precompiles.gas")).unwrap_or(f64::NAN);
    let ratio = gas("settle_10000") / gas("settle_512");
    results.set("long_tail.gas_10000_over_512", ratio);
    Ok(())
}
