//! How long to wait before a dead process is started again, and when to give up.

use std::time::Duration;

const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// A process that ran this long has recovered: its earlier deaths are forgotten.
const RECOVERED_AFTER: Duration = Duration::from_secs(30);
const MOST_DEATHS_IN_A_ROW: u32 = 8;

/// Counts deaths in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    deaths_in_a_row: u32,
}

impl Backoff {
    /// Takes note of a death after `uptime`; the delay before the next start, or none to give up.
    pub(super) fn after_death(&mut self, uptime: Duration) -> Option<Duration> {
        if uptime >= RECOVERED_AFTER {
            self.deaths_in_a_row = 0;
        }
        let delay = FIRST_DELAY.saturating_mul(1 << self.deaths_in_a_row.min(10));
        self.deaths_in_a_row += 1;
        (self.deaths_in_a_row <= MOST_DEATHS_IN_A_ROW).then_some(delay.min(LONGEST_DELAY))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_a_bound_and_then_it_gives_up() {
        let mut backoff = Backoff::default();
        let delays: Vec<_> = std::iter::from_fn(|| backoff.after_death(Duration::ZERO)).take(100).collect();
        assert_eq!(delays.len(), 8);
        assert_eq!(delays[..3], [250, 500, 1_000].map(Duration::from_millis));
        assert!(delays.iter().all(|delay| *delay <= LONGEST_DELAY));
    }

    #[test]
    fn long_life_forgets_earlier_deaths() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            assert_eq!(backoff.after_death(RECOVERED_AFTER), Some(FIRST_DELAY));
        }
    }
}
