//! Settlement, long tails, and what is read back.

use super::*;
use openledger_abi::IPayouts;

fn tail(ppm: u32, leaves: u32) -> Tail {
    Tail { root: B256::repeat_byte(8), ppm, leaves }
}

fn accrued(w: &mut World, contribution: u64) -> (U256, u64) {
    let shown = view(w, IPayouts::accruedOfCall { contribution });
    (shown.amount, shown.receipts)
}

#[test]
fn shares_accrue_to_contributions_by_cumulative_floors() {
    let (mut w, id) = settled();
    // 1035 · 333333 / 10^6 = 344.9; · 666666 = 689.9; · 899999 = 931.4
    assert_eq!(accrued(&mut w, 1), (U256::from(689), 1));
    assert_eq!(accrued(&mut w, 2), (U256::from(931 - 689), 1));
    let shown = view(&mut w, receiptOfCall { requestId: id });
    assert_eq!((shown.number, shown.shareCount, shown.tailPpm), (1, 3, 0));
    assert_eq!((shown.fee, shown.contributorsWei), (U256::from(2_724), U256::from(C)));
    assert_eq!((shown.settledAt, shown.blockNumber), (w.state.time, w.state.number));
    assert_eq!((shown.tokensIn, shown.tokensOut, shown.unattributedPpm), (100, 33, 100_001));
    assert_eq!((shown.answerHash, shown.scoreRoot), (B256::repeat_byte(5), B256::repeat_byte(6)));
    assert_eq!(view(&mut w, receiptCountCall {}), 1);
    assert_eq!(view(&mut w, modelOfCall { model: 1 }).receipts, 1);
    reverts(w.call(BOB, 0, tailOfCall { requestId: id }), UnknownTail { requestId: id });
}

#[test]
fn tail_is_kept_with_its_wei() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    let answer = receipt(id, 100_001, vec![share(1, 0, 333_333), share(1, 9, 333_333)]);
    let call = settleTailCall { receipt: answer, tail: tail(233_333, 600) };
    w.call(MODELLER, 0, call).unwrap();
    let amount = U256::from(931 - 689);
    let event = TailSettled { requestId: id, root: B256::repeat_byte(8), ppm: 233_333, leaves: 600, amount };
    assert_eq!(events::<TailSettled>(&w), [event]);
    let shown = view(&mut w, tailOfCall { requestId: id });
    assert_eq!((shown.amount, shown.leaves, shown.claimedWei), (amount, 600, U256::ZERO));
    assert_eq!(view(&mut w, receiptOfCall { requestId: id }).tailPpm, 233_333);
    let none = B256::ZERO;
    reverts(w.call(BOB, 0, tailOfCall { requestId: none }), UnknownReceipt { requestId: none });
}

#[test]
fn tails_gas_does_not_depend_on_its_leaves() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    let gas = [512, 10_000].map(|leaves| {
        let mut w = w.clone();
        let call = settleTailCall { receipt: receipt(id, 0, vec![]), tail: tail(1_000_000, leaves) };
        w.call(MODELLER, 0, call).unwrap();
        w.gas_used
    });
    assert_eq!(gas[0], gas[1]);
}

#[test]
fn wrong_tails_are_refused() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    let mut refused = |unattributed, tail| {
        let call = settleTailCall { receipt: receipt(id, unattributed, vec![]), tail };
        w.call(MODELLER, 0, call)
    };
    reverts(refused(1_000_000, tail(0, 1)), EmptyTail {});
    reverts(refused(999_999, tail(1, 0)), EmptyTail {});
    reverts(refused(999_999, Tail { root: B256::ZERO, ..tail(1, 1) }), EmptyTail {});
    let many = TooManyLeaves { maximum: U256::from(1 << 20), given: U256::from((1 << 20) + 1) };
    reverts(refused(999_999, tail(1, (1 << 20) + 1)), many);
    reverts(refused(999_999, tail(2, 1)), WrongShareSum { sum: U256::from(1_000_001) });
    refused(999_999, tail(1, 1 << 20)).unwrap();
}

#[test]
fn erased_rows_and_copies_earn_nothing() {
    let mut w = World::with_model();
    let copyist = w.contribute(BOB, 1, 5, 3, 0);
    w.publish(1, &[copyist]).unwrap();
    let latest = on(vec![at(1, 2), at(2, 1)]);
    let model = register(&mut w, latest, ModelExtras::default()).unwrap();
    let record = IDatanets::recordClusterCall {
        datanet: 1,
        canonical: IDatanets::RowRef { contribution: 1, row: 0 },
        copies: vec![IDatanets::RowRef { contribution: copyist, row: 2 }],
        evidence: B256::repeat_byte(1),
    };
    w.call(CURATOR, 0, record).unwrap();
    let deadline = w.state.time + 600;
    let request = IPayouts::requestCall { model, promptHash: B256::ZERO, deadline };
    let id = w.call(PAYER, 1_000_000, request).unwrap();
    let copied = receipt(id, 0, vec![share(copyist, 2, 1_000_000)]);
    reverts(w.settle(copied), NotCanonical { contribution: copyist, row: 2 });
    let mut own = w.clone();
    own.settle(receipt(id, 0, vec![share(copyist, 1, 1_000_000)])).unwrap();
    let erase = IDatanets::tombstoneCall { contribution: copyist, reason: String::new() };
    w.call(BOB, 0, erase).unwrap();
    let erased = receipt(id, 0, vec![share(copyist, 1, 1_000_000)]);
    reverts(w.settle(erased), Erased { contribution: copyist });
}

#[test]
fn unattributed_part_goes_to_datanets_by_rows() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    let give = IDatanets::transferDatanetCall { from: CURATOR, to: BOB, datanet: 2 };
    w.call(openledger_abi::DATANET_TOKEN, 0, give).unwrap();
    w.settle(receipt(id, 1_000_000, vec![])).unwrap();
    // Datanet 1 has 10 rows, Datanet 2 has 20.
    assert_eq!((w.credit(CURATOR), w.credit(BOB)), (U256::from(345), U256::from(690)));
}

#[test]
fn receipts_of_a_model_are_paged_oldest_first() {
    let (mut w, first) = settled();
    let second = w.request(1_000_000, 2).unwrap();
    w.settle(good(second)).unwrap();
    let page = |offset: u64, limit| receiptsOfModelCall { model: 1, offset: U256::from(offset), limit };
    let all = view(&mut w, page(0, U256::MAX));
    assert_eq!((all.total, all.requestIds), (U256::from(2), vec![first, second]));
    assert_eq!(view(&mut w, page(1, U256::ONE)).requestIds, [second]);
    assert!(view(&mut w, page(2, U256::ONE)).requestIds.is_empty());
    let unknown = receiptsOfModelCall { model: 2, ..page(0, U256::ONE) };
    reverts(w.call(BOB, 0, unknown), UnknownModel { model: 2 });
}

#[test]
fn history_of_a_contribution_is_paged_newest_first() {
    let (mut w, first) = settled();
    let second = w.request(1_000_000, 2).unwrap();
    w.settle(receipt(second, 500_000, vec![share(2, 3, 500_000)])).unwrap();
    let page = |contribution, before, limit: u64| historyOfCall {
        contribution,
        model: 1,
        before,
        limit: U256::from(limit),
    };
    let all = view(&mut w, page(1, 0, 64));
    let entry = |row, ppm, amount| HistoryEntry { requestId: first, row, ppm, amount: U256::from(amount) };
    assert_eq!((all.entries, all.next), (vec![entry(0, 333_333, 344), entry(9, 333_333, 345)], 0));
    let newest = view(&mut w, page(2, 0, 1));
    assert_eq!((newest.entries.len(), newest.entries[0].requestId, newest.next), (1, second, 1));
    let older = view(&mut w, page(2, 1, 1));
    assert_eq!((older.entries[0].requestId, older.next), (first, 0));
    reverts(w.call(BOB, 0, page(9, 0, 1)), UnknownContribution { contribution: 9 });
    let unknown = historyOfCall { model: 9, ..page(1, 0, 1) };
    reverts(w.call(BOB, 0, unknown), UnknownModel { model: 9 });
}

#[test]
fn settlement_after_the_deadline_is_refused() {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    let deadline = w.state.time + 600;
    w.state.time = deadline + 1;
    reverts(w.settle(good(id)), DeadlinePassed { deadline });
    w.state.time = deadline;
    w.settle(good(id)).unwrap();
}
