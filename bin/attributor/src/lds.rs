//! `attributor lds`: how well scores predict what retraining did.

use std::path::PathBuf;

use clap::Args;
use eyre::{Result, bail};
use openledger_attribution::retraining::{CHOOSING_SUBSETS, Npz, Truth, lds};

/// Print the linear datamodeling score of scores, on the subsets that nothing was chosen on.
#[derive(Debug, Args)]
pub(crate) struct LdsArguments {
    /// The archive with `subsets` and `gt_loss`.
    #[arg(long, value_name = "NPZ")]
    input: PathBuf,
    /// The archive with `scores`, [train, test].
    #[arg(long, value_name = "NPZ")]
    scores: PathBuf,
}

impl LdsArguments {
    /// Reads both and prints one line of JSON.
    pub(crate) fn run(self) -> Result<()> {
        let scores = Npz::open(&self.scores)?.floats("scores")?;
        let &[train, test] = scores.shape.as_slice() else {
            bail!("{}: scores have {} dimensions, not 2", self.scores.display(), scores.shape.len());
        };
        let mut input = Npz::open(&self.input)?;
        let rows = input.indices("y_train")?.values.len();
        let tests = input.indices("y_test")?.values.len();
        if (train, test) != (rows, tests) {
            bail!("scores are {train}×{test}, the input has {rows} training and {tests} test rows");
        }
        let truth = Truth::read(&mut input, rows, tests)?;
        let judged = CHOOSING_SUBSETS..truth.subsets().len();
        let score = lds(&truth, &scores.values, judged.clone())?;
        let line = serde_json::json!({
            "lds": score.mean,
            "standard_error": score.standard_error,
            "subsets": [judged.start, judged.end],
        });
        println!("{line}");
        Ok(())
    }
}
