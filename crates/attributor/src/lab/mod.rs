//! The thread that owns the model: tensors never leave it.
//!
//! Work is long (a training, an evaluation) or short (an answer). Short work that arrives while long work runs is done
//! between its steps: an answer waits for a step, not for a training, and no two pieces ever compute at one time.

mod bench;
mod desk;

pub(crate) use self::{
    bench::{Base, Bench, PREFIX_CACHE_BYTES},
    desk::{Desk, Loaded, Models},
};

use self::desk::Work;
use crate::AttributorError;
use openledger_model::{BaseModel, Device};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    thread,
};
use tokio::sync::{mpsc, oneshot};
use tracing::info;

/// Pieces of work that may wait for the thread.
const QUEUE: usize = 64;

/// The adapter in a model's folder.
pub(crate) const ADAPTER_FILE: &str = "adapter.safetensors";
/// The gradients of its rows.
pub(crate) const GRADIENTS_FILE: &str = "gradients.bin";

/// A handle to the model's thread.
#[derive(Debug, Clone)]
pub(crate) struct Lab(mpsc::Sender<Work>);

impl Lab {
    /// Loads the base model and starts its thread.
    pub(crate) async fn start(
        gguf: PathBuf,
        device: Device,
        threads: u32,
        models_folder: PathBuf,
    ) -> Result<Self, AttributorError> {
        let (work, inbox) = mpsc::channel(QUEUE);
        let (loaded, ready) = oneshot::channel();
        let body = move || {
            openledger_model::set_num_threads(i32::try_from(threads).unwrap_or(1));
            let mut bench = match BaseModel::load(&gguf, device) {
                Ok((model, tokenizer)) => {
                    info!(base = %model.hash(), ?device, threads, "loaded the base model");
                    let _ = loaded.send(Ok(()));
                    Bench::new(Base { model, tokenizer, models_folder }, Desk::new(inbox))
                }
                Err(error) => {
                    let _ = loaded.send(Err(error));
                    return;
                }
            };
            while let Some(job) = bench.next() {
                job(&mut bench);
            }
        };
        thread::Builder::new()
            .name("model".into())
            .spawn(body)
            .map_err(|source| AttributorError::Io { path: "model thread".into(), source })?;
        ready.await.map_err(|_| AttributorError::LabStopped)??;
        Ok(Self(work))
    }

    /// Runs long work on the thread, after the long work before it. It calls [`Desk::serve`] between its steps. A full
    /// queue is an error.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Bench) -> Result<T, AttributorError> + Send + 'static,
    ) -> Result<T, AttributorError> {
        let (done, result) = oneshot::channel();
        self.enqueue(Work::Long(Box::new(move |bench| {
            if done.is_closed() {
                return;
            }
            let outcome = guarded(|| job(bench));
            if matches!(outcome, Err(AttributorError::Panicked)) {
                bench.forget();
            }
            let _ = done.send(outcome);
        })))?;
        result.await.map_err(|_| AttributorError::LabStopped)?
    }

    /// Runs short work on the thread, between the steps of long work if there is any. A full queue is an error. Work
    /// that nobody waits for any more when its turn comes is left out, here and in [`Self::run`].
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Base, &mut Models) -> Result<T, AttributorError> + Send + 'static,
    ) -> Result<T, AttributorError> {
        let (done, result) = oneshot::channel();
        self.enqueue(Work::Short(Box::new(move |base, models| {
            if done.is_closed() {
                return;
            }
            let outcome = guarded(|| job(base, models));
            if matches!(outcome, Err(AttributorError::Panicked)) {
                models.forget();
            }
            let _ = done.send(outcome);
        })))?;
        result.await.map_err(|_| AttributorError::LabStopped)?
    }

    fn enqueue(&self, work: Work) -> Result<(), AttributorError> {
        self.0.try_send(work).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AttributorError::Busy("the model's queue is full"),
            mpsc::error::TrySendError::Closed(_) => AttributorError::LabStopped,
        })
    }

    /// Whether the thread takes work.
    pub(crate) fn is_alive(&self) -> bool {
        !self.0.is_closed()
    }

    /// How much waits for the thread.
    pub(crate) fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

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

    #[tokio::test]
    async fn short_work_is_done_between_the_steps_of_long_work() {
        let folder = tempfile::tempdir().unwrap();
        let lab =
            Lab::start(crate::stub::toy_model(), Device::Cpu, 1, folder.path().to_owned()).await.unwrap();
        let answered = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&answered);
        let (begun, started) = oneshot::channel();
        let training = lab.run(move |bench| {
            let _ = begun.send(());
            // As many steps as it takes: without an answer between them it would never end.
            while !seen.load(Ordering::SeqCst) {
                bench.desk.serve(&bench.base);
                thread::sleep(Duration::from_millis(1));
            }
            Ok("trained")
        });
        let asking = async {
            started.await.unwrap();
            lab.ask(move |base, _| {
                answered.store(true, Ordering::SeqCst);
                Ok(base.model.hash())
            })
            .await
        };
        let (trained, answer) = tokio::join!(training, asking);
        assert_eq!(trained.unwrap(), "trained");
        answer.unwrap();
        // A panic between the steps is the answer's own.
        let training = lab.run(|bench| {
            for _ in 0..200 {
                bench.desk.serve(&bench.base);
                thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        });
        let asking = lab.ask::<()>(|_, _| panic!("as it should"));
        let (trained, answer) = tokio::join!(training, asking);
        trained.unwrap();
        assert!(matches!(answer, Err(AttributorError::Panicked)));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_not_done() {
        let folder = tempfile::tempdir().unwrap();
        let lab =
            Lab::start(crate::stub::toy_model(), Device::Cpu, 1, folder.path().to_owned()).await.unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let blocked = lab.ask(move |_, _| {
            let _ = held.recv();
            Ok(())
        });
        let done = Arc::new(AtomicBool::new(false));
        let (short, long) = (Arc::clone(&done), Arc::clone(&done));
        let hung_up = async {
            // Both are in the queue when their callers go away.
            let mut asked = Box::pin(lab.ask(move |_, _| {
                short.store(true, Ordering::SeqCst);
                Ok(())
            }));
            let mut run = Box::pin(lab.run(move |_| {
                long.store(true, Ordering::SeqCst);
                Ok(())
            }));
            assert!(
                futures_util::poll!(&mut asked).is_pending() && futures_util::poll!(&mut run).is_pending()
            );
            drop((asked, run));
            release.send(()).unwrap();
        };
        let (blocked, ()) = tokio::join!(blocked, hung_up);
        blocked.unwrap();
        lab.ask(|_, _| Ok(())).await.unwrap();
        assert!(!done.load(Ordering::SeqCst));
    }
}
