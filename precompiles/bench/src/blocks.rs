//! The worst block of precompile calls beside the worst of the EVM's own operations.

use alloy_primitives::{Address, U256, hex};
use eyre::Result;
use openledger_figures::{Figures, median};

use crate::{
    code::{Code, times},
    machine::{Call, Machine, SENDER, State, set_code},
    selectors::Measured,
    trace::recover,
};

/// Gas of a block.
pub(crate) const BLOCK: u64 = 60_000_000;
/// Calls that are tried for a whole block, those that were slowest by gas.
const TRIED: usize = 6;

const LOOP: Address = Address::repeat_byte(0x70);

/// A loop of the EVM's own operations.
struct Loop {
    name: &'static str,
    call: Call,
    machine: Machine,
}

fn word(value: U256, place: u64, code: &mut Code) {
    code.push(value).push(place).op(&[0x52]);
}

/// A call of one of the EVM's own precompiles with what is in memory, over and over.
fn precompile(number: u64, input: &[u8], output: u64) -> Code {
    let mut code = Code::default();
    for (place, chunk) in (0u64..).zip(input.chunks(32)) {
        let mut padded = [0; 32];
        padded[..chunk.len()].copy_from_slice(chunk);
        word(U256::from_be_bytes(padded), 32 * place, &mut code);
    }
    let bytes = input.len() as u64;
    code.op(&[0x5f, 0x35]).repeat(|code| {
        code.push(output)
            .push(bytes.next_multiple_of(32))
            .push(bytes)
            .op(&[0x5f])
            .push(number)
            .op(&[0x5a, 0xfa, 0x50]);
    });
    code
}

/// base ^ exponent % modulus of so many bytes each, all ones; the exponent's length is its own.
fn modexp(bytes: usize, exponent: usize) -> Code {
    let length = |n: usize| U256::from(n).to_be_bytes::<32>();
    let mut input = [length(bytes), length(exponent), length(bytes)].concat();
    input.extend(vec![0xff; bytes + exponent + bytes]);
    // An even modulus takes another way than an odd one; the odd one is the slower.
    precompile(5, &input, 0)
}

fn body(body: impl Fn(&mut Code)) -> Code {
    let mut code = Code::default();
    code.op(&[0x5f, 0x35]).repeat(|code| (0..16).for_each(|_| body(code)));
    code
}

/// Loops that are known to be slow for their gas; slots and accounts that are touched are never the same twice.
fn candidates() -> Vec<(&'static str, Code)> {
    // A point of alt_bn128, twice; and pairs that pair to one.
    let g1 = [U256::from(1).to_be_bytes::<32>(), U256::from(2).to_be_bytes::<32>()].concat();
    let g2 = hex!(
        "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c21800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
    );
    let scalar = [0xff; 32];
    let mul = [g1.as_slice(), &scalar].concat();
    let pair = [g1.as_slice(), &g2].concat();
    let pairs = pair.repeat(2);
    let mut rounds = vec![0; 213];
    rounds[..4].copy_from_slice(&1_000u32.to_be_bytes());
    rounds[212] = 1;
    let mut signature = Code::default();
    signature.op(&[0x5f, 0x35]).repeat(|code| {
        recover(code);
    });
    vec![
        ("keccak256 of 32 bytes", body(|code| _ = code.op(&[0x60, 32, 0x5f, 0x20, 0x50]))),
        ("keccak256 of 136 bytes", body(|code| _ = code.op(&[0x60, 136, 0x5f, 0x20, 0x50]))),
        ("keccak256 of 8,192 bytes", body(|code| _ = code.push(8_192u64).op(&[0x5f, 0x20, 0x50]))),
        ("SLOAD, cold", body(|code| _ = code.op(&[0x5a, 0x54, 0x50]))),
        ("SLOAD, warm", body(|code| _ = code.op(&[0x5f, 0x54, 0x50]))),
        ("SSTORE, new", body(|code| _ = code.op(&[0x5a, 0x5a, 0x55]))),
        ("BALANCE, cold", body(|code| _ = code.op(&[0x5a, 0x31, 0x50]))),
        ("EXTCODEHASH, cold", body(|code| _ = code.op(&[0x5a, 0x3f, 0x50]))),
        ("BALANCE, warm", body(|code| _ = code.op(&[0x30, 0x31, 0x50]))),
        ("EXP", body(|code| _ = code.push(U256::MAX).op(&[0x60, 3, 0x0a, 0x50]))),
        ("MULMOD", body(|code| _ = code.push(U256::MAX - U256::from(1)).op(&[0x80, 0x80, 0x19, 0x09, 0x50]))),
        ("SDIV", body(|code| _ = code.op(&[0x60, 7]).push(U256::MAX >> 1u32).op(&[0x05, 0x50]))),
        ("LOG0", body(|code| _ = code.op(&[0x5f, 0x5f, 0xa0]))),
        ("CALL, warm", body(|code| _ = code.op(&hex!("5f5f5f5f5f61dead5af150")))),
        ("SELFBALANCE", body(|code| _ = code.op(&[0x47, 0x50]))),
        ("TSTORE", body(|code| _ = code.op(&[0x5a, 0x5a, 0x5d]))),
        ("ecrecover", signature),
        ("sha256", precompile(2, &[0xff; 64], 32)),
        ("ripemd160", precompile(3, &[0xff; 64], 32)),
        ("modexp 32, 40", modexp(32, 40)),
        ("modexp 40, 32", modexp(40, 32)),
        ("modexp 96, 32", modexp(96, 32)),
        ("modexp 256, 32", modexp(256, 32)),
        ("modexp 1,024, 8", modexp(1_024, 8)),
        ("bn254 add", precompile(6, &g1.repeat(2), 64)),
        ("bn254 mul", precompile(7, &mul, 64)),
        ("bn254 pairing", precompile(8, &pairs, 32)),
        ("blake2f", precompile(9, &rounds, 64)),
    ]
}

impl Loop {
    fn new(name: &'static str, code: Code) -> Result<Option<Self>> {
        let mut state = State::default();
        set_code(&mut state, SENDER, Vec::new());
        set_code(&mut state, LOOP, code.0);
        let mut machine = Machine::new(state, 100, 10_000)?;
        let call = |count| Call { from: SENDER, to: LOOP, value: U256::ZERO, data: times(count, &[]) };
        let Ok([none, some]) = [0, 16]
            .map(|count| machine.run(&call(count)).map(|run| run.spent))
            .into_iter()
            .collect::<Result<Vec<_>>>()
            .map(|spent| [spent[0], spent[1]])
        else {
            return Ok(None);
        };
        let count = (BLOCK - none) * 16 / (some - none);
        let call = call(count);
        Ok(machine.run(&call).is_ok().then_some(Self { name, call, machine }))
    }

    fn seconds(&mut self) -> Result<f64> {
        Ok(self.machine.time(&self.call)?.as_secs_f64())
    }
}

/// Fills blocks with each and compares the slowest of both kinds.
pub(crate) fn measure(slowest: &mut [Measured], rounds: usize, results: &mut Figures) -> Result<()> {
    let mut loops = Vec::new();
    for (name, code) in candidates() {
        match Loop::new(name, code)? {
            Some(mut made) => {
                let seconds = made.seconds()?;
                println!("EVM block of {name}: {seconds:.3} s");
                loops.push((seconds, made));
            }
            None => println!("EVM block of {name}: cannot be made"),
        }
    }
    loops.sort_by(|a, b| f64::total_cmp(&b.0, &a.0));
    loops.truncate(4);
    let tried = slowest.len().min(TRIED);
    let mut theirs: Vec<Vec<f64>> = vec![Vec::new(); loops.len()];
    let mut ours: Vec<Vec<f64>> = vec![Vec::new(); tried];
    for _ in 0..rounds {
        for (times, (_, made)) in theirs.iter_mut().zip(&mut loops) {
            times.push(made.seconds()?);
        }
        for (times, measured) in ours.iter_mut().zip(slowest.iter_mut()) {
            times.push(measured.block(BLOCK)?);
        }
    }
    let greatest = |all: &[Vec<f64>]| all.iter().map(|times| median(times)).fold(0.0, f64::max);
    for (times, (_, made)) in theirs.iter().zip(&loops) {
        results
            .set(format!("worst_block.evm.{}_ms", made.name.replace([' ', ','], "_")), 1e3 * median(times));
    }
    for (times, measured) in ours.iter().zip(slowest.iter()) {
        results.set(format!("worst_block.precompiles.{}_ms", measured.pair.name), 1e3 * median(times));
    }
    results.set("worst_block.evm_ms", 1e3 * greatest(&theirs));
    results.set("worst_block.precompiles_ms", 1e3 * greatest(&ours));
    results.set("worst_block.time_ratio", greatest(&ours) / greatest(&theirs));
    Ok(())
}
