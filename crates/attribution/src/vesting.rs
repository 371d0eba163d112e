//! Delayed vesting: how much of a credit is free, and what becomes of the rest when its cluster falls.
//!
//! What is paid at once is gone before a copy is found out. The hook is asked at each claim; a schedule of
//! zero length releases everything at once.

/// When a credit becomes free: nothing before the cliff, then evenly until the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vesting {
    /// Seconds until anything is free.
    pub cliff_s: u64,
    /// Seconds until all of it is, counted from the credit.
    pub duration_s: u64,
}

/// A credit at some time; the parts sum to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Free to claim by the credited.
    pub free: u128,
    /// Still held for the credited.
    pub held: u128,
    /// Goes to the cluster's canonical owner, because the credited row turned out to be a copy.
    pub returned: u128,
}

impl Vesting {
    /// Splits a credit `elapsed_s` seconds after it was made. `copied_after_s` says when its row was
    /// found to be a copy; what was free by then stays paid.
    pub fn release(self, credit: u128, elapsed_s: u64, copied_after_s: Option<u64>) -> Released {
        let until = copied_after_s.map_or(elapsed_s, |copied| copied.min(elapsed_s));
        let free = self.free(credit, until);
        let rest = credit - free;
        match copied_after_s.filter(|&copied| copied <= elapsed_s) {
            Some(_) => Released { free, held: 0, returned: rest },
            None => Released { free, held: rest, returned: 0 },
        }
    }

    fn free(self, credit: u128, elapsed_s: u64) -> u128 {
        if elapsed_s < self.cliff_s {
            return 0;
        }
        if elapsed_s >= self.duration_s {
            return credit;
        }
        let (elapsed, duration) = (u128::from(elapsed_s), u128::from(self.duration_s));
        // Divided first, so that nothing overflows; the remainder is exact below 2⁶⁴.
        credit / duration * elapsed + credit % duration * elapsed / duration
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_sum_to_the_credit_and_nothing_free_is_taken_back(
            credit in any::<u128>(),
            cliff_s in 0u64..1000,
            duration_s in 0u64..u64::MAX,
            earlier in 0u64..u64::MAX,
            later in 0u64..u64::MAX,
            copied in proptest::option::of(0u64..u64::MAX),
        ) {
            let vesting = Vesting { cliff_s, duration_s };
            let (earlier, later) = (earlier.min(later), earlier.max(later));
            let (a, b) = (vesting.release(credit, earlier, copied), vesting.release(credit, later, copied));
            prop_assert_eq!(a.free + a.held + a.returned, credit);
            prop_assert!(b.free >= a.free && b.returned >= a.returned);
        }
    }

    #[test]
    fn copy_found_halfway_returns_half() {
        let vesting = Vesting { cliff_s: 10, duration_s: 100 };
        assert_eq!(vesting.release(1000, 9, None), Released { free: 0, held: 1000, returned: 0 });
        assert_eq!(vesting.release(1000, 80, Some(50)), Released { free: 500, held: 0, returned: 500 });
        assert_eq!(vesting.release(1000, 200, None), Released { free: 1000, held: 0, returned: 0 });
        assert_eq!(Vesting::default().release(7, 0, None).free, 7);
    }
}
