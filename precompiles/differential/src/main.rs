//! Runs the comparison at length.
#![allow(clippy::print_stdout)]

use clap::Parser;
use openledger_abi::{
    ATTRIBUTION, CONTRIBUTION_TOKEN, COURT, DATANET_TOKEN, DATANETS, IAttribution, ICourt, IDatanets,
    IPayouts, PAYOUTS,
};
use openledger_differential::{Coverage, campaign, refusals};
use openledger_precompiles::Precompile;
use std::process::ExitCode;
use std::time::Instant;

/// Compares the precompiles with the reference contracts on random sequences of calls.
#[derive(Parser)]
struct Arguments {
    /// How many steps to take.
    #[arg(long, env = "STEPS", default_value_t = 100_000)]
    steps: u64,
    /// The first sequence's seed; the next has one more.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Calls one of the three only.
    #[arg(long, value_parser = ["datanets", "attribution", "payouts"])]
    only: Option<String>,
    /// Lists how often each function succeeded and failed.
    #[arg(long)]
    coverage: bool,
    /// Lists which errors each function met, as refusals.toml has them.
    #[arg(long)]
    refusals: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let start = Instant::now();
    let focus = arguments.only.map(|name| match name.as_str() {
        "datanets" => DATANETS,
        "attribution" => ATTRIBUTION,
        _ => PAYOUTS,
    });
    match campaign(arguments.seed, arguments.steps, focus) {
        Ok(coverage) => {
            let seconds = start.elapsed().as_secs_f64();
            let rate = arguments.steps as f64 / seconds;
            println!(
                "{} steps from seed {}: no difference; {rate:.0} steps/s",
                arguments.steps, arguments.seed
            );
            if arguments.coverage {
                show(&coverage);
            }
            if arguments.refusals {
                print!("{}", refusals(&coverage));
            }
            ExitCode::SUCCESS
        }
        Err(found) => {
            println!("{found}");
            ExitCode::FAILURE
        }
    }
}

fn show(coverage: &Coverage) {
    for precompile in Precompile::ALL {
        for function in precompile.functions() {
            let key = (precompile.address(), function.selector);
            let [good, bad] = coverage.functions.get(&key).copied().unwrap_or_default();
            println!("{good:>9} {bad:>9}  {}", function.signature);
        }
    }
    let mut others = std::collections::BTreeMap::new();
    for ((to, _), [good, bad]) in &coverage.functions {
        let count: &mut [u64; 2] = others.entry(*to).or_default();
        (count[0], count[1]) = (count[0] + good, count[1] + bad);
    }
    for (name, to) in [("DatanetToken", DATANET_TOKEN), ("ContributionToken", CONTRIBUTION_TOKEN)] {
        let [good, bad] = others.get(&to).copied().unwrap_or_default();
        println!("{good:>9} {bad:>9}  {name}");
    }
    for function in ICourt::abi::contract().functions() {
        let [good, bad] =
            coverage.functions.get(&(COURT, function.selector().0)).copied().unwrap_or_default();
        if good + bad > 0 {
            println!("{good:>9} {bad:>9}  Court.{}", function.signature());
        }
    }
    let interfaces = [IDatanets::abi::contract(), IAttribution::abi::contract(), IPayouts::abi::contract()];
    for (precompile, interface) in Precompile::ALL.into_iter().zip(interfaces) {
        for error in interface.errors() {
            let (to, selector) = (precompile.address(), error.selector().0);
            let met = coverage.errors.iter().filter(|((at, _, found), _)| (*at, *found) == (to, selector));
            println!("{:>9}  {precompile:?}.{}", met.map(|(_, count)| count).sum::<u64>(), error.signature());
        }
    }
}
