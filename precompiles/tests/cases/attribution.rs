//! Calls of Attribution that succeed.

use super::Case;
use crate::world::*;
use alloy_primitives::U256;
use openledger_abi::IAttribution::*;

pub fn cases() -> Vec<Case> {
    let w = World::with_model();
    let mut asked = w.clone();
    let id = asked.request(1_000_000, 1).unwrap();
    let mut settled = asked.clone();
    settled.settle(good(id)).unwrap();
    vec![
        Case::new(&w, BOB, 0, &MAX_INLINE_SHARESCall {}),
        Case::new(&w, BOB, 0, &challengeWindowCall {}),
        Case::new(&w, BOB, 0, &modelCountCall {}),
        Case::new(&w, BOB, 0, &modelOfCall { model: 1 }),
        Case::new(&w, BOB, 0, &isAttestorCall { model: 1, account: MODELLER }),
        Case::new(&settled, BOB, 0, &bondOfCall { attestor: MODELLER }),
        Case::new(&settled, BOB, 0, &receiptOfCall { requestId: id }),
        Case::new(
            &settled,
            BOB,
            0,
            &lineageOfCall { requestId: id, offset: U256::ONE, limit: U256::from(9) },
        ),
        Case::new(&w, MODELLER, 0, &registerModelCall { spec: spec() }),
        Case::new(&w, MODELLER, 0, &setAttestorCall { model: 1, attestor: BOB, allowed: true }),
        Case::new(&w, BOB, 77, &bondCall {}),
        Case::new(&settled, MODELLER, 0, &unbondCall { amount: U256::from(5) }),
        Case::new(&asked, MODELLER, 0, &settleCall { receipt: good(id) }),
    ]
}
