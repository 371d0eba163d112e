//! `openledger proposer`.

use crate::{endpoint::PosterArguments, shutdown};
use alloy_primitives::Address;
use clap::Args;
use eyre::Result;
use openledger_proposer::{Proposer, ProposerConfig};

/// Flags of the proposer.
#[derive(Debug, Args)]
pub(crate) struct ProposerArguments {
    #[command(flatten)]
    poster: PosterArguments,
    /// The L2OutputOracle on L1.
    #[arg(long, value_name = "ADDRESS")]
    l2oo_address: Address,
}

pub(crate) async fn run(arguments: ProposerArguments) -> Result<()> {
    let poster = &arguments.poster;
    let config = ProposerConfig { oracle: arguments.l2oo_address, poll_interval: poster.poll_interval() };
    tokio::select! {
        manager = poster.transactions() => {
            let proposer = Proposer::new(config, poster.l1(), poster.l2(), manager?);
            tokio::select! {
                () = proposer.run() => {}
                () = shutdown::requested() => {}
            }
        }
        () = shutdown::requested() => {}
    }
    Ok(())
}
