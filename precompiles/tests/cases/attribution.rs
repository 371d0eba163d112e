//! Calls of Attribution that succeed.

use super::Case;
use crate::world::*;
use alloy_primitives::{B256, U256};
use openledger_abi::COURT;
use openledger_abi::IAttribution::*;

pub fn cases() -> Vec<Case> {
    let mut w = World::with_model();
    w.state.balances.insert(COURT, U256::from(RICH));
    let mut asked = w.clone();
    let id = asked.request(1_000_000, 1).unwrap();
    let mut settled = asked.clone();
    settled.settle(good(id)).unwrap();
    let mut tailed = asked.clone();
    let (with_tail, tail) = with_tail(id);
    let settle_tail = settleTailCall { receipt: with_tail, tail };
    tailed.call(MODELLER, 0, settle_tail.clone()).unwrap();
    let freeze = freezeReceiptCall { requestId: id, challenger: BOB };
    let mut frozen = settled.clone();
    frozen.call(COURT, 77, freeze.clone()).unwrap();
    let extras = ModelExtras {
        parents: vec![1],
        dataOrderSeed: B256::repeat_byte(1),
        hyperParameters: B256::repeat_byte(2),
        checkpointRoot: B256::repeat_byte(3),
        purposes: 2,
        regions: 4,
        shareAlike: true,
    };
    let publish = publishFaithfulnessCall {
        model: 1,
        ldsPpm: -17,
        errorPpm: 3,
        samples: 64,
        evidence: B256::repeat_byte(4),
    };
    let history = historyOfCall { contribution: 1, model: 1, before: 0, limit: U256::from(9) };
    let resolve = resolveReceiptCall { requestId: id, wrong: true, corrected: vec![share(1, 0, 900_000)] };
    vec![
        Case::new(&w, BOB, 0, &MAX_INLINE_SHARESCall {}),
        Case::new(&w, BOB, 0, &MAX_TAIL_LEAVESCall {}),
        Case::new(&w, BOB, 0, &challengeWindowCall {}),
        Case::new(&w, BOB, 0, &modelCountCall {}),
        Case::new(&settled, BOB, 0, &receiptCountCall {}),
        Case::new(&w, BOB, 0, &modelOfCall { model: 1 }),
        Case::new(&w, BOB, 0, &standingOfCall { model: 1 }),
        Case::new(&w, BOB, 0, &faithfulnessOfCall { model: 1 }),
        Case::new(&w, BOB, 0, &isAttestorCall { model: 1, account: MODELLER }),
        Case::new(&settled, BOB, 0, &bondOfCall { attestor: MODELLER }),
        Case::new(&settled, BOB, 0, &receiptOfCall { requestId: id }),
        Case::new(&tailed, BOB, 0, &tailOfCall { requestId: id }),
        Case::new(
            &settled,
            BOB,
            0,
            &receiptsOfModelCall { model: 1, offset: U256::ZERO, limit: U256::from(9) },
        ),
        Case::new(
            &settled,
            BOB,
            0,
            &lineageOfCall { requestId: id, offset: U256::ONE, limit: U256::from(9) },
        ),
        Case::new(&settled, BOB, 0, &history),
        Case::new(&frozen, BOB, 0, &challengeOfCall { requestId: id }),
        Case::new(&w, MODELLER, 0, &registerModelCall { spec: spec() }),
        Case::new(&w, MODELLER, 0, &registerModelWithCall { spec: spec(), extras }),
        Case::new(&w, BOB, 0, &refreshModelCall { model: 1 }),
        Case::new(&w, MODELLER, 0, &setAttestorCall { model: 1, attestor: BOB, allowed: true }),
        Case::new(&w, MODELLER, 0, &publish),
        Case::new(&w, BOB, 77, &bondCall {}),
        Case::new(&settled, MODELLER, 0, &unbondCall { amount: U256::from(5) }),
        Case::new(&asked, MODELLER, 0, &settleCall { receipt: good(id) }),
        Case::new(&asked, MODELLER, 0, &settle_tail),
        Case::new(&settled, COURT, 77, &freeze),
        Case::new(&frozen, COURT, 0, &resolve),
        Case::new(&frozen, COURT, 0, &resolveReceiptCall { wrong: false, corrected: vec![], ..resolve }),
    ]
}

/// The usual receipt with a long tail in place of its last share.
fn with_tail(id: B256) -> (Receipt, Tail) {
    let tail = Tail { root: B256::repeat_byte(8), ppm: 233_333, leaves: 3 };
    (receipt(id, 100_001, vec![share(1, 0, 333_333), share(1, 9, 333_333)]), tail)
}
