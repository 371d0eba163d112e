//! Plans the steps of a sequence: mostly calls that make sense, with odd values among them, calls that make none, and
//! damaged calldata.

mod attribution;
mod court;
mod damage;
mod datanets;
mod facades;
mod facts;
mod payouts;
mod tail;
mod themes;
mod values;
mod views;

use crate::side::Outcome;
use crate::world::CONTRACTS;
use crate::{Rng, Step};
use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use facts::{Facts, Note};
use openledger_abi::{ATTRIBUTION, DATANETS, PAYOUTS};
use themes::Theme;

/// Plans the steps of one sequence.
#[derive(Debug)]
pub struct Planner {
    rng: Rng,
    facts: Facts,
    now: u64,
    block: u64,
    steps: u64,
    focus: Option<Address>,
    theme: Theme,
    /// Seconds at which something ends.
    moments: Vec<u64>,
    /// A call that was made lately.
    again: Option<(Address, Address, U256, Vec<u8>)>,
    note: Note,
}

/// A call that has been thought of.
pub(crate) struct Planned {
    from: Address,
    to: Address,
    value: U256,
    data: Vec<u8>,
    note: Note,
}

impl Planned {
    fn new(from: Address, to: Address, call: &impl SolCall) -> Self {
        Self { from, to, value: U256::ZERO, data: call.abi_encode(), note: Note::Nothing }
    }

    fn datanets(from: Address, call: &impl SolCall) -> Self {
        Self::new(from, DATANETS, call)
    }

    fn attribution(from: Address, call: &impl SolCall) -> Self {
        Self::new(from, ATTRIBUTION, call)
    }

    fn payouts(from: Address, call: &impl SolCall) -> Self {
        Self::new(from, PAYOUTS, call)
    }

    fn noted(self, note: Note) -> Self {
        Self { note, ..self }
    }

    fn paying(self, value: impl TryInto<U256>) -> Self {
        Self { value: value.try_into().unwrap_or_default(), ..self }
    }
}

/// How many steps at the start of a sequence build something to work on, without odd values.
const PROLOGUE: u64 = 30;

impl Planner {
    /// A planner whose choices follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::focused(seed, None)
    }

    /// The same, calling one of the contracts only when there is a `focus`.
    pub fn focused(seed: u64, focus: Option<Address>) -> Self {
        Self {
            focus,
            theme: if focus.is_none() { Theme::of(seed) } else { Theme::None },
            moments: Vec::new(),
            again: None,
            rng: Rng::new(seed),
            facts: Facts::default(),
            now: crate::world::FIRST_SECOND,
            block: crate::world::FIRST_BLOCK,
            steps: 0,
            note: Note::Nothing,
        }
    }

    /// The next step.
    pub fn plan(&mut self) -> Step {
        let (blocks, seconds) = self.wait();
        (self.block, self.now) = (self.block + blocks, self.now + seconds);
        let planned = match self.themed() {
            _ if self.steps < PROLOGUE => self.prologue(),
            Some(planned) => planned,
            None => self.repeated().unwrap_or_else(|| self.anything()),
        };
        self.steps += 1;
        self.note = planned.note;
        // The three call nobody.
        let from = if CONTRACTS.contains(&planned.from) { self.who() } else { planned.from };
        if self.rng.one_in(8) {
            self.again = Some((from, planned.to, planned.value, planned.data.clone()));
        }
        let mut step = Step {
            blocks,
            seconds,
            from,
            to: planned.to,
            value: planned.value,
            data: planned.data.into(),
            damaged: false,
        };
        if self.odd(4) {
            damage::damage(&mut self.rng, &mut step);
            self.note = Note::Nothing;
        }
        step
    }

    /// Takes in what the step did.
    pub fn learn(&mut self, outcome: &Outcome) {
        let note = std::mem::replace(&mut self.note, Note::Nothing);
        if let Some(output) = outcome.output() {
            self.facts.learn(note, output);
        }
    }

    /// True now and then: `n` times as seldom as odd values are among arguments; never in the prologue.
    fn odd(&mut self, n: u64) -> bool {
        self.steps >= PROLOGUE + self.theme.steps() && self.rng.one_in(20 * n)
    }

    fn wait(&mut self) -> (u64, u64) {
        let (blocks, seconds) = (self.rng.below(3), self.rng.below(4));
        if self.steps < PROLOGUE + self.theme.steps() {
            return (1 + blocks, 1 + seconds);
        }
        match self.rng.below(24) {
            0 => (self.rng.below(30), self.rng.below(60)),
            1 if self.rng.one_in(3) => (blocks, self.rng.below(400)),
            2 if self.rng.one_in(20) => (blocks, self.rng.below(6_000)),
            3 => (blocks, self.a_moment()),
            4..8 => (0, 0),
            _ => (blocks, seconds),
        }
    }

    /// Seconds until something ends, or to the second after.
    fn a_moment(&mut self) -> u64 {
        let coming = |moment: &&u64| (self.now..self.now + 6_000).contains(*moment);
        let coming: Vec<u64> = self.moments.iter().rev().take(12).filter(coming).copied().collect();
        if coming.is_empty() { 0 } else { *self.rng.pick(&coming) - self.now + self.rng.below(2) }
    }

    /// A beginning in which most things come to be: Datanets, contributions, versions, models, bonds, requests.
    fn prologue(&mut self) -> Planned {
        match self.steps {
            18.. if self.focus == Some(DATANETS) => self.any_of_datanets(),
            0 => self.create_datanet(),
            1 => self.create_permissive(),
            2..6 => self.commit(),
            6..10 => self.reveal_with(),
            10..12 => self.commit(),
            12..14 => self.reveal(),
            14..18 => self.publish(),
            18 => self.create_derived(),
            19..21 => self.register(),
            21 => self.register_with(),
            22..25 => self.bond(),
            25..28 => self.request(),
            _ => self.settle(),
        }
    }

    /// A call that was made already, word for word.
    fn repeated(&mut self) -> Option<Planned> {
        if !self.odd(1) {
            return None;
        }
        let (from, to, value, data) = self.again.take()?;
        Some(Planned { from, to, value, data, note: Note::Nothing })
    }

    fn anything(&mut self) -> Planned {
        if let Some(focus) = self.focus {
            let who = self.who();
            return match focus {
                _ if self.rng.one_in(8) => self.view_of(focus, who),
                DATANETS => self.any_of_datanets(),
                ATTRIBUTION => self.any_of_attribution(),
                _ => self.any_of_payouts(),
            };
        }
        match self.rng.below(100) {
            0..84 => self.any_of_the_three(),
            84..89 => self.any_of_facades(),
            89..91 => self.any_of_court(),
            _ => self.any_view(),
        }
    }

    fn any_of_the_three(&mut self) -> Planned {
        match self.rng.below(84) {
            0..32 => self.any_of_datanets(),
            32..59 => self.any_of_attribution(),
            _ => self.any_of_payouts(),
        }
    }
}
