//! Where work arrives, and the trained models that short work needs.

use super::{
    ADAPTER_FILE, GRADIENTS_FILE,
    bench::{Base, Bench},
};
use crate::{AttributorError, memory::Needs};
use alloy_primitives::{B256, Keccak256};
use openledger_attribution::{GradientStore, InfluenceConfig, Scorer};
use openledger_model::{Adapter, BaseModel};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    fs::File,
    io::Read,
    path::Path,
};
use tokio::sync::mpsc;

/// Models whose adapter and factored gradients are kept in memory.
const LOADED_MODELS: usize = 8;

pub(super) type LongJob = Box<dyn FnOnce(&mut Bench) + Send>;
pub(super) type ShortJob = Box<dyn FnOnce(&Base, &mut Models) + Send>;

/// A piece of work.
pub(super) enum Work {
    Long(LongJob),
    Short(ShortJob),
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Long(_) => "Long",
            Self::Short(_) => "Short",
        })
    }
}

/// The inbox of the thread. Long work that turns up while other long work runs waits in `later`; its senders wait for
/// their results before they send more, so it never holds more than there are senders.
#[derive(Debug)]
pub(crate) struct Desk {
    inbox: mpsc::Receiver<Work>,
    later: VecDeque<Later>,
    pub(crate) models: Models,
}

struct Later(LongJob);

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later(..)")
    }
}

impl Desk {
    pub(super) fn new(inbox: mpsc::Receiver<Work>) -> Self {
        Self { inbox, later: VecDeque::new(), models: Models::default() }
    }

    /// Does all short work that waits. Long work calls it between its steps.
    pub(crate) fn serve(&mut self, base: &Base) {
        while let Ok(work) = self.inbox.try_recv() {
            match work {
                Work::Short(job) => job(base, &mut self.models),
                Work::Long(job) => self.later.push_back(Later(job)),
            }
        }
    }

    pub(super) fn next(&mut self, base: &Base) -> Option<LongJob> {
        loop {
            self.serve(base);
            if let Some(Later(job)) = self.later.pop_front() {
                return Some(job);
            }
            match self.inbox.blocking_recv()? {
                Work::Long(job) => return Some(job),
                Work::Short(job) => job(base, &mut self.models),
            }
        }
    }
}

/// Trained models in memory.
#[derive(Debug, Default)]
pub(crate) struct Models {
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

impl Models {
    /// A trained model, read from disk when it is not in memory; the longest unused one makes room.
    pub(crate) fn get(&mut self, base: &Base, name: &str) -> Result<&Loaded, AttributorError> {
        if !self.loaded.contains_key(name) {
            while self.loaded.len() >= LOADED_MODELS {
                match self.recent.pop_front() {
                    Some(oldest) => self.loaded.remove(&oldest),
                    None => break,
                };
            }
            let opened = Opened::read(&base.model, &base.folder(name))?;
            let needs = opened.needs();
            if needs.fits_now(base.model.device()).is_err() {
                self.forget();
                needs.fits_now(base.model.device())?;
            }
            self.loaded.insert(name.to_owned(), opened.load()?);
        }
        self.recent.retain(|other| other != name);
        self.recent.push_back(name.to_owned());
        self.loaded.get(name).ok_or_else(|| AttributorError::NotFound(format!("model {name}")))
    }

    /// Drops all; they can be read again.
    pub(super) fn forget(&mut self) {
        self.loaded.clear();
        self.recent.clear();
    }
}

/// A model's files, read and held against each other.
struct Opened {
    adapter: Adapter,
    gradients: GradientStore,
    store: B256,
}

impl Opened {
    fn read(model: &BaseModel, folder: &Path) -> Result<Self, AttributorError> {
        let adapter = Adapter::load(model, &folder.join(ADAPTER_FILE))?;
        let path = folder.join(GRADIENTS_FILE);
        let gradients = GradientStore::open(&path)?;
        let store = file_hash(&path)?;
        if gradients.adapter_hash() != adapter.hash()? {
            let reason = format!("{}: the gradients are of another adapter", folder.display());
            return Err(AttributorError::Invalid(reason));
        }
        Ok(Self { adapter, gradients, store })
    }

    fn needs(&self) -> Needs {
        Needs::of_loading(self.gradients.len(), self.adapter.n_parameters())
    }

    fn load(self) -> Result<Loaded, AttributorError> {
        let scorer = Scorer::new(self.gradients, InfluenceConfig::default())?;
        Ok(Loaded { adapter: self.adapter, scorer, store: self.store })
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
