//! `attributor store`: rows' projected gradients in checksummed shards.

mod fill;

use std::path::PathBuf;

use alloy_primitives::B256;
use clap::{Args, Subcommand};
use eyre::{Result, bail};
use openledger_attribution::{
    retraining::Npz,
    score_store::{ScoreStore, ShardWriter, StoreFolder, StoreIdentity},
};

use crate::{model::ModelArguments, rows::RowFiles};

/// A store, and the texts and the model that it is of.
#[derive(Debug, Args)]
pub(crate) struct ModelStoreArguments {
    /// The store's folder.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    #[command(flatten)]
    pub(crate) rows: RowFiles,
}

/// Fill, write or check a score store.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fill(fill::Fill),
    Write(Write),
    Check(Check),
}

/// Write rows into a store; run again after a stop, it goes on where the last complete shard ends.
#[derive(Debug, Args)]
struct Write {
    /// The store's folder.
    #[arg(long)]
    folder: PathBuf,
    /// An archive with `rows`, f32 [rows, numbers], and `clusters`, integers [rows]; without clusters each
    /// row is one of its own.
    #[arg(long, value_name = "NPZ")]
    input: PathBuf,
    /// How many clusters there are; one more than the largest where it is left out.
    #[arg(long)]
    clusters: Option<usize>,
    /// Rows a shard.
    #[arg(long, default_value_t = 8192)]
    rows_per_shard: usize,
    #[command(flatten)]
    models: Models,
}

/// Check all of a store against its checksums.
#[derive(Debug, Args)]
struct Check {
    /// The store's folder.
    #[arg(long)]
    folder: PathBuf,
}

/// Whose rows a store holds; zero hashes where nothing is said.
#[derive(Debug, Args)]
struct Models {
    /// Hash of the base model.
    #[arg(long, default_value_t = B256::ZERO, hide_default_value = true)]
    base: B256,
    /// Hash of the adapter.
    #[arg(long, default_value_t = B256::ZERO, hide_default_value = true)]
    adapter: B256,
    /// Hash of the projection.
    #[arg(long, default_value_t = B256::ZERO, hide_default_value = true)]
    projection: B256,
}

impl StoreArguments {
    /// Runs the command and prints one line of JSON.
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            Command::Fill(fill) => fill.run(),
            Command::Write(write) => write.run(),
            Command::Check(check) => {
                let store = ScoreStore::open(&StoreFolder::local(check.folder)?, None)?;
                print(&store, serde_json::Map::new());
                Ok(())
            }
        }
    }
}

impl Write {
    fn run(self) -> Result<()> {
        let mut input = Npz::open(&self.input)?;
        let rows = input.floats("rows")?;
        let &[count, dimension] = rows.shape.as_slice() else {
            bail!("{}: rows have {} dimensions, not 2", self.input.display(), rows.shape.len());
        };
        let clusters =
            if input.contains("clusters") { input.indices("clusters")?.values } else { (0..count).collect() };
        if clusters.len() != count {
            bail!("{}: {} clusters for {count} rows", self.input.display(), clusters.len());
        }
        let Models { base, adapter, projection } = self.models;
        let identity = StoreIdentity { base, adapter, projection, dimension };
        let folder = StoreFolder::local(self.folder)?;
        let mut writer = ShardWriter::open(folder, identity, self.rows_per_shard)?;
        let (resumed_at, partial_files) = (writer.next_row(), writer.partial_files());
        let rest = rows.values.chunks_exact(dimension).zip(&clusters).skip(resumed_at as usize);
        for (row, &cluster) in rest {
            writer.push(row, u32::try_from(cluster)?)?;
        }
        let clusters = self.clusters.unwrap_or_else(|| clusters.iter().max().map_or(0, |most| most + 1));
        let store = writer.finish(clusters)?;
        let more = serde_json::json!({ "resumed_at": resumed_at, "partial_files": partial_files });
        print(&store, more.as_object().cloned().unwrap_or_default());
        Ok(())
    }
}

fn print(store: &ScoreStore, more: serde_json::Map<String, serde_json::Value>) {
    let identity = store.identity();
    let mut line = serde_json::json!({
        "rows": store.len(),
        "shards": store.shards(),
        "clusters": store.clusters(),
        "dimension": identity.dimension,
        "bytes": store.bytes(),
        "base": identity.base,
        "adapter": identity.adapter,
        "projection": identity.projection,
    });
    if let Some(fields) = line.as_object_mut() {
        fields.extend(more);
    }
    println!("{line}");
}
