//! The thread that owns the model: tensors never leave it.

use crate::AttributorError;
use alloy_primitives::{B256, Keccak256};
use openledger_attribution::{GradientStore, InfluenceConfig, Scorer};
use openledger_model::{Adapter, BaseModel, Device, PrefixCache, Tokenizer};
use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
};
use tokio::sync::{mpsc, oneshot};
use tracing::info;

/// Jobs that may wait for the thread.
const QUEUE: usize = 64;
/// Models whose adapter and factored gradients are kept in memory.
const LOADED_MODELS: usize = 8;
/// Memory for the lower layers' outputs, bytes.
const PREFIX_CACHE_BYTES: usize = 2 << 30;

type Job = Box<dyn FnOnce(&mut Bench) + Send>;

/// A handle to the model's thread.
#[derive(Debug, Clone)]
pub(crate) struct Lab(mpsc::Sender<Job>);

/// What the thread owns.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) model: BaseModel,
    pub(crate) tokenizer: Tokenizer,
    models_folder: PathBuf,
    prefixes: HashMap<usize, PrefixCache>,
    loaded: HashMap<String, Loaded>,
    recent: VecDeque<String>,
}

/// A model ready to answer.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) adapter: Adapter,
    pub(crate) scorer: Scorer,
    /// keccak256 of the gradients' file.
    pub(crate) store: B256,
}

impl Lab {
    /// Loads the base model and starts its thread.
    pub(crate) async fn start(
        gguf: PathBuf,
        device: Device,
        threads: u32,
        models_folder: PathBuf,
    ) -> Result<Self, AttributorError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let (loaded, ready) = oneshot::channel();
        let body = move || {
            openledger_model::set_num_threads(i32::try_from(threads).unwrap_or(1));
            let mut bench = match BaseModel::load(&gguf, device) {
                Ok((model, tokenizer)) => {
                    info!(base = %model.hash(), ?device, threads, "loaded the base model");
                    let _ = loaded.send(Ok(()));
                    Bench::new(model, tokenizer, models_folder)
                }
                Err(error) => {
                    let _ = loaded.send(Err(error));
                    return;
                }
            };
            while let Some(job) = queue.blocking_recv() {
                job(&mut bench);
            }
        };
        thread::Builder::new()
            .name("model".into())
            .spawn(body)
            .map_err(|source| AttributorError::Io { path: "model thread".into(), source })?;
        ready.await.map_err(|_| AttributorError::LabStopped)??;
        Ok(Self(jobs))
    }

    /// Runs `job` on the thread once those before it are done. A full queue is an error.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Bench) -> Result<T, AttributorError> + Send + 'static,
    ) -> Result<T, AttributorError> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |bench| {
            let outcome = guarded(|| job(bench));
            if matches!(outcome, Err(AttributorError::Panicked)) {
                bench.forget();
            }
            let _ = done.send(outcome);
        });
        self.0.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AttributorError::Busy("the model's queue is full"),
            mpsc::error::TrySendError::Closed(_) => AttributorError::LabStopped,
        })?;
        result.await.map_err(|_| AttributorError::LabStopped)?
    }

    /// Whether the thread takes jobs.
    pub(crate) fn is_alive(&self) -> bool {
        !self.0.is_closed()
    }

    /// A handle without a thread.
    #[cfg(test)]
    pub(crate) fn stopped() -> Self {
        Self(mpsc::channel(1).0)
    }
}

/// Keeps a panic from ending the thread, and with it the work of everyone else.
fn guarded<T>(work: impl FnOnce() -> Result<T, AttributorError>) -> Result<T, AttributorError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(AttributorError::Panicked))
}

impl Bench {
    /// Drops what a panic may have left half changed; all of it can be read again.
    fn forget(&mut self) {
        self.prefixes.clear();
        self.loaded.clear();
        self.recent.clear();
    }

    fn new(model: BaseModel, tokenizer: Tokenizer, models_folder: PathBuf) -> Self {
        Self {
            model,
            tokenizer,
            models_folder,
            prefixes: HashMap::new(),
            loaded: HashMap::new(),
            recent: VecDeque::new(),
        }
    }

    /// Where a model's files are.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.models_folder.join(name)
    }

    /// The model, its tokenizer and the cache below `first_layer`.
    pub(crate) fn with_prefix(&mut self, first_layer: usize) -> (&BaseModel, &Tokenizer, &mut PrefixCache) {
        let cache = self
            .prefixes
            .entry(first_layer)
            .or_insert_with(|| PrefixCache::new(first_layer, PREFIX_CACHE_BYTES));
        (&self.model, &self.tokenizer, cache)
    }

    /// A trained model, read from disk when it is not in memory; the longest unused one makes room.
    pub(crate) fn loaded(
        &mut self,
        name: &str,
    ) -> Result<(&BaseModel, &Tokenizer, &Loaded), AttributorError> {
        if !self.loaded.contains_key(name) {
            while self.loaded.len() >= LOADED_MODELS {
                match self.recent.pop_front() {
                    Some(oldest) => self.loaded.remove(&oldest),
                    None => break,
                };
            }
            let loaded = Loaded::read(&self.model, &self.folder(name))?;
            self.loaded.insert(name.to_owned(), loaded);
        }
        self.recent.retain(|other| other != name);
        self.recent.push_back(name.to_owned());
        let loaded =
            self.loaded.get(name).ok_or_else(|| AttributorError::NotFound(format!("model {name}")))?;
        Ok((&self.model, &self.tokenizer, loaded))
    }
}

impl Loaded {
    fn read(model: &BaseModel, folder: &Path) -> Result<Self, AttributorError> {
        let adapter = Adapter::load(model, &folder.join(ADAPTER_FILE))?;
        let path = folder.join(GRADIENTS_FILE);
        let gradients = GradientStore::open(&path)?;
        let store = file_hash(&path)?;
        if gradients.adapter_hash() != adapter.hash()? {
            let reason = format!("{}: the gradients are of another adapter", folder.display());
            return Err(AttributorError::Invalid(reason));
        }
        let scorer = Scorer::new(gradients, InfluenceConfig::default())?;
        Ok(Self { adapter, scorer, store })
    }
}

/// keccak256 of a file, read piece by piece.
fn file_hash(path: &Path) -> Result<B256, AttributorError> {
    let io = |source| AttributorError::Io { path: path.display().to_string(), source };
    let mut file = File::open(path).map_err(io)?;
    let (mut hasher, mut piece) = (Keccak256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece).map_err(io)? {
            0 => return Ok(hasher.finalize()),
            read => hasher.update(&piece[..read]),
        }
    }
}

/// The adapter in a model's folder.
pub(crate) const ADAPTER_FILE: &str = "adapter.safetensors";
/// The gradients of its rows.
pub(crate) const GRADIENTS_FILE: &str = "gradients.bin";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_becomes_an_error_of_its_own_job() {
        let panicking = guarded::<()>(|| panic!("as it should"));
        assert!(matches!(panicking, Err(AttributorError::Panicked)));
        assert!(!AttributorError::Panicked.is_retryable(), "it would panic again, for ever");
        assert_eq!(guarded(|| Ok(7)).unwrap(), 7);
    }

    #[tokio::test]
    async fn work_without_a_thread_is_kept_for_the_next_start() {
        let error = Lab::stopped().run(|_| Ok(())).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
}
