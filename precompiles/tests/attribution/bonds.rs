//! Bonds: what receipts hold of them, and for how long.

use super::*;

fn bond_of(w: &mut World) -> (u64, u64) {
    let bond = view(w, bondOfCall { attestor: MODELLER });
    (bond.total.to(), bond.locked.to())
}

fn settle(w: &mut World, salt: u8) -> Result<B256, Failure> {
    let id = w.request(1_000_000, salt).unwrap();
    w.settle(good(id)).map(|()| id)
}

#[test]
fn open_credits_never_exceed_the_bond() {
    let mut w = World::with_model();
    w.call(MODELLER, 0, unbondCall { amount: U256::from(1_000_000_000 - 2 * C) }).unwrap();
    settle(&mut w, 1).unwrap();
    settle(&mut w, 2).unwrap();
    assert_eq!(bond_of(&mut w), (2 * C, 2 * C));
    let small = BondTooSmall { free: U256::ZERO, required: U256::from(C) };
    reverts(settle(&mut w, 3), small);
    let none = BondTooSmall { free: U256::ZERO, required: U256::ONE };
    reverts(w.call(MODELLER, 0, unbondCall { amount: U256::ONE }), none);
}

#[test]
fn receipts_hold_for_the_window_and_at_most_a_sixteenth_more() {
    let mut w = World::with_model();
    for salt in 0..30 {
        let before = w.state.time;
        settle(&mut w, salt).unwrap();
        let mut later = w.clone();
        later.state.time = before + 99;
        assert!(bond_of(&mut later).1 >= C, "a receipt can be challenged and holds nothing");
        // A bucket lasts 7 of the window's 100 seconds.
        later.state.time = before + 107;
        let mut alone = later.clone();
        assert_eq!(bond_of(&mut alone).1, 0);
        w.state.time += u64::from(salt) * 5 % 23;
    }
    let locked = bond_of(&mut w).1;
    assert!(locked > 0 && locked < 30 * C && locked.is_multiple_of(C), "{locked}");
    w.state.time += 10_000;
    assert_eq!(bond_of(&mut w), (1_000_000_000, 0));
    settle(&mut w, 200).unwrap();
    assert_eq!(bond_of(&mut w).1, C);
}

#[test]
fn whole_bond_comes_back_when_nothing_holds_it() {
    let (mut w, _) = settled();
    w.state.time += 107;
    w.call(MODELLER, 0, unbondCall { amount: U256::from(1_000_000_000) }).unwrap();
    assert_eq!(events::<Unbonded>(&w).pop().unwrap().total, U256::ZERO);
    assert_eq!(w.balance(MODELLER), U256::from(RICH));
    assert_eq!(bond_of(&mut w), (0, 0));
}
