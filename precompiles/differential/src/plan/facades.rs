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
        let (token, number, owner) = self.token();
        let (who, to, id) = (self.mostly(owner), self.address(), U256::from(number));
        match self.rng.below(12) {
            0 => Planned::new(who, token, &approveCall { to, tokenId: id }),
            1 => {
                let approved = !self.rng.one_in(4);
                Planned::new(who, token, &setApprovalForAllCall { operator: to, approved })
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

    /// A façade, a token of it, and its owner as far as is known.
    fn token(&mut self) -> (Address, u64, Address) {
        if self.rng.one_in(4) {
            let datanet = self.datanet();
            (DATANET_TOKEN, datanet, self.owner_of(datanet))
        } else {
            let contribution = self.contribution();
            (CONTRIBUTION_TOKEN, contribution, self.title_of(contribution))
        }
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
