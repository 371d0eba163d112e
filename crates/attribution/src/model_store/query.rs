//! An answer asked of a store: what each cluster is due from exact sums, and which rows explain it.

use super::ModelStore;
use crate::{
    error::AttributionError,
    gradients::Gradients,
    projection::{AnswerQuery, MAX_CANDIDATES},
    score_store::RowScore,
};

/// A cluster's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterScore {
    /// The cluster.
    pub cluster: usize,
    /// The sum of its stored rows' scores.
    pub score: f64,
    /// Its stored row.
    pub row: usize,
    /// How many rows it has, copies included.
    pub rows: usize,
}

/// A row that exact gradients ranked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedRow {
    /// The row, by its number among all that were given.
    pub row: usize,
    /// Its cluster.
    pub cluster: usize,
    /// Its influence on the answer: positive where it helped.
    pub score: f64,
    /// The score that the store alone gives it.
    pub stored_score: f64,
}

/// An answer's query of a store.
#[derive(Debug)]
pub struct StoreQuery<'a> {
    store: &'a ModelStore,
    answer: AnswerQuery<'a>,
}

impl ModelStore {
    /// The query of an answer's gradient.
    pub fn query(&self, gradient: &[f32]) -> Result<StoreQuery<'_>, AttributionError> {
        Ok(StoreQuery { store: self, answer: self.projection.query(gradient, &self.curvature)? })
    }
}

impl StoreQuery<'_> {
    /// The best clusters by the exact sums of their rows, best first.
    pub fn clusters(&self, count: usize) -> Result<Vec<ClusterScore>, AttributionError> {
        let scores = self.store.store.cluster_scores(self.answer.direction())?;
        let contents = &self.store.contents;
        let mut best: Vec<(usize, usize)> =
            (0..scores.len()).filter_map(|cluster| Some((cluster, contents.stored_of(cluster)?))).collect();
        best.sort_by(|a, b| scores[b.0].total_cmp(&scores[a.0]).then(a.0.cmp(&b.0)));
        best.truncate(count);
        let sizes = contents.sizes();
        let score =
            |(cluster, row)| ClusterScore { cluster, score: scores[cluster], row, rows: sizes[cluster] };
        Ok(best.into_iter().map(score).collect())
    }

    /// The store's best rows, whose gradients [`Self::rank_again`] wants. Their `row` is the place among stored rows.
    pub fn candidates(&self, count: usize) -> Result<Vec<RowScore>, AttributionError> {
        if count > MAX_CANDIDATES {
            return Err(AttributionError::Invalid(format!("{count} candidates, at most {MAX_CANDIDATES}")));
        }
        self.store.store.top_rows(self.answer.direction(), count)
    }

    /// Candidates by their exact influence, best first. `gradients` are theirs, in their order.
    pub fn rank_again(
        &self,
        candidates: &[RowScore],
        gradients: &Gradients,
    ) -> Result<Vec<RankedRow>, AttributionError> {
        if gradients.len() != candidates.len() {
            let (found, wanted) = (gradients.len(), candidates.len());
            return Err(AttributionError::Invalid(format!("{found} gradients for {wanted} candidates")));
        }
        let rows: Vec<&[f32]> = gradients.values().chunks_exact(gradients.n_parameters().max(1)).collect();
        let scores = self.answer.rank_again(&rows)?;
        let stored = self.store.contents.stored();
        let ranked = candidates.iter().zip(scores).map(|(candidate, score)| {
            let row = usize::try_from(candidate.row).ok().and_then(|place| stored.get(place));
            let row = row.ok_or_else(|| {
                AttributionError::Invalid(format!("candidate {} is not stored", candidate.row))
            })?;
            Ok(RankedRow {
                row: *row as usize,
                cluster: candidate.cluster as usize,
                score,
                stored_score: candidate.score,
            })
        });
        let mut ranked = ranked.collect::<Result<Vec<RankedRow>, AttributionError>>()?;
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
        Ok(ranked)
    }
}
