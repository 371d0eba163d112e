//! Calls of Payouts that succeed.

use super::Case;
use crate::world::*;
use alloy_primitives::B256;
use openledger_abi::CLAIM_ROUTER;
use openledger_abi::IPayouts::*;

pub fn cases() -> Vec<Case> {
    let w = World::with_model();
    let mut asked = w.clone();
    let id = asked.request(1_000_000, 1).unwrap();
    let mut late = asked.clone();
    late.advance(1_000);
    let mut settled = asked.clone();
    settled.settle(good(id)).unwrap();
    let ask = requestCall { model: 1, promptHash: B256::repeat_byte(2), deadline: w.state.time + 600 };
    vec![
        Case::new(&w, BOB, 0, &deadlineBoundsCall {}),
        Case::new(&w, BOB, 0, &platformCall {}),
        Case::new(&asked, BOB, 0, &requestOfCall { requestId: id }),
        Case::new(&w, BOB, 0, &quoteCall { model: 1, tokensIn: 5, tokensOut: 9 }),
        Case::new(&settled, BOB, 0, &creditOfCall { account: ALICE }),
        Case::new(&w, PAYER, 5_000, &ask),
        Case::new(&late, BOB, 0, &refundCall { requestId: id }),
        Case::new(&settled, ALICE, 0, &claimCall {}),
        Case::new(&settled, BOB, 0, &claimForCall { account: PLATFORM }),
        Case::new(&settled, CLAIM_ROUTER, 0, &claimToCall { account: ALICE, to: BOB }),
    ]
}
