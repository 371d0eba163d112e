//! Wiring: journal, store, chain, model thread, HTTP, and the workers that finish what the journal holds.

use crate::{
    AnswerRecord, AnswerState, AttributorConfig, AttributorError, JobKind, TrainingRecord, TrainingState,
    answering,
    chain::Chain,
    court::Deliveries,
    http,
    jobs::{self, Callers},
    journal::Journal,
    lab::Lab,
    preview::Previews,
    progress::Progress,
    token::OperatorToken,
    training, uploads,
};
use alloy_primitives::{B256, U256};
use metrics::counter;
use openledger_abi::IAttribution;
use openledger_content_store::{ContentStore, MasterKey, Row};
use openledger_model::{Device, ModelConfig};
use std::{
    fs,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Notify},
    task::JoinHandle,
    time::sleep,
};
use tracing::{info, warn};

pub(crate) const RETRY: Duration = Duration::from_secs(1);
/// How often the chain is asked what became of receipts.
const FOLLOW: Duration = Duration::from_secs(2);
/// Every so many times it is asked what became of uploads too.
const PASSES_A_SWEEP: u64 = 15;
/// Trainings and requests that may be unfinished at one time.
pub(crate) const MAX_UNFINISHED: usize = 1_000;

/// What all parts of the service share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) chain: Chain,
    pub(crate) chain_id: u64,
    pub(crate) store: ContentStore,
    pub(crate) journal: Journal,
    pub(crate) lab: Lab,
    pub(crate) base_hash: B256,
    pub(crate) model_config: ModelConfig,
    pub(crate) price: IAttribution::Price,
    pub(crate) split: IAttribution::Split,
    pub(crate) max_answer_tokens: usize,
    pub(crate) operator_token: OperatorToken,
    /// Who else may order jobs.
    pub(crate) callers: Callers,
    pub(crate) progress: Progress,
    pub(crate) previews: Previews,
    /// Where tensors live.
    pub(crate) device: Device,
    /// Two writers of one root would mix their keys.
    pub(crate) storing: Mutex<()>,
    pub(crate) work: Notify,
    /// CPU threads of the model's thread.
    pub(crate) threads: u32,
    /// Folder of the models.
    pub(crate) models: PathBuf,
    /// Folder of the evidence that was delivered.
    pub(crate) evidence: PathBuf,
    /// Where others find this service.
    pub(crate) public_url: String,
}

impl Shared {
    /// Stores rows for good. It goes on to its end when the caller is cancelled, as it is when a client hangs up.
    pub(crate) async fn keep(self: &Arc<Self>, root: B256, rows: Vec<Row>) -> Result<(), AttributorError> {
        let shared = Arc::clone(self);
        to_its_end(async move {
            let _one_at_a_time = shared.storing.lock().await;
            shared.store.put(root, &rows).await?;
            shared.journal.keep_for_good(root)
        })
        .await
    }
}

/// Does work that has to be done whole though its client may hang up; what it holds is let go of when it ends.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, AttributorError>> + Send + 'static,
) -> Result<T, AttributorError> {
    // Without what the panic says, which may quote a row or a prompt.
    tokio::spawn(work).await.map_err(|_| AttributorError::Panicked)?
}

/// The service.
#[derive(Debug)]
pub struct Attributor;

/// A started service.
#[derive(Debug)]
pub struct RunningAttributor {
    /// Where it serves.
    pub address: SocketAddr,
    server: JoinHandle<std::io::Result<()>>,
    workers: [JoinHandle<()>; 5],
}

impl Attributor {
    /// Opens everything, puts up the bond, and serves.
    pub async fn start(config: AttributorConfig) -> Result<RunningAttributor, AttributorError> {
        let io = |path: &Path| {
            let path = path.display().to_string();
            move |source| AttributorError::Io { path, source }
        };
        if config.max_answer_tokens == 0 {
            return Err(AttributorError::Invalid("--max-answer-tokens is at least 1".into()));
        }
        fs::create_dir_all(&config.datadir).map_err(io(&config.datadir))?;
        let listener = TcpListener::bind(config.listen).await.map_err(|source| AttributorError::Io {
            path: format!("--http.port {}", config.listen.port()),
            source,
        })?;
        let address = listener.local_addr().map_err(io(Path::new("listener")))?;
        let journal = Journal::open(&config.datadir.join("journal.redb"))?;
        let master = MasterKey::load_or_create(&config.datadir.join("master.key"))?;
        let store = ContentStore::open_local(&config.datadir.join("rows"), master)?;
        let operator_token = OperatorToken::load_or_create(&config.datadir.join("operator.token"))?;
        let callers = Callers::load(&config.datadir.join("callers.json"))?;
        let previews = Previews::new(config.previews, config.datadir.join("previews"));
        let (models, device) = (config.datadir.join("models"), config.device);
        let lab = Lab::start(config.model, device, config.threads, models.clone()).await?;
        let (base_hash, model_config) =
            lab.ask(|base, _| Ok((base.model.hash(), base.model.config().clone()))).await?;
        let chain = Chain::connect(&config.l2_rpc, config.signer)?;
        let chain_id = until_reachable(|| chain.chain_id()).await?;
        until_reachable(|| put_up_bond(&chain, config.bond_wei)).await?;
        let shared = Arc::new(Shared {
            chain,
            chain_id,
            store,
            journal,
            lab,
            base_hash,
            model_config,
            price: default_price(),
            split: default_split(),
            max_answer_tokens: config.max_answer_tokens,
            operator_token,
            callers,
            progress: Progress::default(),
            previews,
            device,
            storing: Mutex::new(()),
            work: Notify::new(),
            threads: config.threads,
            models,
            evidence: config.datadir.join("evidence"),
            public_url: config.public_url.unwrap_or_else(|| format!("http://{address}")),
        });
        training::remove_stray_folders(&shared)?;
        jobs::remove_stray_inputs(&shared).await?;
        let workers = [
            tokio::spawn(training::finish_trainings(Arc::clone(&shared))),
            tokio::spawn(finish_answers(Arc::clone(&shared))),
            // Scores are short: they go on between the steps of an evaluation.
            tokio::spawn(jobs::finish_jobs(Arc::clone(&shared), JobKind::Scores)),
            tokio::spawn(jobs::finish_jobs(Arc::clone(&shared), JobKind::Evaluation)),
            tokio::spawn(follow_chain(Arc::clone(&shared))),
        ];
        let router = http::router(Arc::clone(&shared));
        let server = tokio::spawn(http::serve(listener, router));
        info!(%address, account = %shared.chain.account(), chain_id, "attributor is ready");
        Ok(RunningAttributor { address, server, workers })
    }
}

impl RunningAttributor {
    /// Runs until the server ends, or a worker does: without it requests would be taken and never answered.
    pub async fn wait(mut self) -> Result<(), AttributorError> {
        let [trainings, answers, scores, evaluations, chain] = &mut self.workers;
        let ended = tokio::select! {
            ended = &mut self.server => Some(ended),
            _ = trainings => None,
            _ = answers => None,
            _ = scores => None,
            _ = evaluations => None,
            _ = chain => None,
        };
        self.server.abort();
        self.workers.iter().for_each(JoinHandle::abort);
        let Some(ended) = ended else { return Err(AttributorError::Panicked) };
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(AttributorError::Io { path: "HTTP server".into(), source }),
            Err(error) => Err(AttributorError::Journal(error.to_string())),
        }
    }
}

/// Asks again while the node is away, saying so.
async fn until_reachable<T, F>(mut ask: impl FnMut() -> F) -> Result<T, AttributorError>
where
    F: Future<Output = Result<T, AttributorError>>,
{
    loop {
        match ask().await {
            Err(error) if error.is_retryable() => warn!(%error, "retrying"),
            done => return done,
        }
        sleep(RETRY).await;
    }
}

async fn put_up_bond(chain: &Chain, wanted: U256) -> Result<(), AttributorError> {
    // A bond that an earlier life of this process sent counts, or it would be put up twice.
    chain.nothing_pending().await?;
    let held = chain.call(IAttribution::bondOfCall { attestor: chain.account() }).await?.total;
    if held < wanted {
        chain.send(IAttribution::bondCall {}, wanted - held).await?;
        info!(bond_wei = %wanted, "put up the bond");
    }
    Ok(())
}

/// Answers requests one after the other, for ever.
async fn finish_answers(shared: Arc<Shared>) {
    loop {
        let mut pause = RETRY;
        for record in readable(shared.journal.unanswered()) {
            let request = record.request_id;
            match answering::run(Arc::clone(&shared), record.clone()).await {
                Ok(()) => {}
                Err(error) if error.is_retryable() => {
                    warn!(%request, %error, "answering goes on later");
                    pause = pause.max(error.pause());
                }
                Err(error) => {
                    warn!(%request, %error, "cannot answer");
                    counter!("attributor_failures_total", "work" => "answer").increment(1);
                    record_failure(shared.journal.answer(request).and_then(|known| {
                        let mut record = known.unwrap_or(record);
                        record.state = AnswerState::Failed { reason: error.to_string() };
                        shared.journal.put_answer(&record)
                    }));
                }
            }
        }
        wait_for_work(&shared, pause).await;
    }
}

/// Answers challenges, and follows what the chain makes of receipts and of uploads, for ever.
async fn follow_chain(shared: Arc<Shared>) {
    let mut deliveries = Deliveries::default();
    for pass in 0_u64.. {
        if let Err(error) = deliveries.follow(&shared).await {
            warn!(%error, "challenges are looked at again later");
        }
        if let Err(error) = answering::recheck(&shared).await {
            warn!(%error, "receipts are looked at again later");
        }
        if pass.is_multiple_of(PASSES_A_SWEEP)
            && let Err(error) = uploads::sweep(&shared).await
        {
            warn!(%error, "uploads are looked at again later");
        }
        sleep(FOLLOW).await;
    }
}

pub(crate) fn readable<T>(records: Result<Vec<T>, AttributorError>) -> Vec<T> {
    records.unwrap_or_else(|error| {
        warn!(%error, "the journal cannot be read");
        Vec::new()
    })
}

pub(crate) fn record_failure(recorded: Result<(), AttributorError>) {
    if let Err(error) = recorded {
        warn!(%error, "the journal does not take records");
    }
}

/// Waits until work is ordered, or for so long.
pub(crate) async fn wait_for_work(shared: &Shared, pause: Duration) {
    tokio::select! {
        () = shared.work.notified() => {}
        () = sleep(pause) => {}
    }
}

impl TrainingRecord {
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, TrainingState::Ready | TrainingState::Failed { .. })
    }
}

impl AnswerRecord {
    pub(crate) fn is_open(&self) -> bool {
        self.state == AnswerState::Queued
    }
}

fn default_price() -> IAttribution::Price {
    const MICRO_OPEN: u128 = 1_000_000_000_000;
    IAttribution::Price {
        perTokenIn: 50 * MICRO_OPEN,
        perTokenOut: 200 * MICRO_OPEN,
        platformFee: 1_000 * MICRO_OPEN,
    }
}

fn default_split() -> IAttribution::Split {
    IAttribution::Split { platform: 500, model: 1_500, stakers: 1_000, contributors: 7_000 }
}
