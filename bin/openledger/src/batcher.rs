//! `openledger batcher`.

use crate::{endpoint::PosterArguments, shutdown};
use clap::Args;
use eyre::Result;
use openledger_batcher::{Batcher, BatcherConfig, BatcherLimits};
use openledger_chainspec::RollupConfig;
use std::{path::PathBuf, sync::Arc};

/// Flags of the batcher.
#[derive(Debug, Args)]
pub(crate) struct BatcherArguments {
    #[command(flatten)]
    poster: PosterArguments,
    /// The rollup configuration, as op-node reads it.
    #[arg(long, value_name = "FILE")]
    rollup_config: PathBuf,
    /// L1 blocks that an L2 block waits at most before it is posted.
    #[arg(long, default_value_t = BatcherLimits::default().channel_age_blocks)]
    max_channel_duration: u64,
    /// Blobs of one transaction.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=6))]
    target_num_frames: u64,
}

pub(crate) async fn run(arguments: BatcherArguments) -> Result<()> {
    let rollup = Arc::new(RollupConfig::from_path(&arguments.rollup_config)?);
    let poster = &arguments.poster;
    let config = BatcherConfig {
        limits: BatcherLimits { channel_age_blocks: arguments.max_channel_duration, ..Default::default() },
        max_blobs: usize::try_from(arguments.target_num_frames)?,
        poll_interval: poster.poll_interval(),
        ..Default::default()
    };
    tokio::select! {
        manager = poster.transactions() => {
            let batcher = Batcher::new(rollup, config, poster.l1(), poster.l2(), manager?);
            tokio::select! {
                () = batcher.run() => {}
                () = shutdown::requested() => {}
            }
        }
        () = shutdown::requested() => {}
    }
    Ok(())
}
