//! From scores to what rows would have earned, how that goes, and from which answers.

use crate::{AttributorError, ClusterCredit};
use alloy_primitives::{B256, U256};
use openledger_attribution::{AnswerSketch, RowSketch};
use serde::Serialize;

/// Reasons that are given of each row.
const REASONS: usize = 3;
/// Rows of others that are named of each reason.
const BESIDE: usize = 3;
/// A row's later half of receipts has to pay so much more or less than its earlier half to be a trend.
const TREND: f64 = 1.25;
const PPM: f64 = 1e6;

/// A receipt as far as previews go.
#[derive(Debug, Clone)]
pub(super) struct PaidAnswer {
    pub(super) request_id: B256,
    pub(super) settled_at: u64,
    /// Wei that went to contributors.
    pub(super) contributors_wei: U256,
    /// What earned from it.
    pub(super) shares: Vec<ClusterCredit>,
    pub(super) sketch: AnswerSketch,
}

/// A row of the owner's.
#[derive(Debug)]
pub(super) enum OwnRow {
    /// It can be scored.
    Scored(RowSketch),
    /// It would earn nothing, and why.
    LeftOut(String),
}

/// What rows would have earned.
#[derive(Debug, Clone, Serialize)]
pub struct PreviewReport {
    /// The model.
    pub model: u64,
    /// Wei that all rows together would have earned from the receipts.
    pub would_earn_wei: U256,
    /// Wei that contributors earned from them.
    pub contributors_wei: U256,
    /// Receipts of the model without a published sketch.
    pub receipts_without_sketch: usize,
    /// The receipts, oldest first.
    pub receipts: Vec<ReceiptPreview>,
    /// The rows, in their order.
    pub rows: Vec<RowPreview>,
    /// What the figures leave out.
    pub limits: Vec<String>,
}

/// What all rows would have earned from one receipt.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptPreview {
    /// The receipt.
    pub receipt: B256,
    /// Unix seconds.
    pub settled_at: u64,
    /// Wei that went to contributors.
    pub contributors_wei: U256,
    /// Part of it that the rows would have had, parts per million.
    pub ppm: u32,
    /// The same in wei.
    pub would_earn_wei: U256,
    /// Rows that would have earned.
    pub rows: usize,
}

/// How a row's usefulness goes over the receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// The later half pays clearly more.
    Rising,
    /// Neither.
    Steady,
    /// The later half pays clearly less.
    Falling,
    /// Too few receipts to say.
    Unknown,
}

/// What one row would have earned.
#[derive(Debug, Clone, Serialize)]
pub struct RowPreview {
    /// Its place among the rows given.
    pub row: usize,
    /// Why it would earn nothing, if that is so whatever is asked.
    pub left_out: Option<String>,
    /// Mean part of a receipt, parts per million.
    pub usefulness_ppm: f64,
    /// Over all receipts.
    pub would_earn_wei: U256,
    /// Receipts that it would have earned from.
    pub receipts: usize,
    /// How that goes.
    pub trend: Trend,
    /// Mean part of the earlier and of the later half of the receipts, parts per million.
    pub halves_ppm: [f64; 2],
    /// The answers that it would have helped most.
    pub reasons: Vec<RowReason>,
}

/// An answer that a row would have helped.
#[derive(Debug, Clone, Serialize)]
pub struct RowReason {
    /// The receipt; its question is its payer's to show.
    pub receipt: B256,
    /// The row's part, parts per million.
    pub ppm: u32,
    /// The rows that earned most from it: what the answer was about.
    pub beside: Vec<ClusterCredit>,
}

/// What the figures cannot know, where sketches have so many buckets.
fn limits(buckets: usize) -> Vec<String> {
    vec![
        "A row that is a near-duplicate of another owner's earlier row earns nothing; others' rows are not known here."
            .into(),
        "Scores are of the model as it was trained, without these rows; training on them would change answers too."
            .into(),
        format!(
            "Sketches are random: a score is off by about {:.3} of its scale, and parts near the noise floor may go \
             either way.",
            1.0 / (buckets.max(1) as f64).sqrt()
        ),
        "A row whose direction the model's rows already cover would score somewhat more than is shown.".into(),
        "The adapter is held against the chain; weights and sketches are the attributor's word, which nothing proves."
            .into(),
    ]
}

/// Estimates. `answers` are in the order of their settlement.
pub(super) fn estimate(
    model: u64,
    rows: &[OwnRow],
    mut answers: Vec<PaidAnswer>,
    receipts_without_sketch: usize,
) -> Result<PreviewReport, AttributorError> {
    answers.sort_by_key(|answer| (answer.settled_at, answer.request_id));
    let mut parts: Vec<Vec<u32>> = vec![Vec::with_capacity(answers.len()); rows.len()];
    let mut receipts = Vec::with_capacity(answers.len());
    let buckets = answers.first().map_or(0, |answer| answer.sketch.direction.len());
    for answer in &answers {
        let mut scores = vec![0.0; rows.len()];
        for (score, row) in scores.iter_mut().zip(rows) {
            if let OwnRow::Scored(sketch) = row {
                *score = answer.sketch.score(sketch)?;
            }
        }
        let earned: Vec<u32> = answer.sketch.parts(&scores).iter().map(|part| (part * PPM) as u32).collect();
        let ppm = earned.iter().fold(0, |sum: u32, ppm| sum.saturating_add(*ppm));
        receipts.push(ReceiptPreview {
            receipt: answer.request_id,
            settled_at: answer.settled_at,
            contributors_wei: answer.contributors_wei,
            ppm,
            would_earn_wei: of(answer.contributors_wei, ppm),
            rows: earned.iter().filter(|ppm| **ppm > 0).count(),
        });
        parts.iter_mut().zip(earned).for_each(|(row, ppm)| row.push(ppm));
    }
    let rows: Vec<RowPreview> = rows
        .iter()
        .zip(&parts)
        .enumerate()
        .map(|(at, (own, parts))| preview_of(at, own, parts, &answers))
        .collect();
    Ok(PreviewReport {
        model,
        would_earn_wei: receipts.iter().map(|receipt| receipt.would_earn_wei).sum(),
        contributors_wei: receipts.iter().map(|receipt| receipt.contributors_wei).sum(),
        receipts_without_sketch,
        receipts,
        rows,
        limits: limits(buckets),
    })
}

fn preview_of(row: usize, own: &OwnRow, parts: &[u32], answers: &[PaidAnswer]) -> RowPreview {
    let (early, late) = parts.split_at(parts.len() / 2);
    let halves_ppm = [mean(early), mean(late)];
    let mut best: Vec<usize> = (0..parts.len()).filter(|&at| parts[at] > 0).collect();
    best.sort_by_key(|&at| (std::cmp::Reverse(parts[at]), at));
    let reasons = best.iter().take(REASONS).map(|&at| {
        let mut beside = answers[at].shares.clone();
        beside.sort_by_key(|share| (std::cmp::Reverse(share.ppm), share.contribution, share.row));
        beside.truncate(BESIDE);
        RowReason { receipt: answers[at].request_id, ppm: parts[at], beside }
    });
    RowPreview {
        row,
        left_out: match own {
            OwnRow::LeftOut(reason) => Some(reason.clone()),
            OwnRow::Scored(_) => None,
        },
        usefulness_ppm: mean(parts),
        would_earn_wei: answers
            .iter()
            .zip(parts)
            .map(|(answer, &ppm)| of(answer.contributors_wei, ppm))
            .sum(),
        receipts: best.len(),
        trend: trend(parts.len(), halves_ppm),
        halves_ppm,
        reasons: reasons.collect(),
    }
}

fn of(wei: U256, ppm: u32) -> U256 {
    wei.saturating_mul(U256::from(ppm)) / U256::from(1_000_000)
}

fn mean(parts: &[u32]) -> f64 {
    parts.iter().map(|&ppm| f64::from(ppm)).sum::<f64>() / parts.len().max(1) as f64
}

fn trend(receipts: usize, [early, late]: [f64; 2]) -> Trend {
    if receipts < 4 {
        Trend::Unknown
    } else if late > early * TREND {
        Trend::Rising
    } else if early > late * TREND {
        Trend::Falling
    } else {
        Trend::Steady
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Answers about the first row from the third on, in a space of two directions.
    pub(in super::super) fn sample() -> PreviewReport {
        let row = |gradient: [f32; 2]| {
            OwnRow::Scored(RowSketch::of(&gradient, &[1.0; 2], true, 1 << 12, 5).unwrap())
        };
        let answer = |at: u8, direction: [f32; 2]| {
            // An answer's side is sketched as a row's is; of length one here.
            let side = RowSketch::of(&direction, &[1.0; 2], true, 1 << 12, 5).unwrap();
            let sketch = AnswerSketch {
                seed: 5,
                rows: 4,
                lambda: 1e9,
                positive: 1.0,
                floor: 0.1,
                direction: side.values().to_vec(),
            };
            PaidAnswer {
                request_id: B256::repeat_byte(at),
                settled_at: 100 - u64::from(at),
                contributors_wei: U256::from(1_000_000),
                shares: (0..5).map(|row| ClusterCredit { contribution: 7, row, ppm: 10 + row }).collect(),
                sketch,
            }
        };
        // Given newest first.
        let answers =
            vec![answer(1, [1.0, 0.0]), answer(2, [1.0, 0.0]), answer(3, [0.0, 1.0]), answer(4, [-1.0, 0.0])];
        let rows = [row([2.0, 0.0]), OwnRow::LeftOut("a near-duplicate of row 0".into()), row([0.0, -1.0])];
        estimate(3, &rows, answers, 1).unwrap()
    }

    #[test]
    fn row_earns_from_the_answers_that_it_points_at_and_its_reasons_are_named() {
        let report = sample();
        let useful = &report.rows[0];
        assert_eq!((useful.receipts, useful.trend), (2, Trend::Rising));
        // Half of each of two answers: as much as all old rows together.
        assert!((useful.usefulness_ppm - 250_000.0).abs() < 5.0, "{useful:?}");
        assert_eq!(useful.halves_ppm[0], 0.0);
        assert_eq!(useful.reasons.len(), 2);
        assert_eq!(useful.reasons[0].beside.iter().map(|b| b.row).collect::<Vec<_>>(), [4, 3, 2]);
        for nothing in &report.rows[1..] {
            assert_eq!((nothing.would_earn_wei, nothing.receipts), (U256::ZERO, 0));
        }
        assert!(report.rows[1].left_out.as_ref().unwrap().contains("near-duplicate"));
        assert_eq!(report.would_earn_wei, useful.would_earn_wei);
        assert_eq!(report.contributors_wei, U256::from(4_000_000));
        assert!(report.receipts.is_sorted_by_key(|receipt| receipt.settled_at), "oldest first");
    }

    #[test]
    fn report_without_answers_or_rows_says_nothing_is_earned() {
        let none = estimate(3, &[], vec![], 0).unwrap();
        assert_eq!((none.would_earn_wei, none.rows.len()), (U256::ZERO, 0));
        let rows = [OwnRow::LeftOut("longer than the context".into())];
        let report = estimate(3, &rows, vec![], 2).unwrap();
        assert_eq!((report.rows[0].usefulness_ppm, report.rows[0].trend), (0.0, Trend::Unknown));
    }
}
