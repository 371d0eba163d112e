//! A chain in a folder in memory, with the engine that writes it.

use std::{path::Path, sync::Arc};

use eyre::{Result, WrapErr};
use openledger_chainspec::ChainSpec;
use openledger_engine::{Engine, EngineConfig, EngineHandle, EngineThread};
use openledger_storage::Database;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Where folders are in memory, on most Linux systems.
const MEMORY: &str = "/dev/shm";
/// Entries of the execution cache: a fixture's chain is a few blocks.
const CACHE_ENTRIES: usize = 10_000;

/// A new folder, in memory where that can be had.
pub(crate) fn temporary_folder() -> Result<TempDir> {
    let in_memory = TempDir::with_prefix_in("conformance", Path::new(MEMORY));
    in_memory.or_else(|_| TempDir::with_prefix("conformance")).wrap_err("cannot make a temporary folder")
}

/// A chain of one fixture. The folder goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) handle: EngineHandle,
    thread: EngineThread,
    runtime: Runtime,
    _folder: TempDir,
}

impl Chain {
    /// Starts the chain with its genesis block.
    pub(crate) fn start(spec: ChainSpec) -> Result<Self> {
        let folder = temporary_folder()?;
        let database = Database::open(folder.path(), Arc::new(spec))?;
        let config = EngineConfig { cache_entries: CACHE_ENTRIES, recovery_threads: 1, ..Default::default() };
        let (handle, thread) = Engine::spawn(database, config)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { handle, thread, runtime, _folder: folder })
    }

    /// Waits for what the engine is asked.
    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// Ends the engine; an error where it did not end by itself.
    pub(crate) fn stop(self) -> Result<()> {
        let Self { handle, thread, runtime, _folder } = self;
        drop(handle);
        drop(runtime);
        eyre::ensure!(thread.join(), "the engine's thread has panicked");
        Ok(())
    }
}
