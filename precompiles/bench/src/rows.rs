//! What is measured beside Solidity: the same service, asked for in the contender's own way.

use alloy_primitives::B256;
use eyre::Result;

use crate::machine::{Call, Machine, State};

/// Contributions that there are, half of them in each of two Datanets; each has a hundred rows.
pub(crate) const CONTRIBUTIONS: u64 = 256;
/// The part of each answer that nothing earned.
pub(crate) const UNATTRIBUTED_PPM: u32 = 100_000;
/// The part of a long tail, beside eight inline shares.
pub(crate) const TAIL_PPM: u32 = 600_000;
/// Wei a token, in and out, and of the platform.
pub(crate) const PRICE: [u128; 3] = [7_000_000_000_000, 31_000_000_000_000, 1_000_000_000_000_000];
/// Basis points of platform, model and stakers.
pub(crate) const SPLIT: [u16; 3] = [500, 2_500, 1_000];
/// Tokens of an answer, in and out.
pub(crate) const TOKENS: [u32; 2] = [100, 33];
/// Wei of a bond, and of an escrow.
pub(crate) const BOND: u128 = 1_000_000_000_000_000_000;
pub(crate) const ESCROW: u128 = 10_000_000_000_000_000;
/// The root of what is contributed.
pub(crate) const ROOT: B256 = B256::repeat_byte(0x77);

/// The rows in the order of the table.
pub(crate) const NAMES: [&str; 9] = [
    "contribute",
    "settle_8",
    "settle_64",
    "settle_256",
    "settle_512",
    "settle_10000",
    "claim",
    "draw_64",
    "lineage_64",
];

/// A share of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) contribution: u64,
    pub(crate) row: u32,
    pub(crate) ppm: u32,
}

/// `count` shares of `ppm` in all, spread over all contributions.
pub(crate) fn parts(count: u64, ppm: u32) -> Vec<Part> {
    let each = ppm / count as u32;
    let mut parts: Vec<_> = (0..count)
        .map(|n| Part { contribution: 1 + n * (CONTRIBUTIONS / count), row: n as u32 % 100, ppm: each })
        .collect();
    if let Some(last) = parts.last_mut() {
        last.ppm += ppm - each * count as u32;
    }
    parts
}

/// A block, and the state before it.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) state: State,
    pub(crate) number: u64,
    pub(crate) time: u64,
}

impl Stage {
    pub(crate) fn machine(&self) -> Result<Machine> {
        Machine::new(self.state.clone(), self.number, self.time)
    }

    /// The next block, after these calls.
    pub(crate) fn after(&self, calls: &[Call]) -> Result<Self> {
        let mut machine = self.machine()?;
        for call in calls {
            machine.commit(call)?;
        }
        Ok(Self { state: machine.state(), number: self.number + 1, time: self.time + 2 })
    }
}

/// A contender: how it is asked.
pub(crate) trait Service {
    /// Contributions, a model, a bond, an answer that was settled, and a request that is open.
    fn stage(&self) -> &Stage;
    fn commit(&self) -> Call;
    fn reveal(&self) -> Call;
    fn settle(&self, parts: &[Part]) -> Call;
    fn settle_tail(&self, parts: &[Part], leaves: u32) -> Call;
    fn draw(&self, contributions: &[u64]) -> Call;
    fn claim(&self) -> Call;
    fn lineage(&self) -> Call;
}

/// One row for one contender: calls that are measured each on its own.
pub(crate) type Row = Vec<(Machine, Call)>;

/// All rows, in the order of [`NAMES`].
pub(crate) fn rows(service: &dyn Service) -> Result<Vec<Row>> {
    let stage = service.stage();
    let inline = |count| service.settle(&parts(count, 1_000_000 - UNATTRIBUTED_PPM));
    let tail = |leaves| service.settle_tail(&parts(8, 1_000_000 - UNATTRIBUTED_PPM - TAIL_PPM), leaves);
    let committed = stage.after(&[service.commit()])?;
    let settled = stage.after(&[inline(64)])?;
    let drawn = settled.after(&[service.draw(&[1])])?;
    let all: Vec<u64> = parts(64, 64).iter().map(|part| part.contribution).collect();
    let row = |calls: Vec<(&Stage, Call)>| {
        calls.into_iter().map(|(stage, call)| Ok((stage.machine()?, call))).collect::<Result<Row>>()
    };
    Ok(vec![
        row(vec![(stage, service.commit()), (&committed, service.reveal())])?,
        row(vec![(stage, inline(8))])?,
        row(vec![(stage, inline(64))])?,
        row(vec![(stage, inline(256))])?,
        row(vec![(stage, tail(512 - 8))])?,
        row(vec![(stage, tail(10_000 - 8))])?,
        row(vec![(&settled, service.draw(&[1])), (&drawn, service.claim())])?,
        row(vec![(&settled, service.draw(&all))])?,
        row(vec![(&settled, service.lineage())])?,
    ])
}
