//! Makes a failing sequence short: takes out steps while it goes on failing in the same way.

use crate::{Difference, Step, Twin};

/// The place at which a sequence fails from genesis, and how.
pub fn failure(steps: &[Step]) -> Option<(usize, Box<Difference>)> {
    let mut twin = Twin::new();
    steps.iter().enumerate().find_map(|(place, step)| Some((place, twin.step(step).err()?)))
}

/// A short sequence that fails as `steps` does: pieces are taken out, half the sequence at first and single steps at last.
/// A step's time stays in the sequence when the step is taken out.
pub fn shrink(steps: &[Step]) -> Vec<Step> {
    let Some((place, difference)) = failure(steps) else { return steps.to_vec() };
    let what = difference.what;
    let mut kept = steps[..=place].to_vec();
    let mut piece = (kept.len() / 2).max(1);
    loop {
        let mut start = 0;
        while start + 1 < kept.len() {
            let end = (start + piece).min(kept.len() - 1);
            let candidate = without(&kept, start, end);
            match failure(&candidate) {
                Some((place, difference)) if difference.what == what => {
                    kept = candidate;
                    kept.truncate(place + 1);
                }
                _ => start = end,
            }
        }
        if piece == 1 {
            return kept;
        }
        piece /= 2;
    }
}

fn without(steps: &[Step], start: usize, end: usize) -> Vec<Step> {
    let (blocks, seconds) = steps[start..end]
        .iter()
        .fold((0, 0), |(blocks, seconds), step| (blocks + step.blocks, seconds + step.seconds));
    let mut rest = steps[end..].to_vec();
    if let Some(next) = rest.first_mut() {
        (next.blocks, next.seconds) = (next.blocks + blocks, next.seconds + seconds);
    }
    [&steps[..start], &rest].concat()
}
