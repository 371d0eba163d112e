//! Owner sets: shares that sum to the whole, transfers that leave everyone else's as they were.

use super::*;
use openledger_abi::{CONTRIBUTION_TOKEN, IPayouts};

fn part(account: Address, bps: u16) -> OwnerShare {
    OwnerShare { account, bps }
}

fn owners(w: &mut World, contribution: u64) -> Vec<OwnerShare> {
    view(w, ownersOfCall { contribution })
}

/// A contribution of Alice's with Bob as co-owner, whose licence is for sale.
fn shared() -> (World, u64) {
    let mut w = World::new();
    let datanet = w.datanet();
    let terms = Terms { fee: 1_000_003, ..open_terms() };
    let c = reveal_with(&mut w, ALICE, datanet, terms, vec![part(BOB, 3_333)]).unwrap();
    (w, c)
}

fn give(contribution: u64, to: Address, bps: u16) -> transferShareCall {
    transferShareCall { contribution, to, bps }
}

#[test]
fn title_holder_has_what_the_co_owners_leave() {
    let (mut w, c) = shared();
    let set = events::<OwnersSet>(&w).pop().unwrap();
    assert_eq!((set.set, set.owners), (0, vec![part(ALICE, 6_667), part(BOB, 3_333)]));
    assert_eq!(owners(&mut w, c), [part(ALICE, 6_667), part(BOB, 3_333)]);
    let datanet = w.datanet();
    let mut refused = |others: Vec<OwnerShare>, index: u64| {
        let result = reveal_with(&mut w, ALICE, datanet, open_terms(), others);
        reverts(result, WrongOwnerShares { index: U256::from(index) });
    };
    refused(vec![part(Address::ZERO, 1)], 0);
    refused(vec![part(BOB, 1), part(ALICE, 1)], 1);
    refused(vec![part(BOB, 1), part(PAYER, 1), part(BOB, 1)], 2);
    refused(vec![part(BOB, 0)], 0);
    refused(vec![part(BOB, 5_000), part(PAYER, 5_000)], 1);
    let many = (1..=16).map(|n| part(Address::repeat_byte(n), 1)).collect();
    let too_many = TooManyOwners { maximum: U256::from(15), given: U256::from(16) };
    reverts(reveal_with(&mut w, ALICE, datanet, open_terms(), many), too_many);
    let fifteen = (1..=15).map(|n| part(Address::repeat_byte(n), 666)).collect();
    let full = reveal_with(&mut w, ALICE, datanet, open_terms(), fifteen).unwrap();
    assert_eq!(owners(&mut w, full)[0], part(ALICE, 10));
    let refused = TooManyOwners { maximum: U256::from(15), given: U256::from(16) };
    reverts(w.call(ALICE, 0, give(full, PAYER, 1)), refused);
    w.call(Address::repeat_byte(3), 0, give(full, PAYER, 666)).unwrap();
    assert_eq!(owners(&mut w, full).len(), 16);
}

#[test]
fn share_moves_between_its_holders_alone() {
    let (mut w, c) = shared();
    let too_small = |held, asked| ShareTooSmall { held, asked };
    reverts(w.call(PAYER, 0, give(c, PAYER, 1)), too_small(0, 1));
    reverts(w.call(BOB, 0, give(c, PAYER, 3_334)), too_small(3_333, 3_334));
    reverts(w.call(BOB, 0, give(c, PAYER, 0)), too_small(3_333, 0));
    reverts(w.call(BOB, 0, give(c, Address::ZERO, 1)), ZeroAddress {});
    w.call(BOB, 0, give(c, PAYER, 333)).unwrap();
    assert_eq!(owners(&mut w, c), [part(ALICE, 6_667), part(BOB, 3_000), part(PAYER, 333)]);
    w.call(BOB, 0, give(c, BOB, 3_000)).unwrap();
    assert_eq!(owners(&mut w, c).len(), 3);
    w.call(BOB, 0, give(c, ALICE, 3_000)).unwrap();
    assert_eq!(owners(&mut w, c), [part(ALICE, 9_667), part(PAYER, 333)]);
    w.call(ALICE, 0, give(c, PAYER, 9_667)).unwrap();
    assert_eq!(owners(&mut w, c), [part(ALICE, 0), part(PAYER, 10_000)]);
    assert_eq!(view(&mut w, contributionOfCall { contribution: c }).owner, ALICE);
}

#[test]
fn title_goes_to_the_buyer_with_its_share_and_its_own() {
    let (mut w, c) = shared();
    let transfer = |from, to| transferContributionCall { from, to, contribution: c };
    w.call(CONTRIBUTION_TOKEN, 0, transfer(ALICE, PAYER)).unwrap();
    assert_eq!(owners(&mut w, c), [part(PAYER, 6_667), part(BOB, 3_333)]);
    w.call(CONTRIBUTION_TOKEN, 0, transfer(PAYER, BOB)).unwrap();
    assert_eq!(owners(&mut w, c), [part(BOB, 10_000)]);
    w.call(CONTRIBUTION_TOKEN, 0, transfer(BOB, BOB)).unwrap();
    assert_eq!(owners(&mut w, c), [part(BOB, 10_000)]);
    assert_eq!(view(&mut w, contributionBalanceOfCall { owner: BOB }), U256::ONE);
    assert_eq!(view(&mut w, contributionBalanceOfCall { owner: PAYER }), U256::ZERO);
}

#[test]
fn who_owned_at_accrual_is_paid() {
    let (mut w, c) = shared();
    w.call(PAYER, 1_000_003, buyGrantCall { contribution: c }).unwrap();
    w.call(CONTRIBUTION_TOKEN, 0, transferContributionCall { from: ALICE, to: MODELLER, contribution: c })
        .unwrap();
    let drawn = events::<IPayouts::Drawn>(&w);
    assert_eq!(drawn.iter().map(|d| d.account).collect::<Vec<_>>(), [ALICE, BOB]);
    // 1,000,003 by 6,667 and 3,333 parts of 10,000, by cumulative floors.
    assert_eq!((w.credit(ALICE), w.credit(BOB)), (U256::from(666_702), U256::from(333_301)));
    w.call(PAYER, 1_000_003, buyGrantCall { contribution: c }).unwrap();
    w.call(BOB, 0, give(c, PAYER, 3_333)).unwrap();
    assert_eq!(w.credit(MODELLER), U256::from(666_702));
    assert_eq!(w.credit(BOB), U256::from(2 * 333_301));
    assert_eq!((w.credit(ALICE), w.credit(PAYER)), (U256::from(666_702), U256::ZERO));
    assert_eq!(w.balance(openledger_abi::PAYOUTS), U256::from(2 * 1_000_003));
}

#[test]
fn owners_of_the_past_are_found_by_receipt() {
    let (mut w, c) = shared();
    let first = owners(&mut w, c);
    let set_receipts = |w: &mut World, count: u64| {
        // Slot 0 of Attribution: window, models, receipts.
        let key = (openledger_abi::ATTRIBUTION, U256::ZERO);
        let old = w.state.storage[&key];
        let low = old & ((U256::ONE << 128) - U256::ONE);
        w.state.storage.insert(key, low | U256::from(count) << 128);
    };
    let mut seen = vec![first];
    for receipts in [5, 5, 9, 20] {
        set_receipts(&mut w, receipts);
        w.call(ALICE, 0, give(c, PAYER, 100)).unwrap();
        let now = owners(&mut w, c);
        seen.push(now);
    }
    let mut at = |receipt| view(&mut w, ownersAtCall { contribution: c, receipt });
    for (receipt, set) in [(0, 0), (1, 0), (5, 0), (6, 2), (9, 2), (10, 3), (20, 3), (21, 4), (u64::MAX, 4)] {
        assert_eq!(at(receipt), seen[set], "receipt {receipt}");
    }
    reverts(
        w.call(BOB, 0, ownersAtCall { contribution: 9, receipt: 1 }),
        UnknownContribution { contribution: 9 },
    );
}
