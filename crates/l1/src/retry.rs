//! Trying again, with growing pauses.

use std::{future::Future, time::Duration};

use tracing::warn;

use crate::L1Error;

/// How often and how soon a failed request is repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Pause after the first failure; doubles each time.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(200), longest_pause: Duration::from_secs(10) }
    }
}

impl RetryPolicy {
    /// The pause after `failures` failures.
    pub fn pause(&self, failures: u32) -> Duration {
        let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_pause.saturating_mul(factor).min(self.longest_pause)
    }

    /// Repeats `request` while L1 is not reachable; other errors and the last one are returned.
    pub(crate) async fn run<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, L1Error>
    where
        F: Future<Output = Result<T, L1Error>>,
    {
        let mut attempt = 1;
        loop {
            match request().await {
                Err(L1Error::Unreachable { endpoint, reason }) if attempt < self.attempts => {
                    let pause = self.pause(attempt);
                    let pause_ms = pause.as_millis() as u64;
                    warn!(attempt, pause_ms, %reason, "L1 not reachable at {endpoint}, retrying");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = RetryPolicy { longest_pause: Duration::from_secs(1), ..Default::default() };
        let pauses: Vec<u128> = (1..6).map(|n| policy.pause(n).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1000, 1000]);
        assert_eq!(policy.pause(1000), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_unreachable_endpoint_is_tried_again() {
        let mut calls = 0;
        let result: Result<(), _> = RetryPolicy::default()
            .run(|| {
                calls += 1;
                let error = if calls < 3 {
                    L1Error::Unreachable { endpoint: "x".into(), reason: "down".into() }
                } else {
                    L1Error::NoBeacon
                };
                async { Err(error) }
            })
            .await;
        assert!(matches!(result, Err(L1Error::NoBeacon)));
        assert_eq!(calls, 3);
    }
}
