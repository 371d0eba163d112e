//! Steps that call the court, whose own code stands in both worlds: it decides cases, and tells Attribution.

use super::facts::{Note, Settled};
use super::{Planned, Planner};
use crate::world::{COURT_BOND, COURT_STAKE, PEOPLE};
use alloy_primitives::{B256, U256, keccak256};
use alloy_sol_types::SolValue;
use openledger_abi::COURT;
use openledger_abi::ICourt::*;

/// Judges of a first set, and of the one that hears appeals: the first of the people.
const JUDGES: [usize; 2] = [3, 4];

impl Planner {
    pub(super) fn any_of_court(&mut self) -> Planned {
        match self.rng.below(16) {
            0 => self.stake_as_judge(),
            1 => self.unstake_as_judge(),
            2 => {
                let model = self.model();
                self.seat_judges(model)
            }
            3..6 => self.challenge(),
            6 => self.deliver(),
            7..10 => {
                let judge = self.rng.below(5);
                self.vote(judge)
            }
            10..12 => self.advance(),
            12 => self.appeal(),
            _ => self.execute(),
        }
    }

    /// Judges with stakes, and case after case that comes to its end.
    pub(super) fn trials(&mut self, place: u64) -> Planned {
        match place {
            0..5 => self.stake_as_judge(),
            5..9 => self.seat_judges(place - 4),
            9..19 if place % 2 == 1 => self.request(),
            9..19 => self.settle(),
            _ => match (place - 19) % 12 {
                0 => self.challenge(),
                1 => self.deliver(),
                seat @ 2..5 => self.vote(seat - 2),
                5 => self.appeal(),
                seat @ 6..10 => self.vote(seat - 6),
                10 => self.advance(),
                _ => self.execute(),
            },
        }
    }

    fn stake_as_judge(&mut self) -> Planned {
        let who = PEOPLE[(self.steps % 5) as usize];
        Planned::new(who, COURT, &stakeCall {}).paying(U256::from(1 + self.rng.below(1_000)))
    }

    fn unstake_as_judge(&mut self) -> Planned {
        let (who, amount) = (self.who(), U256::from(self.rng.below(1_000)));
        Planned::new(who, COURT, &unstakeCall { amount })
    }

    fn seat_judges(&mut self, model: u64) -> Planned {
        let owner = self.facts.model(model).map(|model| model.owner);
        let owner = owner.unwrap_or_else(|| self.who());
        let [first, appeal] = JUDGES.map(|count| {
            PEOPLE[..count].iter().map(|account| Judge { account: *account, key: B256::ZERO }).collect()
        });
        Planned::new(self.mostly(owner), COURT, &setJudgesCall { model, first, appeal })
    }

    fn challenge(&mut self) -> Planned {
        let open = self.facts.settled.iter().rev().find(|settled| !settled.frozen).cloned();
        let Some(Settled { id, .. }) = open else { return self.settle() };
        let stake = if self.odd(1) { self.wei() } else { U256::from(COURT_STAKE) };
        let call = challengeCall { requestId: id, grounds: self.word() };
        Planned::new(self.who(), COURT, &call).paying(stake).noted(Note::Frozen(id))
    }

    /// A case, mostly the latest.
    fn case(&mut self) -> Option<Settled> {
        let cases: Vec<&Settled> = self.facts.settled.iter().filter(|settled| settled.frozen).collect();
        let latest = cases.last().map(|case| (**case).clone());
        if self.rng.one_in(8) && !cases.is_empty() { Some((*self.rng.pick(&cases)).clone()) } else { latest }
    }

    fn deliver(&mut self) -> Planned {
        let Some(case) = self.case() else { return self.challenge() };
        let attestor = self.facts.model(case.model).and_then(|model| model.attestors.first().copied());
        let attestor = attestor.unwrap_or_else(|| self.who());
        let call = deliverCall { requestId: case.id, evidence: self.word(), uri: self.text(64) };
        Planned::new(self.mostly(attestor), COURT, &call)
    }

    fn vote(&mut self, judge: u64) -> Planned {
        let Some(case) = self.case() else { return self.challenge() };
        let wrong = verdict(&case) != self.rng.one_in(6);
        let corrected = if wrong { keccak256(corrected(&case).abi_encode()) } else { B256::ZERO };
        let judge = PEOPLE[judge as usize % PEOPLE.len()];
        Planned::new(judge, COURT, &voteCall { requestId: case.id, wrong, corrected })
    }

    fn advance(&mut self) -> Planned {
        let Some(case) = self.case() else { return self.challenge() };
        Planned::new(self.who(), COURT, &advanceCall { requestId: case.id })
    }

    fn appeal(&mut self) -> Planned {
        let Some(case) = self.case() else { return self.challenge() };
        let attestor = self.facts.model(case.model).map(|model| model.owner);
        let who = attestor.unwrap_or_else(|| self.who());
        let bond = if self.odd(1) { self.wei() } else { U256::from(COURT_BOND) };
        Planned::new(self.mostly(who), COURT, &appealCall { requestId: case.id }).paying(bond)
    }

    fn execute(&mut self) -> Planned {
        let Some(case) = self.case() else { return self.challenge() };
        let wrong = verdict(&case) && !self.rng.one_in(8);
        let corrected = if wrong { corrected(&case) } else { Vec::new() };
        Planned::new(self.who(), COURT, &executeCall { requestId: case.id, corrected })
    }
}

/// What the judges mostly find: the same for all of them.
fn verdict(case: &Settled) -> bool {
    !case.id[0].is_multiple_of(3)
}

/// The shares that those who find it wrong agree on: none, or the receipt's own without the last.
fn corrected(case: &Settled) -> Vec<CorrectedShare> {
    if case.id[1].is_multiple_of(2) {
        return Vec::new();
    }
    let shares = case.shares.iter().take(case.shares.len().saturating_sub(1));
    shares
        .map(|share| CorrectedShare { contribution: share.contribution, row: share.row, ppm: share.ppm })
        .collect()
}
