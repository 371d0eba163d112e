//! `openledger devnet`.

use crate::shutdown;
use clap::Args;
use eyre::{Result, WrapErr, eyre};
use openledger_devnet::{Artifacts, Devnet, DevnetOptions, Ports, Programs, story::Story};
use std::{
    env, fs,
    path::{Path, PathBuf},
};
use tracing::info;

/// The story that is played without `--story`.
const BUILT_IN_STORY: &str = include_str!("../../../testdata/story/two_datanets.json");

/// Flags of the devnet.
#[derive(Debug, Args)]
pub(crate) struct DevnetArguments {
    /// Folder of everything that the network writes; must not hold an earlier one.
    #[arg(long, default_value = "devnet")]
    datadir: PathBuf,
    /// End after the story, with status 0 if all of it succeeded.
    #[arg(long)]
    once: bool,
    /// Datanets, texts, owners and questions, as JSON or TOML; without it the built-in story is played.
    #[arg(long, value_name = "FILE")]
    story: Option<PathBuf>,
    /// First of ten consecutive ports; without it the well-known ones are used.
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
    /// The attributor's program; by default the one beside this.
    #[arg(long, value_name = "FILE")]
    attributor: Option<PathBuf>,
    /// The base model; by default the one that the set-up has fetched.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

pub(crate) async fn run(arguments: DevnetArguments) -> Result<()> {
    let story = match &arguments.story {
        Some(path) => Story::from_path(path)?,
        None => Story::from_json(BUILT_IN_STORY)?,
    };
    let artifacts = Artifacts::find()?;
    let model = match arguments.model {
        Some(model) => model,
        None => installed_model(artifacts.contracts_dir())?,
    };
    let this = env::current_exe().wrap_err("finding this program")?;
    let options = DevnetOptions {
        datadir: arguments.datadir,
        artifacts,
        ports: arguments.base_port.map_or_else(Ports::default, Ports::from_base),
        programs: Programs {
            attributor: Some(arguments.attributor.unwrap_or_else(|| this.with_file_name("attributor"))),
            openledger: this,
            model: Some(model),
        },
        story_accounts: story.accounts()?,
    };
    let mut devnet = tokio::select! {
        devnet = Devnet::prepare(options) => devnet?,
        () = shutdown::requested() => return Ok(()),
    };
    let played = tokio::select! {
        played = story.play(&mut devnet) => played.map_err(eyre::Report::from),
        () = shutdown::requested() => {
            devnet.stop().await;
            return Ok(());
        }
    };
    let outcome = match played {
        Ok(()) if arguments.once => Ok(()),
        Ok(()) => {
            let described = devnet.roles().layout.devnet_json();
            println!(
                "\nThe network goes on until Ctrl-C. Endpoints, contracts and keys: {}",
                described.display()
            );
            tokio::select! {
                error = devnet.failed() => Err(error.into()),
                () = shutdown::requested() => Ok(()),
            }
        }
        Err(error) => Err(error),
    };
    info!("stopping the network");
    devnet.stop().await;
    outcome
}

/// The GGUF file of the set-up, which stands beside the contracts folder.
fn installed_model(contracts_dir: &Path) -> Result<PathBuf> {
    let folder = contracts_dir.join("../.cache/smollm2");
    let files = fs::read_dir(&folder).ok().into_iter().flatten().flatten().map(|entry| entry.path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .min()
        .ok_or_else(|| eyre!("no model at {}: run `make setup`, or name one with --model", folder.display()))
}
