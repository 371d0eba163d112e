//! What owners earn hangs on their rows alone: not on how they are cut into contributions, nor on who copies them.
#![allow(clippy::unwrap_used)]

mod world;

use alloy_primitives::{B256, U256};
use openledger_abi::IAttribution::{
    ClusterShare, DatasetRef, ModelSpec, NotCanonical, bondCall, registerModelCall,
};
use openledger_abi::IDatanets::{RowRef, recordClusterCall};
use openledger_abi::IPayouts::drawCall;
use proptest::prelude::*;
use world::*;

const ROWS: u32 = 24;
const ESCROW: u128 = 1_000_000_000;

/// A Datanet with these contributions of ALICE, one of BOB, and a model on it; gives ALICE's contributions and BOB's.
fn world_of(alices: &[u32], bobs: u32) -> (World, Vec<u64>, u64) {
    let mut w = World::new();
    let datanet = w.datanet();
    let mine: Vec<u64> = alices.iter().map(|rows| w.contribute(ALICE, datanet, *rows, 3, 0)).collect();
    let other = w.contribute(BOB, datanet, bobs, 3, 0);
    w.publish(datanet, &[mine.clone(), vec![other]].concat()).unwrap();
    let spec = ModelSpec { datasets: vec![DatasetRef { datanet, version: 1 }], ..spec() };
    w.call(MODELLER, 0, registerModelCall { spec }).unwrap();
    w.call(MODELLER, ESCROW, bondCall {}).unwrap();
    (w, mine, other)
}

/// The wei of ALICE and of BOB, after a receipt with these shares.
fn incomes(mut w: World, shares: Vec<ClusterShare>, contributions: Vec<u64>) -> (U256, U256) {
    let id = w.request(ESCROW, 1).unwrap();
    let named: u32 = shares.iter().map(|share| share.ppm).sum();
    w.settle(receipt(id, 1_000_000 - named, shares)).unwrap();
    w.call(PAYER, 0, drawCall { contributions }).unwrap();
    (w.credit(ALICE), w.credit(BOB))
}

/// Where row `row` of all is when they are cut so.
fn place(cuts: &[u32], contributions: &[u64], row: u32) -> (u64, u32) {
    let (mut contribution, mut left) = (0, row);
    while left >= cuts[contribution] {
        left -= cuts[contribution];
        contribution += 1;
    }
    (contributions[contribution], left)
}

/// Rows, each in a part of its own or with the one before.
fn cut(breaks: &[bool]) -> Vec<u32> {
    let mut parts = vec![1];
    for apart in breaks {
        if *apart {
            parts.push(1);
        } else if let Some(last) = parts.last_mut() {
            *last += 1;
        }
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn splitting_a_contribution_changes_its_owners_income_by_nothing(
        breaks in prop::collection::vec(any::<bool>(), ROWS as usize - 1),
        ppm in prop::collection::vec(0u32..40_000, ROWS as usize),
        others in 1u32..40_000,
    ) {
        let paid = |cuts: &[u32]| {
            let (w, mine, other) = world_of(cuts, 1);
            let rows = (0u32..).zip(&ppm).filter(|(_, ppm)| **ppm > 0);
            let mut shares: Vec<ClusterShare> = rows
                .map(|(row, ppm)| {
                    let (contribution, row) = place(cuts, &mine, row);
                    share(contribution, row, *ppm)
                })
                .collect();
            shares.push(share(other, 0, others));
            incomes(w, shares, [mine, vec![other]].concat())
        };
        prop_assert_eq!(paid(&[ROWS]), paid(&cut(&breaks)));
    }

    #[test]
    fn copying_rows_earns_nothing_and_takes_nothing(
        copied in prop::collection::btree_set(0..ROWS, 1..8),
        ppm in prop::collection::vec(1u32..40_000, ROWS as usize),
    ) {
        let shares = |contribution| -> Vec<ClusterShare> {
            (0..).zip(&ppm).map(|(row, ppm)| share(contribution, row, *ppm)).collect()
        };
        let (w, mine, other) = world_of(&[ROWS], ROWS);
        let without = incomes(w.clone(), shares(mine[0]), vec![mine[0], other]);

        let mut with = w;
        for row in &copied {
            let canonical = RowRef { contribution: mine[0], row: *row };
            let copies = vec![RowRef { contribution: other, row: *row }];
            let evidence = B256::repeat_byte(4);
            with.call(CURATOR, 0, recordClusterCall { datanet: 1, canonical, copies, evidence }).unwrap();
        }
        // Whoever would pay the copier is refused, row by row.
        let id = with.request(ESCROW, 9).unwrap();
        for row in &copied {
            let error = NotCanonical { contribution: other, row: *row };
            reverts(with.settle(receipt(id, 1_000_000 - 5, vec![share(other, *row, 5)])), error);
        }
        prop_assert_eq!(incomes(with, shares(mine[0]), vec![mine[0], other]), without);
        prop_assert_eq!(without.1, U256::ZERO);
    }
}
