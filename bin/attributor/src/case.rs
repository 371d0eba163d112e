//! Where a receipt's case comes from, and what it is run again with: arguments of all who check.

use std::{fs, path::PathBuf};

use clap::Args;
use eyre::{Context, Result, bail};
use openledger_attributor::{CaseSource, Review};

use crate::processor::ProcessorArguments;

/// Where a case comes from.
#[derive(Debug, Args)]
pub(crate) struct CaseArguments {
    /// The case, a file that the attributor gave out.
    #[arg(long, value_name = "FILE", conflicts_with = "attributor")]
    case: Option<PathBuf>,
    /// The attributor that settled the receipt.
    #[arg(long, value_name = "URL", requires = "operator_token_file")]
    attributor: Option<String>,
    /// File with that attributor's operator's token.
    #[arg(long, value_name = "FILE", requires = "attributor")]
    operator_token_file: Option<PathBuf>,
}

/// What receipts are run again with.
#[derive(Debug, Args)]
pub(crate) struct ReviewArguments {
    #[command(flatten)]
    processor: ProcessorArguments,
    /// Most rows that the kernel without libtorch takes again where shares differ.
    #[arg(long, default_value_t = 8)]
    exact_rows: usize,
}

impl CaseArguments {
    /// The source, if one was named.
    pub(crate) fn source(self) -> Result<Option<CaseSource>> {
        Ok(match (self.case, self.attributor, self.operator_token_file) {
            (Some(file), None, None) => Some(CaseSource::File(file)),
            (None, Some(url), Some(path)) => {
                let named = || format!("--operator-token-file {}", path.display());
                let token = fs::read_to_string(&path).wrap_err_with(named)?;
                Some(CaseSource::Service { url, token: token.trim().to_owned() })
            }
            _ => None,
        })
    }

    /// The source, without which nothing can be run again.
    pub(crate) fn required(self) -> Result<CaseSource> {
        match self.source()? {
            Some(source) => Ok(source),
            None => bail!("name the case: --case FILE, or --attributor URL with --operator-token-file FILE"),
        }
    }
}

impl ReviewArguments {
    /// What re-runs are made with.
    pub(crate) fn review(self, model: PathBuf) -> Result<Review> {
        Ok(Review {
            model,
            device: self.processor.device()?,
            threads: self.processor.threads(),
            exact_rows: self.exact_rows,
        })
    }
}
