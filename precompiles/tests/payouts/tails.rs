//! The long tail: each leaf is paid once, to those who owned its contribution when the receipt was settled, and no leaf
//! takes more than the root's deposit.

use super::*;
use openledger_abi::IAttribution::{Tail, settleTailCall, tailOfCall};
use openledger_abi::{CONTRIBUTION_TOKEN, IDatanets};
use openledger_shares::{SumTree, TailLeaf};

const INLINE: u32 = 300_000;
const TAIL: u32 = 500_000;

struct Settled {
    w: World,
    id: B256,
    leaves: Vec<TailLeaf>,
    tree: SumTree,
}

fn settle(w: &mut World, id: B256, root: B256, leaves: u32) {
    let receipt = receipt(id, 1_000_000 - INLINE - TAIL, vec![share(1, 0, INLINE)]);
    w.call(MODELLER, 0, settleTailCall { receipt, tail: Tail { root, ppm: TAIL, leaves } }).unwrap();
}

/// A receipt whose tail has `count` leaves, of contributions 1 and 2 in turn; `overstate` is added to the first.
fn settled(count: u32, overstate: u64) -> Settled {
    let mut w = World::with_model();
    let id = w.request(1_000_000, 1).unwrap();
    let mut trial = w.clone();
    settle(&mut trial, id, B256::repeat_byte(1), count);
    let whole = view(&mut trial, tailOfCall { requestId: id }).amount;
    let part = whole / U256::from(count);
    let mut leaves: Vec<TailLeaf> =
        (0..count).map(|n| TailLeaf { contribution: 1 + u64::from(n % 2), amount: part }).collect();
    leaves[0].amount += whole - part * U256::from(count) + wei(overstate);
    let tree = SumTree::new(&leaves).unwrap();
    settle(&mut w, id, tree.root().hash, count);
    Settled { w, id, leaves, tree }
}

impl Settled {
    fn leaf(&self, index: u32) -> claimTailCall {
        let (leaf, path) = (self.leaves[index as usize], self.tree.path(index as usize).unwrap());
        let (siblings, sums) = path.iter().map(|node| (node.hash, node.sum)).unzip();
        let TailLeaf { contribution, amount } = leaf;
        claimTailCall { requestId: self.id, leaf: TailClaim { index, contribution, amount, siblings, sums } }
    }

    fn claimed(&mut self, index: u32) -> bool {
        let call = isTailClaimedCall { requestId: self.id, index };
        view(&mut self.w, call)
    }
}

#[test]
fn every_leaf_is_paid_once_and_together_they_are_the_tail() {
    for count in [1, 2, 3, 7] {
        let mut s = settled(count, 0);
        let before = (s.w.credit(ALICE), s.w.credit(BOB));
        let mut sum = U256::ZERO;
        for index in (0..count).rev() {
            assert!(!s.claimed(index));
            let call = s.leaf(index);
            sum += s.w.call(PROVIDER, 0, call.clone()).unwrap();
            assert!(s.claimed(index));
            reverts(s.w.call(PROVIDER, 0, call), TailLeafClaimed { requestId: s.id, index });
        }
        let tail = view(&mut s.w, tailOfCall { requestId: s.id });
        assert_eq!((sum, tail.claimedWei), (tail.amount, tail.amount));
        assert_eq!(s.w.credit(ALICE) + s.w.credit(BOB), before.0 + before.1 + sum);
    }
}

#[test]
fn owners_at_the_receipt_are_paid_not_those_of_today() {
    let mut s = settled(2, 0);
    let transfer = IDatanets::transferContributionCall { from: ALICE, to: PROVIDER, contribution: 1 };
    s.w.call(CONTRIBUTION_TOKEN, 0, transfer).unwrap();
    let before = s.w.credit(ALICE);
    let call = s.leaf(0);
    let paid = s.w.call(BOB, 0, call).unwrap();
    assert_eq!(s.w.credit(ALICE), before + paid);
    assert_eq!(s.w.credit(PROVIDER), wei(0));
}

#[test]
fn proof_that_is_not_the_leafs_is_refused() {
    let mut s = settled(5, 0);
    let good = s.leaf(3);
    let id = s.id;
    let mut refused = |change: fn(&mut TailClaim)| {
        let mut call = good.clone();
        change(&mut call.leaf);
        let index = call.leaf.index;
        reverts(s.w.call(BOB, 0, call), WrongTailProof { requestId: id, index });
    };
    refused(|leaf| leaf.index = 2);
    refused(|leaf| leaf.index = 5);
    refused(|leaf| leaf.index = u32::MAX);
    refused(|leaf| leaf.contribution = 1);
    refused(|leaf| leaf.amount += U256::ONE);
    refused(|leaf| leaf.siblings.truncate(1));
    refused(|leaf| (leaf.siblings.truncate(1), leaf.sums.truncate(1)).0);
    refused(|leaf| (leaf.siblings.push(B256::ZERO), leaf.sums.push(U256::ZERO)).0);
    refused(|leaf| leaf.sums[1] = U256::MAX);
    refused(|leaf| leaf.siblings[0] = B256::ZERO);
    let unknown = claimTailCall { requestId: B256::ZERO, ..good };
    reverts(s.w.call(BOB, 0, unknown), UnknownReceipt { requestId: B256::ZERO });
    let mut w = World::with_model();
    let request_id = w.request(1_000_000, 1).unwrap();
    w.settle(super::good(request_id)).unwrap();
    let leaf = s.leaf(3).leaf;
    reverts(
        w.call(BOB, 0, claimTailCall { requestId: request_id, leaf }),
        UnknownTail { requestId: request_id },
    );
}

#[test]
fn tail_whose_leaves_overstate_pays_none_of_them() {
    let mut s = settled(4, 1);
    for index in 0..4 {
        let call = s.leaf(index);
        reverts(s.w.call(BOB, 0, call), WrongTailProof { requestId: s.id, index });
    }
}

#[test]
fn leaf_of_what_is_not_in_the_model_is_refused() {
    let mut w = World::with_model();
    let other = w.datanet();
    let outside = w.contribute(ALICE, other, 5, 3, 0);
    let unknown = [99, (1 << 40) - 1, 1 << 40, u64::MAX].map(|contribution| (contribution, true));
    for (salt, (contribution, unknown)) in (1..).zip([(outside, false)].into_iter().chain(unknown)) {
        let id = w.request(1_000_000, salt).unwrap();
        let mut trial = w.clone();
        settle(&mut trial, id, B256::repeat_byte(1), 1);
        let amount = view(&mut trial, tailOfCall { requestId: id }).amount;
        let tree = SumTree::new(&[TailLeaf { contribution, amount }]).unwrap();
        settle(&mut w, id, tree.root().hash, 1);
        let leaf = TailClaim { index: 0, contribution, amount, siblings: vec![], sums: vec![] };
        let result = w.call(BOB, 0, claimTailCall { requestId: id, leaf });
        if unknown {
            reverts(result, UnknownContribution { contribution });
        } else {
            reverts(result, NotInModel { contribution, model: 1 });
        }
    }
}
