//! What no sequence of calls can break.

use super::*;
use openledger_abi::{CONTRIBUTION_TOKEN, PAYOUTS};
use proptest::prelude::*;
use std::collections::BTreeMap;

const FEE: u128 = 1_000_003;
const PEOPLE: [Address; 5] = [ALICE, BOB, CURATOR, MODELLER, NOBODY];

#[derive(Clone, Debug)]
enum Move {
    Share { by: usize, to: usize, bps: u16 },
    Title { from: usize, to: usize },
    Earn,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let person = 0..PEOPLE.len();
    let step = prop_oneof![
        4 => (person.clone(), person.clone(), 0..6_000u16).prop_map(|(by, to, bps)| Move::Share { by, to, bps }),
        2 => (person.clone(), person).prop_map(|(from, to)| Move::Title { from, to }),
        1 => Just(Move::Earn),
    ];
    prop::collection::vec(step, 1..40)
}

fn shares(w: &mut World) -> BTreeMap<Address, u16> {
    let owners = view(w, ownersOfCall { contribution: 1 });
    let count = owners.len();
    let shares: BTreeMap<_, _> = owners.into_iter().map(|owner| (owner.account, owner.bps)).collect();
    assert_eq!(shares.len(), count, "an account is in a set twice");
    shares
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn shares_sum_to_the_whole_and_nobody_loses_without_giving(moves in moves()) {
        let mut w = World::new();
        let datanet = w.datanet();
        let terms = Terms { fee: FEE, ..open_terms() };
        let others = vec![OwnerShare { account: BOB, bps: 2_500 }];
        reveal_with(&mut w, ALICE, datanet, terms, others).unwrap();
        // What each person should have been paid: by its share at each time that something was earned.
        let (mut due, mut earned) = (BTreeMap::<Address, U256>::new(), 0u64);
        for step in moves {
            let before = shares(&mut w);
            let give = match step {
                Move::Share { by, to, bps } => {
                    let call = transferShareCall { contribution: 1, to: PEOPLE[to], bps };
                    w.call(PEOPLE[by], 0, call).ok().map(|_| (PEOPLE[by], PEOPLE[to]))
                }
                Move::Title { from, to } => {
                    let call =
                        transferContributionCall { from: PEOPLE[from], to: PEOPLE[to], contribution: 1 };
                    w.call(CONTRIBUTION_TOKEN, 0, call).ok().map(|_| (PEOPLE[from], PEOPLE[to]))
                }
                Move::Earn => {
                    w.call(PAYER, FEE, buyGrantCall { contribution: 1 }).unwrap();
                    for (account, bps) in &before {
                        *due.entry(*account).or_default() += U256::from(FEE) * U256::from(*bps);
                    }
                    earned += 1;
                    None
                }
            };
            let after = shares(&mut w);
            prop_assert_eq!(after.values().map(|bps| u32::from(*bps)).sum::<u32>(), 10_000);
            for person in PEOPLE {
                let (had, has) = (before.get(&person).copied(), after.get(&person).copied());
                match give {
                    Some((from, _)) if from == person => prop_assert!(has <= had),
                    Some((_, to)) if to == person => prop_assert!(has >= had),
                    _ => prop_assert_eq!(had, has),
                }
            }
            let title = view(&mut w, contributionOfCall { contribution: 1 }).owner;
            prop_assert_eq!(view(&mut w, ownersOfCall { contribution: 1 })[0].account, title);
            prop_assert_eq!(w.balance(PAYOUTS), U256::from(FEE) * U256::from(earned));
        }
        // A transfer from its holder to itself draws what is left.
        let title = view(&mut w, contributionOfCall { contribution: 1 }).owner;
        let last = transferContributionCall { from: title, to: title, contribution: 1 };
        w.call(CONTRIBUTION_TOKEN, 0, last).unwrap();
        let mut paid = U256::ZERO;
        for person in PEOPLE {
            let credit = w.credit(person);
            paid += credit;
            // Each draw rounds each part by less than a wei.
            let exact = due.get(&person).copied().unwrap_or_default();
            let off = (credit * U256::from(10_000)).abs_diff(exact);
            prop_assert!(off < U256::from(10_000 * 41u64), "{person}: off by {off}");
        }
        prop_assert_eq!(paid, U256::from(FEE) * U256::from(earned));
    }

    #[test]
    fn order_of_commitments_decides_whatever_the_order_of_reveals(
        owners in prop::collection::vec(0..PEOPLE.len(), 2..6),
        order in any::<prop::sample::Index>(),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..8),
    ) {
        let mut w = World::new();
        let datanet = w.datanet();
        for person in PEOPLE {
            w.state.balances.insert(person, U256::from(RICH));
        }
        // All commit to the same rows, in the same block.
        let roots: Vec<B256> = (0..owners.len()).map(|n| B256::repeat_byte(n as u8 + 1)).collect();
        for (owner, root) in owners.iter().zip(&roots) {
            let commitment = w.commitment(PEOPLE[*owner], datanet, *root);
            w.call(PEOPLE[*owner], 1_000, commitCall { commitment }).unwrap();
        }
        w.advance(1);
        let mut reveals: Vec<usize> = (0..owners.len()).collect();
        reveals.rotate_left(order.index(owners.len()));
        for (a, b) in swaps {
            reveals.swap(a.index(owners.len()), b.index(owners.len()));
        }
        let mut numbers = BTreeMap::new();
        for &committed in &reveals {
            let call = revealCall {
                datanet,
                root: roots[committed],
                salt: B256::ZERO,
                rows: 1,
                licence: 3,
                expiry: 0,
            };
            let contribution = w.call(PEOPLE[owners[committed]], 0, call).unwrap();
            numbers.insert(committed, contribution);
        }
        let row = |committed: usize| RowRef { contribution: numbers[&committed], row: 0 };
        for earlier in 0..owners.len() {
            for later in earlier + 1..owners.len() {
                let record = |canonical, copy| recordClusterCall {
                    datanet,
                    canonical: row(canonical),
                    copies: vec![row(copy)],
                    evidence: B256::ZERO,
                };
                let refused = NotLater { contribution: numbers[&earlier], row: 0 };
                reverts(w.clone().call(CURATOR, 0, record(later, earlier)), refused);
                w.clone().call(CURATOR, 0, record(earlier, later)).unwrap();
            }
        }
    }
}
