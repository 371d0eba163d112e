//! What was posted and is not safe yet: pure.

use std::collections::VecDeque;

/// Channels that L1 holds and derivation has not confirmed, oldest first.
#[derive(Debug)]
pub(crate) struct Unconfirmed {
    /// Last L2 block of a channel, and the L1 block at which it was posted.
    channels: VecDeque<(u64, u64)>,
    /// The highest safe head seen.
    safe: u64,
    timeout_blocks: u64,
}

/// What became of the posted channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing is wrong.
    Fine,
    /// The oldest channel should be safe by now and is not.
    Overdue,
    /// The safe head went back: L1 lost a channel that was safe.
    WentBack,
}

impl Unconfirmed {
    /// Nothing posted yet after the safe head.
    pub(crate) fn new(safe: u64, timeout_blocks: u64) -> Self {
        Self { channels: VecDeque::new(), safe, timeout_blocks }
    }

    /// A channel up to L2 block `last` was posted.
    pub(crate) fn posted(&mut self, last: u64, l1_number: u64) {
        self.channels.push_back((last, l1_number));
    }

    /// Takes note of the safe head.
    pub(crate) fn observe(&mut self, safe: u64, l1_number: u64) -> Fate {
        if safe < self.safe {
            return Fate::WentBack;
        }
        self.safe = safe;
        while self.channels.front().is_some_and(|(last, _)| *last <= safe) {
            self.channels.pop_front();
        }
        match self.channels.front() {
            Some((_, posted_at)) if l1_number.saturating_sub(*posted_at) > self.timeout_blocks => {
                Fate::Overdue
            }
            _ => Fate::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_lost_amid_steady_posting_is_noticed() {
        let mut unconfirmed = Unconfirmed::new(10, 30);
        for l1 in 0..40 {
            unconfirmed.posted(11 + l1, l1);
            // The first channel became safe, the second was lost: safe stays, posting goes on.
            let fate = unconfirmed.observe(11, l1);
            assert_eq!(fate, if l1 > 31 { Fate::Overdue } else { Fate::Fine }, "at {l1}");
        }
    }

    #[test]
    fn safe_head_that_goes_back_is_noticed_at_once() {
        let mut unconfirmed = Unconfirmed::new(636, 30);
        unconfirmed.posted(640, 100);
        assert_eq!(unconfirmed.observe(636, 100), Fate::Fine);
        assert_eq!(unconfirmed.observe(633, 101), Fate::WentBack);
    }

    #[test]
    fn confirmed_channels_are_forgotten() {
        let mut unconfirmed = Unconfirmed::new(0, 2);
        for l1 in 0..100 {
            unconfirmed.posted(l1 + 1, l1);
            assert_eq!(unconfirmed.observe(l1 + 1, l1), Fate::Fine);
        }
        assert!(unconfirmed.channels.is_empty());
    }
}
