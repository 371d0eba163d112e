//! Arguments: mostly sensible, now and then odd.

use super::Planner;
use crate::world::{self, CONTRACTS, DEPOSIT, OFFICES, PEOPLE, PLATFORM};
use alloy_primitives::{Address, B256, U256};

impl Planner {
    /// Somebody who can call.
    pub(super) fn who(&mut self) -> Address {
        if self.rng.one_in(3) { *self.rng.pick(&world::signers()) } else { *self.rng.pick(&PEOPLE) }
    }

    /// Any address to name.
    pub(super) fn address(&mut self) -> Address {
        if !self.odd(1) {
            return self.who();
        }
        match self.rng.below(6) {
            0 | 1 => Address::ZERO,
            2 => PLATFORM,
            3 => *self.rng.pick(&OFFICES),
            4 => *self.rng.pick(&CONTRACTS),
            _ => Address::from_word(self.rng.word()),
        }
    }

    /// `usual`, or now and then somebody else.
    pub(super) fn mostly(&mut self, usual: Address) -> Address {
        if self.odd(1) || self.steps >= 30 && self.rng.one_in(8) { self.address_that_pays() } else { usual }
    }

    fn address_that_pays(&mut self) -> Address {
        if self.rng.one_in(6) { *self.rng.pick(&OFFICES) } else { self.who() }
    }

    /// A number that names one of `count` things.
    pub(super) fn number(&mut self, count: usize) -> u64 {
        if !self.odd(1) {
            return 1 + self.rng.below(count.max(1) as u64);
        }
        *self.rng.pick(&[0, 1, count as u64 + 1, 255, u64::from(u32::MAX), 1 << 40, u64::MAX])
    }

    pub(super) fn datanet(&mut self) -> u64 {
        self.number(self.facts.datanets.len())
    }

    pub(super) fn contribution(&mut self) -> u64 {
        self.number(self.facts.contributions.len())
    }

    pub(super) fn model(&mut self) -> u64 {
        self.number(self.facts.models.len())
    }

    pub(super) fn row(&mut self, rows: u32) -> u32 {
        if self.odd(1) {
            *self.rng.pick(&[0, rows, rows.wrapping_sub(1), u32::MAX])
        } else {
            self.rng.below(u64::from(rows)) as u32
        }
    }

    pub(super) fn wei(&mut self) -> U256 {
        match self.rng.below(8) {
            0 => U256::from(self.rng.below(4)),
            1..4 => U256::from(self.rng.below(10_000)),
            4..6 => U256::from(self.rng.below(10_000_000)),
            6 => U256::from(DEPOSIT),
            _ => U256::from(self.rng.next()),
        }
    }

    /// A deposit that is mostly right.
    pub(super) fn deposit(&mut self) -> U256 {
        if self.odd(1) { self.wei() } else { U256::from(DEPOSIT) }
    }

    /// A second, mostly to come, or 0 for none.
    pub(super) fn second(&mut self) -> u64 {
        if self.odd(1) {
            return *self.rng.pick(&[0, 1, self.now - 1, self.now, self.now + 1, u64::MAX]);
        }
        let second = match self.rng.below(if self.steps < 30 { 40 } else { 10 }) {
            0 => self.now + self.rng.below(100),
            1 => self.now + self.rng.below(3_000),
            _ => return 0,
        };
        self.moments.push(second);
        second
    }

    /// A second that may well be asked for when it has just passed.
    pub(super) fn soon(&mut self) -> u64 {
        if !self.rng.one_in(3) {
            return self.second();
        }
        let second = self.now + self.rng.below(8);
        self.moments.push(second);
        second
    }

    pub(super) fn uses(&mut self) -> u16 {
        if self.odd(1) {
            return self.rng.next() as u16;
        }
        let seldom = if self.steps < 30 { 30 } else { 8 };
        if self.rng.one_in(seldom) { self.rng.below(16) as u16 } else { 15 }
    }

    /// Purposes or regions; mostly 0, which is all.
    pub(super) fn bits(&mut self) -> u32 {
        match self.rng.below(if self.steps < 30 { 60 } else { 20 }) {
            0 => self.rng.below(64) as u32,
            1 => *self.rng.pick(&[1, 2, 3, 4, 6]),
            2 if self.odd(1) => *self.rng.pick(&[u32::MAX, 1 << 31, u32::MAX - 1]),
            _ => 0,
        }
    }

    pub(super) fn text(&mut self, most: u64) -> String {
        let lengths = [0, 1, 5, 5, 5, 31, 32, 33, most.saturating_sub(1), most, most + 1];
        let short = if self.odd(1) { lengths.len() } else { lengths.len() - 1 };
        let length = lengths[self.rng.below(short as u64) as usize].min(most + 1);
        let letter = *self.rng.pick(&["a", "é", "\u{800}", "😀"]);
        letter.repeat(length as usize / letter.len()) + &"z".repeat(length as usize % letter.len())
    }

    /// A word that is new, or one of a few that come again.
    pub(super) fn word(&mut self) -> B256 {
        if self.rng.one_in(8) { B256::repeat_byte(self.rng.below(4) as u8) } else { self.rng.word() }
    }
}
