//! Executed blocks off the chain or lately on it, and blocks known to be wrong. Both bounded.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use alloy_primitives::B256;
use openledger_storage::NewBlock;
use revm::database::BundleState;

/// Why a block is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The newest valid block below it.
    pub(crate) latest_valid: Option<B256>,
    pub(crate) reason: String,
}

/// An executed block with all that follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Executed {
    pub(crate) new: Arc<NewBlock>,
    /// What it changed, by address; where it is gone, the execution cache starts anew.
    pub(crate) changes: Option<Arc<BundleState>>,
}

/// Executed blocks by hash. Those with the lowest numbers are forgotten first.
#[derive(Debug)]
pub(crate) struct Tree {
    blocks: HashMap<B256, Executed>,
    order: BTreeSet<(u64, B256)>,
    faults: HashMap<B256, Fault>,
    fault_order: VecDeque<B256>,
    capacity: usize,
}

impl Tree {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            blocks: HashMap::new(),
            order: BTreeSet::new(),
            faults: HashMap::new(),
            fault_order: VecDeque::new(),
            capacity: capacity.max(1),
        }
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<&Executed> {
        self.blocks.get(hash)
    }

    pub(crate) fn add(&mut self, executed: Executed) {
        let key = (executed.new.block.header.number, executed.new.hash);
        if self.blocks.insert(key.1, executed).is_none() {
            self.order.insert(key);
            while self.order.len() > self.capacity {
                if let Some((_, hash)) = self.order.pop_first() {
                    self.blocks.remove(&hash);
                }
            }
        }
    }

    pub(crate) fn fault(&self, hash: &B256) -> Option<&Fault> {
        self.faults.get(hash)
    }

    pub(crate) fn add_fault(&mut self, hash: B256, fault: Fault) {
        if self.faults.insert(hash, fault).is_none() {
            self.fault_order.push_back(hash);
            while self.fault_order.len() > self.capacity {
                if let Some(oldest) = self.fault_order.pop_front() {
                    self.faults.remove(&oldest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_bounded_and_the_oldest_go_first() {
        let mut tree = Tree::new(3);
        for index in 0..10_u8 {
            let fault = Fault { latest_valid: None, reason: index.to_string() };
            tree.add_fault(B256::repeat_byte(index), fault);
        }
        assert!(tree.fault(&B256::repeat_byte(6)).is_none());
        assert_eq!(tree.fault(&B256::repeat_byte(7)).map(|fault| fault.reason.as_str()), Some("7"));
        assert_eq!((tree.faults.len(), tree.fault_order.len()), (3, 3));
    }
}
