//! Challenges: what the court's word does to bond, stake and the underpaid.

use super::*;
use openledger_abi::PAYOUTS;

const STAKE: u128 = 500;

fn freeze(id: B256) -> freezeReceiptCall {
    freezeReceiptCall { requestId: id, challenger: BOB }
}

fn frozen() -> (World, B256) {
    let (mut w, id) = settled();
    w.call(COURT, STAKE, freeze(id)).unwrap();
    (w, id)
}

fn resolve(id: B256, wrong: bool, corrected: Vec<ClusterShare>) -> resolveReceiptCall {
    resolveReceiptCall { requestId: id, wrong, corrected }
}

fn status(w: &mut World, id: B256) -> ReceiptStatus {
    view(w, receiptOfCall { requestId: id }).status
}

#[test]
fn only_the_court_may_freeze_and_resolve() {
    let (mut w, id) = settled();
    reverts(w.call(BOB, 0, freeze(id)), NotCourt { account: BOB });
    reverts(w.call(BOB, 0, resolve(id, true, vec![])), NotCourt { account: BOB });
}

#[test]
fn frozen_receipt_holds_its_bond_until_the_verdict() {
    let (mut w, id) = frozen();
    let held = U256::from(C);
    let event =
        ReceiptFrozen { requestId: id, attestor: MODELLER, challenger: BOB, held, stake: U256::from(STAKE) };
    assert_eq!(events::<ReceiptFrozen>(&w), [event]);
    assert_eq!(status(&mut w, id), ReceiptStatus::Frozen);
    let challenge = view(&mut w, challengeOfCall { requestId: id });
    assert_eq!((challenge.challenger, challenge.stake), (BOB, U256::from(STAKE)));
    w.state.time += 100_000;
    assert_eq!(view(&mut w, bondOfCall { attestor: MODELLER }).locked, held);
    let all = U256::from(1_000_000_000);
    let small = BondTooSmall { free: all - held, required: all };
    reverts(w.call(MODELLER, 0, unbondCall { amount: all }), small);
    let second = w.request(1_000_000, 2).unwrap();
    w.settle(good(second)).unwrap();
    assert_eq!(view(&mut w, bondOfCall { attestor: MODELLER }).locked, held * U256::from(2));
}

#[test]
fn receipt_is_frozen_once_and_within_the_window() {
    let (mut w, id) = settled();
    let none = B256::ZERO;
    reverts(w.call(COURT, 0, freeze(none)), UnknownReceipt { requestId: none });
    let nobody = freezeReceiptCall { challenger: Address::ZERO, ..freeze(id) };
    reverts(w.call(COURT, 0, nobody), ZeroAddress {});
    let settled_at = w.state.time;
    w.state.time = settled_at + 100;
    let over = ChallengeWindowOver { requestId: id, lastSecond: settled_at + 99 };
    reverts(w.call(COURT, 0, freeze(id)), over);
    w.state.time = settled_at + 99;
    w.call(COURT, 0, freeze(id)).unwrap();
    let twice = WrongReceiptStatus { requestId: id, status: ReceiptStatus::Frozen };
    reverts(w.call(COURT, 0, freeze(id)), twice);
}

#[test]
fn failed_challenge_burns_its_stake_and_frees_the_bond() {
    let (mut w, id) = frozen();
    w.call(COURT, 0, resolve(id, false, vec![])).unwrap();
    let event = ReceiptUpheld { requestId: id, attestor: MODELLER, burned: U256::from(STAKE) };
    assert_eq!(events::<ReceiptUpheld>(&w), [event]);
    assert_eq!(status(&mut w, id), ReceiptStatus::Upheld);
    assert_eq!((w.balance(Address::ZERO), w.balance(BOB)), (U256::from(STAKE), U256::from(RICH)));
    let bond = view(&mut w, bondOfCall { attestor: MODELLER });
    assert_eq!((bond.total, bond.locked), (U256::from(1_000_000_000), U256::ZERO));
    let upheld = || WrongReceiptStatus { requestId: id, status: ReceiptStatus::Upheld };
    reverts(w.call(COURT, 0, resolve(id, true, vec![])), upheld());
    reverts(w.call(COURT, 0, freeze(id)), upheld());
}

#[test]
fn slashing_first_makes_the_underpaid_whole() {
    let (mut w, id) = frozen();
    let held = w.balance(PAYOUTS);
    // Contribution 1 got 689 and keeps it; contribution 2 got 242 of the 931 that it should have.
    w.call(COURT, 0, resolve(id, true, vec![share(2, 0, 900_000)])).unwrap();
    let due = U256::from(931 - 242);
    let whole = MadeWhole { requestId: id, contribution: 2, amount: due };
    assert_eq!(events::<MadeWhole>(&w), [whole]);
    let left = U256::from(C) - due;
    let reward = left * U256::from(3) / U256::from(10);
    let slashed = events::<ReceiptSlashed>(&w).pop().unwrap();
    assert_eq!((slashed.slashed, slashed.madeWhole), (U256::from(C), due));
    assert_eq!((slashed.reward, slashed.burned), (reward, left - reward));
    assert_eq!(w.balance(PAYOUTS), held + due);
    assert_eq!(w.balance(BOB), U256::from(RICH) + U256::from(STAKE) + reward);
    assert_eq!(w.balance(Address::ZERO), left - reward);
    let bond = view(&mut w, bondOfCall { attestor: MODELLER });
    assert_eq!((bond.total, bond.locked), (U256::from(1_000_000_000 - C), U256::ZERO));
    assert_eq!(status(&mut w, id), ReceiptStatus::Slashed);
    let earned = view(&mut w, openledger_abi::IPayouts::accruedOfCall { contribution: 2 });
    assert_eq!((earned.amount, earned.receipts), (U256::from(931), 1));
}

#[test]
fn without_corrected_shares_most_of_the_bond_burns() {
    let (mut w, id) = frozen();
    w.call(COURT, 0, resolve(id, true, vec![])).unwrap();
    assert!(events::<MadeWhole>(&w).is_empty());
    assert_eq!(w.balance(Address::ZERO), U256::from(C - C * 3 / 10));
}

#[test]
fn corrected_shares_are_rows_of_the_model() {
    let (mut w, id) = frozen();
    let outside = w.contribute(BOB, 1, 5, 3, 0);
    let mut refused = |shares| w.call(COURT, 0, resolve(id, true, shares));
    reverts(refused(vec![share(1, 0, 0)]), ZeroShare { index: U256::ZERO });
    let twice = vec![share(1, 0, 1), share(1, 0, 1)];
    reverts(refused(twice), SharesNotAscending { index: U256::ONE });
    let many = TooManyShares { maximum: U256::from(256), given: U256::from(257) };
    reverts(refused(vec![share(1, 0, 1); 257]), many);
    reverts(refused(vec![share(1, 0, 1_000_001)]), WrongShareSum { sum: U256::from(1_000_001) });
    reverts(refused(vec![share(99, 0, 1)]), UnknownContribution { contribution: 99 });
    reverts(refused(vec![share(outside, 0, 1)]), NotInModel { contribution: outside, model: 1 });
    reverts(refused(vec![share(1, 10, 1)]), RowOutOfRange { contribution: 1, row: 10 });
    let none = B256::ZERO;
    reverts(w.call(COURT, 0, resolve(none, true, vec![])), UnknownReceipt { requestId: none });
    let (mut open, id) = settled();
    let wrong = WrongReceiptStatus { requestId: id, status: ReceiptStatus::Settled };
    reverts(open.call(COURT, 0, resolve(id, true, vec![])), wrong);
}

#[test]
fn nobody_gains_by_challenging_its_own_receipt() {
    for corrected in [vec![], vec![share(1, 0, 500_000), share(2, 0, 500_000)], vec![share(2, 0, 1_000_000)]]
    {
        let (mut w, id) = frozen();
        w.call(COURT, 0, resolve(id, true, corrected)).unwrap();
        let slashed = events::<ReceiptSlashed>(&w).pop().unwrap();
        assert!(slashed.reward < slashed.slashed);
        assert_eq!(slashed.madeWhole + slashed.reward + slashed.burned, slashed.slashed);
    }
}
