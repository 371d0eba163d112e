//! Gas is work: each function beside bytecode that does the same loads, stores, hashes, logs, payments and checks.

use std::{cmp::Ordering, time::Duration};

use alloy_primitives::{Address, U256};
use eyre::{Result, ensure};
use openledger_figures::{Figures, least};
use openledger_precompiles::{Backend, Call as How, Frame, Meter, execute};
use revm::{context_interface::cfg::GasParams, primitives::hardfork::SpecId};

use crate::{
    cases::Case,
    code::{caller, times},
    machine::{Call, Machine, SENDER, State, set_code, state_of},
    trace::{Trace, Tracer, slots, twin},
};

/// Where the bytecode is.
const TWIN: Address = Address::repeat_byte(0x77);
/// Gas of the calls that are made again in one transaction.
const AGAIN_GAS: u64 = 300_000;

/// A call, and a contract that does the same, both called by the same account.
pub(crate) struct Pair {
    /// `Contract.function`, with what is special about its arguments.
    pub(crate) name: String,
    pub(crate) ours: Side,
    twin: Side,
    /// How often the call is made after the first.
    again: u64,
}

/// One of the two.
pub(crate) struct Side {
    machine: Machine,
    pub(crate) to: Address,
    data: Vec<u8>,
    none: u64,
    first: u64,
    again: f64,
}

/// Seconds a gas, of the first call in a transaction and of those after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    pub(crate) first: f64,
    pub(crate) again: f64,
}

impl Side {
    fn new(state: State, case: &Case) -> Result<Self> {
        let machine = Machine::new(state, case.world.state.number, case.world.state.time)?;
        Ok(Self { machine, to: case.call.caller, data: case.data.clone(), none: 0, first: 0, again: 0.0 })
    }

    pub(crate) fn call(&self, count: u64) -> Call {
        Call { from: SENDER, to: self.to, value: U256::ZERO, data: times(count, &self.data) }
    }

    /// Learns what the calls cost.
    fn weigh(&mut self, again: u64) -> Result<()> {
        let mut spent = |count| Ok::<_, eyre::Report>(self.machine.run(&self.call(count))?.spent);
        let (none, first, all) = (spent(0)?, spent(1)?, spent(1 + again)?);
        (self.none, self.first, self.again) = (none, first, (all - first) as f64 / again as f64);
        Ok(())
    }

    fn time(&mut self, count: u64) -> Result<Duration> {
        let call = self.call(count);
        self.machine.time(&call)
    }

    fn gas(&self) -> [f64; 2] {
        [(self.first - self.none) as f64, self.again]
    }
}

/// Runs a case twice in one transaction and writes down what it does each time.
fn traces(case: &Case) -> Result<[Trace; 2]> {
    let mut state = case.world.state.clone();
    state.begin();
    state.warm_accounts.extend([case.call.caller, Address::ZERO]);
    state.balances.insert(case.call.caller, U256::from(u128::MAX) << 8u32);
    let run = |state: &mut openledger_precompiles::MemoryBackend| {
        let before = state.clone();
        let paid = state.transfer(case.call.caller, case.to.address(), case.call.value);
        ensure!(paid == Ok(true), "{} has too little", case.call.caller);
        let mut tracer = Tracer::new(std::mem::take(state));
        let meter = Meter::new(100_000_000, GasParams::new_spec(SpecId::PRAGUE));
        let how: How = case.call;
        let success = execute(case.to, &mut Frame::new(how, meter, &mut tracer), &case.data).is_ok();
        *state = if success { tracer.state } else { before };
        Ok(Trace { steps: tracer.steps, success })
    };
    Ok([run(&mut state)?, run(&mut state)?])
}

impl Pair {
    pub(crate) fn new(case: &Case) -> Result<Self> {
        let signature = case.function().signature;
        let function = signature.split('(').next().unwrap_or(signature);
        let name = format!("{:?}.{function}", case.to);
        let [first, again] = traces(case)?;
        let account = case.call.caller;
        let mut ours = state_of(&case.world.state)?;
        set_code(&mut ours, account, caller(case.to.address(), case.call.value, 0));
        let mut same = state_of(&case.world.state)?;
        set_code(&mut same, account, caller(TWIN, case.call.value, 1));
        set_code(&mut same, TWIN, twin(&first, &again, case.data.len()));
        for (slot, value) in slots(&case.world.state) {
            same.insert_account_storage(TWIN, slot, value)?;
        }
        let (mut ours, mut twin) = (Side::new(ours, case)?, Side::new(same, case)?);
        ours.weigh(1)?;
        let again = (AGAIN_GAS as f64 / ours.again).clamp(2.0, 1_000.0) as u64;
        ours.weigh(again)?;
        twin.weigh(again)?;
        Ok(Self { name, ours, twin, again })
    }

    /// Seconds a gas of both, and how they compare: the greater of the ratios of first calls and of those after them.
    pub(crate) fn compare(&mut self, rounds: usize) -> Result<(Speed, f64)> {
        let mut times = [const { [const { Vec::new() }; 3] }; 2];
        for _ in 0..rounds {
            for (side, times) in [&mut self.ours, &mut self.twin].into_iter().zip(&mut times) {
                for (count, times) in [0, 1, 1 + self.again].into_iter().zip(times) {
                    times.push(side.time(count)?.as_secs_f64());
                }
            }
        }
        let speed = |side: &Side, times: &[Vec<f64>; 3]| {
            let [none, one, all] = times.each_ref().map(|times| least(times));
            let [gas_first, gas_again] = side.gas();
            Speed { first: (one - none) / gas_first, again: (all - one) / self.again as f64 / gas_again }
        };
        let (ours, same) = (speed(&self.ours, &times[0]), speed(&self.twin, &times[1]));
        for (what, side, speed) in [("ours", &self.ours, ours), ("bytecode", &self.twin, same)] {
            let [first, again] = side.gas();
            println!(
                "  {} {what}: {first:.0} gas at {:.3} ns, then {again:.0} gas at {:.3} ns",
                self.name,
                1e9 * speed.first,
                1e9 * speed.again
            );
        }
        Ok((ours, (ours.first / same.first).max(ours.again / same.again)))
    }

    /// Our gas over the bytecode's, for the first call.
    fn gas_ratio(&self) -> f64 {
        self.ours.gas()[0] / self.twin.gas()[0]
    }
}

/// What is known of a call.
pub(crate) struct Measured {
    pub(crate) pair: Pair,
    pub(crate) speed: Speed,
}

/// Compares every case with its twin; gives them with the slowest by gas first.
pub(crate) fn measure(cases: &[Case], rounds: usize, results: &mut Figures) -> Result<Vec<Measured>> {
    let mut all = Vec::with_capacity(cases.len());
    let mut worst: std::collections::BTreeMap<String, (f64, f64, f64)> = std::collections::BTreeMap::new();
    for case in cases {
        let mut pair = Pair::new(case)?;
        let (speed, ratio) = pair.compare(rounds)?;
        let known = worst.entry(pair.name.clone()).or_default();
        let nanos = 1e9 * speed.first.max(speed.again);
        *known = (known.0.max(ratio), known.1.max(nanos), known.2.max(pair.gas_ratio()));
        all.push(Measured { pair, speed });
    }
    let mut greatest = 0.0f64;
    for (name, (ratio, nanos, gas)) in worst {
        results.set(format!("selector.{name}.ns_per_gas_ratio"), ratio);
        results.set(format!("selector.{name}.ns_per_gas"), nanos);
        results.set(format!("selector.{name}.gas_over_bytecode"), gas);
        greatest = greatest.max(ratio);
    }
    results.set("ns_per_gas.max_ratio", greatest);
    let slowness = |measured: &Measured| measured.speed.first.max(measured.speed.again);
    all.sort_by(|a, b| slowness(b).partial_cmp(&slowness(a)).unwrap_or(Ordering::Equal));
    Ok(all)
}

impl Measured {
    /// Seconds of a block of `gas`, of this call alone.
    pub(crate) fn block(&mut self, gas: u64) -> Result<f64> {
        if self.speed.again >= self.speed.first {
            let count = 1 + (gas as f64 / self.pair.ours.again) as u64;
            return Ok(self.pair.ours.time(count)?.as_secs_f64());
        }
        let mut seconds = 0.0;
        for _ in 0..gas / self.pair.ours.first.max(1) {
            seconds += self.pair.ours.time(1)?.as_secs_f64();
        }
        Ok(seconds)
    }
}
