//! Steps through the token façades; some receivers call back, into the façades and the three, before the transfer ends.

use super::facts::Note;
use super::{Planned, Planner};
use crate::world::PUPPET;
use alloy_primitives::{Address, Bytes, U256};
use openledger_abi::IDatanets::transferShareCall;
use openledger_abi::IPayouts::drawAndClaimCall;
use openledger_abi::{CONTRIBUTION_TOKEN, DATANET_TOKEN};

alloy_sol_types::sol! {
    function approve(address to, uint256 tokenId);
    function setApprovalForAll(address operator, bool approved);
    function announce(uint256[] tokenIds);
    function transferFrom(address from, address to, uint256 tokenId);
    function safeTransferFrom(address from, address to, uint256 tokenId, bytes data);
}

/// Callbacks within callbacks, at most.
const DEPTH: u32 = 3;

impl Planner {
    pub(super) fn any_of_facades(&mut self) -> Planned {
        let (token, number, who) = self.actor();
        let owner = self.holder(token, number);
        let (to, id) = (self.address(), U256::from(number));
        match self.rng.below(12) {
            0 => {
                let call = approveCall { to, tokenId: id };
                Planned::new(who, token, &call).noted(Note::Approved(token, number, to))
            }
            1 => {
                let approved = !self.rng.one_in(4);
                let call = setApprovalForAllCall { operator: to, approved };
                Planned::new(who, token, &call).noted(Note::Approved(token, number, to))
            }
            2 => Planned::new(who, token, &announceCall { tokenIds: vec![id, id] }),
            3 | 4 => {
                let call = transferFromCall { from: owner, to, tokenId: id };
                Planned::new(who, token, &call).noted(moved(token, number, to))
            }
            _ => {
                let data = self.callback(token, number, owner, DEPTH);
                let call = safeTransferFromCall { from: owner, to: PUPPET, tokenId: id, data };
                Planned::new(who, token, &call).noted(moved(token, number, PUPPET))
            }
        }
    }

    /// A façade, a token of it, and who acts: its owner, now and then one whom its owner let, or anyone.
    fn actor(&mut self) -> (Address, u64, Address) {
        if self.rng.one_in(4) && !self.facts.approved.is_empty() {
            return *self.rng.pick(&self.facts.approved);
        }
        let (token, number, owner) = self.token();
        (token, number, self.mostly(owner))
    }

    /// A façade, a token of it, and its owner as far as is known.
    fn token(&mut self) -> (Address, u64, Address) {
        let (token, number) = if self.rng.one_in(4) {
            (DATANET_TOKEN, self.datanet())
        } else {
            (CONTRIBUTION_TOKEN, self.contribution())
        };
        (token, number, self.holder(token, number))
    }

    fn holder(&mut self, token: Address, number: u64) -> Address {
        if token == DATANET_TOKEN { self.owner_of(number) } else { self.title_of(number) }
    }

    /// What the receiver of a token does at once: gives it on, takes it back and forth, draws on it, or anything else.
    fn callback(&mut self, token: Address, number: u64, from: Address, depth: u32) -> Bytes {
        let id = U256::from(number);
        let planned = match self.rng.below(8) {
            0 => {
                let to = self.address();
                Planned::new(PUPPET, token, &transferFromCall { from: PUPPET, to, tokenId: id })
            }
            1 | 2 if depth > 0 => {
                let data = self.callback(token, number, from, depth - 1);
                let call = safeTransferFromCall { from: PUPPET, to: PUPPET, tokenId: id, data };
                Planned::new(PUPPET, token, &call)
            }
            3 => Planned::new(PUPPET, token, &transferFromCall { from, to: PUPPET, tokenId: id }),
            4 => {
                let bps = 1 + self.rng.below(10_000) as u16;
                let call = transferShareCall { contribution: number, to: from, bps };
                Planned::datanets(PUPPET, &call)
            }
            5 => Planned::payouts(PUPPET, &drawAndClaimCall { contributions: vec![number, number] }),
            6 if depth > 0 => {
                let (token, number, owner) = self.token();
                let data = self.callback(token, number, owner, depth - 1);
                let call =
                    safeTransferFromCall { from: owner, to: PUPPET, tokenId: U256::from(number), data };
                Planned::new(PUPPET, token, &call)
            }
            _ => self.any_of_the_three(),
        };
        [planned.to.as_slice(), &planned.data].concat().into()
    }
}

fn moved(token: Address, number: u64, to: Address) -> Note {
    if token == DATANET_TOKEN { Note::DatanetMoved(number, to) } else { Note::ContributionMoved(number, to) }
}
