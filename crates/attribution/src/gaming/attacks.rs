//! What a contributor may try to earn more.

use super::pool::{ATTACKER, Pool, PoolRow};
use crate::draw::Draw;

/// A way to cheat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Every own row five times over.
    CopyOwn,
    /// A third of the others' rows, word for word.
    CopyOthers,
    /// Every own row in four parts, each of a quarter of its values.
    SplitRows,
    /// Own rows dealt to five accounts; nothing else changes.
    SplitAccounts,
    /// Each own row three times more, slightly changed.
    Jitter,
    /// Each own row three times more, changed by half its spread.
    StrongJitter,
    /// Each own row moved by a pixel in four directions.
    Paraphrase,
    /// Ten accounts with a slightly changed copy of every own row each.
    Sybils,
    /// Slightly changed copies of those rows of others that earned most, committed last.
    LateNearCopies,
    /// A third more rows: own ones, eight times as bright.
    BrightOutliers,
    /// A third more rows of loud noise with labels of own rows.
    NoiseOutliers,
    /// A third of the own rows with a wrong label.
    Poison,
    /// Slightly changed rows of others with a wrong label, as many as the own ones.
    PoisonOthers,
}

impl Attack {
    /// All attacks with their names.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::CopyOwn, "copy own rows x5"),
        (Self::CopyOthers, "copy others' rows"),
        (Self::SplitRows, "split rows in 4"),
        (Self::SplitAccounts, "split over 5 accounts"),
        (Self::Jitter, "near copies of own rows"),
        (Self::StrongJitter, "noisy copies of own rows"),
        (Self::Paraphrase, "paraphrase own rows"),
        (Self::Sybils, "sybils, 10 accounts"),
        (Self::LateNearCopies, "late near-copies"),
        (Self::BrightOutliers, "bright outliers"),
        (Self::NoiseOutliers, "noise outliers"),
        (Self::Poison, "poison own labels"),
        (Self::PoisonOthers, "poisoned near-copies"),
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(attack, _)| *attack == self).map_or("", |(_, name)| name)
    }

    /// The largest gain that is acceptable, where one is promised.
    pub const fn limit(self) -> Option<f64> {
        match self {
            Self::CopyOwn | Self::CopyOthers | Self::SplitRows | Self::SplitAccounts => Some(1.05),
            Self::BrightOutliers | Self::NoiseOutliers => Some(1.2),
            _ => None,
        }
    }

    /// The pool as it is with the attack. `earned` says what each row earned without it.
    pub(crate) fn mount(self, pool: &Pool, earned: &[f64], classes: usize, draw: &mut Draw) -> Pool {
        let mut pool = pool.clone();
        let own = pool.own();
        let pairs = |rows: &[PoolRow]| -> Vec<(Vec<f32>, usize)> {
            rows.iter().map(|row| (row.values.clone(), row.label)).collect()
        };
        match self {
            Self::CopyOwn => (0..4).for_each(|_| pool.add(pairs(&own))),
            Self::CopyOthers => {
                let others: Vec<PoolRow> =
                    pool.rows.iter().filter(|row| row.owner != ATTACKER).cloned().collect();
                let taken = draw.sample(others.len(), others.len() / 3);
                pool.add(taken.into_iter().map(|i| (others[i].values.clone(), others[i].label)));
            }
            Self::SplitRows => {
                pool.rows.retain(|row| row.owner != ATTACKER);
                for part in 0..4 {
                    pool.add(own.iter().map(|row| (quarter(&row.values, part, draw), row.label)));
                }
            }
            // Accounts that the attacker makes up are the attacker's: the same rows, the same income.
            Self::SplitAccounts => {}
            Self::Jitter => (0..3).for_each(|_| pool.add(jittered(&own, 0.05, draw))),
            Self::StrongJitter => (0..3).for_each(|_| pool.add(jittered(&own, 0.2, draw))),
            Self::Paraphrase => {
                for (down, right) in [(0, 1), (1, 0), (0, -1), (-1, 0)] {
                    pool.add(own.iter().map(|row| (shifted(&row.values, down, right), row.label)));
                }
            }
            Self::Sybils => (0..10).for_each(|_| pool.add(jittered(&own, 0.08, draw))),
            Self::LateNearCopies => {
                let mut best: Vec<usize> =
                    (0..pool.rows.len()).filter(|&i| pool.rows[i].owner != ATTACKER).collect();
                best.sort_by(|&a, &b| earned[b].total_cmp(&earned[a]));
                best.truncate(own.len());
                let best: Vec<PoolRow> = best.into_iter().map(|i| pool.rows[i].clone()).collect();
                pool.add(jittered(&best, 0.08, draw));
            }
            Self::BrightOutliers => {
                let bright = |row: &PoolRow| row.values.iter().map(|v| 8.0 * v).collect();
                pool.add(own.iter().take(own.len() / 3).map(|row| (bright(row), row.label)));
            }
            Self::NoiseOutliers => {
                let rows: Vec<(Vec<f32>, usize)> = own
                    .iter()
                    .take(own.len() / 3)
                    .map(|row| (row.values.iter().map(|_| 3.0 * draw.normal() as f32).collect(), row.label))
                    .collect();
                pool.add(rows);
            }
            Self::Poison => {
                let mut left = own.len() / 3;
                for row in pool.rows.iter_mut().filter(|row| row.owner == ATTACKER) {
                    if left > 0 {
                        row.label = (row.label + 1 + draw.below(classes - 1)) % classes;
                        left -= 1;
                    }
                }
            }
            Self::PoisonOthers => {
                let others: Vec<PoolRow> =
                    pool.rows.iter().filter(|row| row.owner != ATTACKER).cloned().collect();
                let taken: Vec<PoolRow> =
                    draw.sample(others.len(), own.len()).into_iter().map(|i| others[i].clone()).collect();
                let wrong: Vec<(Vec<f32>, usize)> = jittered(&taken, 0.08, draw)
                    .into_iter()
                    .map(|(values, label)| (values, (label + 1 + draw.below(classes - 1)) % classes))
                    .collect();
                pool.add(wrong);
            }
        }
        pool
    }
}

fn jittered(rows: &[PoolRow], spread: f64, draw: &mut Draw) -> Vec<(Vec<f32>, usize)> {
    let change = |row: &PoolRow, draw: &mut Draw| {
        row.values.iter().map(|v| (v + (spread * draw.normal()) as f32).clamp(0.0, 1.0)).collect()
    };
    rows.iter().map(|row| (change(row, draw), row.label)).collect()
}

/// Every fourth value of a random order that depends on the row alone, the others zero.
fn quarter(values: &[f32], part: usize, draw: &mut Draw) -> Vec<f32> {
    values.iter().map(|&v| if draw.below(4) == part { v } else { 0.0 }).collect()
}

/// A square picture moved by whole pixels.
fn shifted(values: &[f32], down: i64, right: i64) -> Vec<f32> {
    let side = values.len().isqrt() as i64;
    (0..values.len() as i64)
        .map(|at| {
            let (row, column) = (at / side - down, at % side - right);
            let inside = (0..side).contains(&row) && (0..side).contains(&column);
            if inside { values[(row * side + column) as usize] } else { 0.0 }
        })
        .collect()
}
