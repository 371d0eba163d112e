//! A thread that reads the trie while the block executes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use crate::{StateChanges, StateSource, StateTrie};

/// Reads into memory, on a thread of its own, what the changes found so far will need, so that
/// [`StateTrie::apply`] at the end of the block only hashes.
///
/// The queue is bounded, and what finds it full is passed over: execution never waits for it. Nothing here
/// changes the trie, so transactions may be told of that are undone later.
#[derive(Debug)]
pub struct Prefetcher {
    root: alloy_primitives::B256,
    queue: SyncSender<StateChanges>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<StateTrie>,
}

impl Prefetcher {
    /// Starts the thread. `queue_len` changes wait at most, each of them one transaction's.
    pub fn spawn<S>(trie: StateTrie, source: S, queue_len: usize) -> std::io::Result<Self>
    where
        S: StateSource + Send + 'static,
    {
        let root = trie.root();
        let (queue, waiting) = sync_channel::<StateChanges>(queue_len);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Builder::new().name("trie-prefetch".into()).spawn(move || {
            let mut trie = trie;
            while let Ok(mut changes) = waiting.recv() {
                // What waits is read in one go.
                waiting.try_iter().for_each(|more| changes.extend(more));
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                if trie.prefetch(&source, &changes).is_err() {
                    // Whoever applies the changes meets the same error and reports it.
                    break;
                }
            }
            trie
        })?;
        Ok(Self { root, queue, stop, thread })
    }

    /// Tells what a transaction changed. Says whether there was room in the queue.
    pub fn touch(&self, changes: StateChanges) -> bool {
        match self.queue.try_send(changes) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// The trie with what was read so far; what still waits is passed over.
    pub fn finish(self) -> StateTrie {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.queue);
        // A source that panicked took the trie along: it is read again as it is needed.
        self.thread.join().unwrap_or_else(|_| StateTrie::new(self.root))
    }
}
