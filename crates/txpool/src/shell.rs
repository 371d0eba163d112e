//! The handle that others clone: the pool behind a lock, with storage underneath.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use alloy_consensus::transaction::Recovered;
use alloy_op_evm::spec_by_timestamp_after_bedrock;
use alloy_primitives::{Address, B256, U256, map::AddressHashSet};
use op_revm::L1BlockInfo;
use openledger_primitives::OpenTxEnvelope;
use openledger_storage::{Database, StateView, StorageError};
use parking_lot::RwLock;
use rayon::prelude::*;
use revm::{DatabaseRef, database::WrapDatabaseRef};
use tokio::{sync::broadcast, task::spawn_blocking};
use tracing::{debug, warn};

use crate::{AccountState, Added, Content, Pool, PoolConfig, PoolError, PoolHead, PooledTransaction};

/// Hashes a subscriber may lag behind before it misses some.
const SUBSCRIPTION_CAPACITY: usize = 4096;

/// Transactions of a batch that one thread decodes at once: enough to recover their senders side by side, and few enough
/// to share a batch of a hundred out.
const BATCH_PART: usize = 32;

/// Hashes of transactions as they become executable. `Lagged` says that some were missed.
pub type PoolSubscription = broadcast::Receiver<B256>;

/// Where the pool reads the chain from.
pub trait ChainReader: Send + Sync + 'static {
    /// The latest block, as the pool needs it, and the accounts asked for after it.
    fn read(&self, addresses: &[Address])
    -> Result<(PoolHead, HashMap<Address, AccountState>), StorageError>;

    /// The accounts asked for after the latest block.
    fn accounts(&self, addresses: &[Address]) -> Result<HashMap<Address, AccountState>, StorageError> {
        Ok(self.read(addresses)?.1)
    }
}

fn account_of(state: &StateView, address: Address) -> Result<AccountState, StorageError> {
    let block = state.block().number;
    let Some(info) = state.basic_ref(address)? else {
        return Ok(AccountState { block, ..AccountState::default() });
    };
    let is_contract = if info.is_empty_code_hash() {
        false
    } else {
        let code = match info.code {
            Some(code) => code,
            None => state.code_by_hash_ref(info.code_hash)?,
        };
        !code.is_eip7702()
    };
    Ok(AccountState { block, nonce: info.nonce, balance: info.balance, is_contract })
}

fn accounts_of(
    state: &StateView,
    addresses: &[Address],
) -> Result<HashMap<Address, AccountState>, StorageError> {
    addresses.iter().map(|&address| Ok((address, account_of(state, address)?))).collect()
}

impl ChainReader for Database {
    fn read(
        &self,
        addresses: &[Address],
    ) -> Result<(PoolHead, HashMap<Address, AccountState>), StorageError> {
        let state = self.state()?;
        let at = state.block();
        let no_block = || StorageError::NoSuchBlock { number: at.number, head: at.number };
        let header = self.header_by_hash(at.hash)?.ok_or_else(no_block)?;
        let spec_id = spec_by_timestamp_after_bedrock(&**self.spec(), header.timestamp);
        let l1 = L1BlockInfo::try_fetch(&mut WrapDatabaseRef(&state), U256::from(at.number), spec_id)?;
        let head = PoolHead {
            number: at.number,
            base_fee_wei: self.spec().next_base_fee(&header),
            gas_limit: header.gas_limit,
            spec_id,
            l1,
        };
        Ok((head, accounts_of(&state, addresses)?))
    }

    fn accounts(&self, addresses: &[Address]) -> Result<HashMap<Address, AccountState>, StorageError> {
        accounts_of(&self.state()?, addresses)
    }
}

struct Inner {
    pool: RwLock<Pool>,
    chain: Box<dyn ChainReader>,
    pending: broadcast::Sender<B256>,
    config: PoolConfig,
}

/// The pool, as the node's parts share it. Cheap to clone.
#[derive(Clone)]
pub struct TxPool {
    inner: Arc<Inner>,
}

impl fmt::Debug for TxPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxPool").field("len", &self.inner.pool.read().len()).finish_non_exhaustive()
    }
}

impl TxPool {
    /// An empty pool on top of the chain's head.
    pub fn new(config: PoolConfig, database: Database) -> Result<Self, StorageError> {
        let chain_id = database.spec().chain_id();
        Self::with_reader(config, chain_id, database)
    }

    /// An empty pool over any chain.
    pub fn with_reader(
        config: PoolConfig,
        chain_id: u64,
        chain: impl ChainReader,
    ) -> Result<Self, StorageError> {
        let (head, _) = chain.read(&[])?;
        let pool = RwLock::new(Pool::new(config.clone(), chain_id, head));
        let (pending, _) = broadcast::channel(SUBSCRIPTION_CAPACITY);
        Ok(Self { inner: Arc::new(Inner { pool, chain: Box::new(chain), pending, config }) })
    }

    /// Takes a raw signed transaction, or says why not.
    pub async fn submit(&self, raw: impl AsRef<[u8]> + Send + 'static) -> Result<B256, PoolError> {
        let this = self.clone();
        spawn_blocking(move || {
            let transaction = this.inner.config.decode(raw.as_ref())?;
            this.submit_recovered(transaction)
        })
        .await
        .map_err(|error| PoolError::Internal(error.to_string()))?
    }

    /// Takes raw signed transactions in their order, for each its hash or why it was not taken. Much cheaper
    /// than one after the other: senders are recovered on all cores, and accounts read once.
    pub async fn submit_all(
        &self,
        raw: Vec<impl AsRef<[u8]> + Send + Sync + 'static>,
    ) -> Result<Vec<Result<B256, PoolError>>, PoolError> {
        let this = self.clone();
        spawn_blocking(move || {
            let decode = |part: &[_]| this.inner.config.decode_all(part);
            let decoded = raw.par_chunks(BATCH_PART).flat_map_iter(decode);
            this.admit(decoded.map(|one| one.map(PooledTransaction::new)).collect())
        })
        .await
        .map_err(|error| PoolError::Internal(error.to_string()))
    }

    /// Takes a transaction whose sender is known. Blocks on storage.
    pub fn submit_recovered(&self, transaction: Recovered<OpenTxEnvelope>) -> Result<B256, PoolError> {
        let admitted = self.admit(vec![Ok(PooledTransaction::new(transaction))]);
        admitted.into_iter().next().unwrap_or_else(|| Err(PoolError::Internal("no answer".to_owned())))
    }

    /// Adds transactions in their order. Accounts are read where the pool does not know them at its head.
    fn admit(&self, new: Vec<Result<PooledTransaction, PoolError>>) -> Vec<Result<B256, PoolError>> {
        let mut unknown = AddressHashSet::default();
        {
            let pool = self.inner.pool.read();
            let senders = new.iter().flatten().map(PooledTransaction::sender);
            unknown.extend(senders.filter(|sender| pool.account_at_head(sender).is_none()));
        }
        let mut accounts = HashMap::new();
        let mut answers = Vec::with_capacity(new.len());
        let mut left = VecDeque::from(new);
        while !left.is_empty() {
            if !unknown.is_empty() {
                let addresses: Vec<_> = unknown.drain().collect();
                match self.inner.chain.accounts(&addresses) {
                    // Whoever is not told of is empty, and not asked for again.
                    Ok(read) => accounts.extend(
                        addresses.iter().map(|one| (*one, read.get(one).copied().unwrap_or_default())),
                    ),
                    Err(error) => {
                        let failed = PoolError::Internal(error.to_string());
                        answers.extend(left.drain(..).map(|one| one.and(Err(failed.clone()))));
                        break;
                    }
                }
            }
            let mut pool = self.inner.pool.write();
            while let Some(one) = left.pop_front() {
                let added = one.and_then(|one| {
                    let sender = one.sender();
                    let account = pool.account_at_head(&sender).or_else(|| accounts.get(&sender).copied());
                    match account {
                        Some(account) => pool.add_pooled(one, account).map(Some),
                        None => {
                            unknown.insert(sender);
                            left.push_front(Ok(one));
                            Ok(None)
                        }
                    }
                });
                match added {
                    Ok(Some(added)) => {
                        self.tell(&added);
                        answers.push(Ok(added.hash));
                    }
                    // The head moved and what the pool knew of this account is old: read it first.
                    Ok(None) => break,
                    Err(error) => answers.push(Err(error)),
                }
            }
        }
        answers
    }

    fn tell(&self, added: &Added) {
        debug!(hash = %added.hash, evicted = added.evicted.len(), "transaction added");
        if self.inner.pending.receiver_count() > 0 {
            for hash in &added.pending {
                // Fails only where nobody listens any more.
                let _ = self.inner.pending.send(*hash);
            }
        }
    }

    /// Hashes of transactions as they become executable.
    pub fn subscribe(&self) -> PoolSubscription {
        self.inner.pending.subscribe()
    }

    /// Follows the chain's head after a block was appended (or several: call it once). Returns the
    /// hashes that left the pool.
    pub async fn on_new_block(&self) -> Result<Vec<B256>, PoolError> {
        let this = self.clone();
        self.blocking(move || {
            let senders: Vec<_> = this.inner.pool.read().senders().collect();
            let (head, accounts) = this.inner.chain.read(&senders)?;
            let mut gone = this.inner.pool.write().on_new_block(head, &accounts);
            // Some may have been added meanwhile on accounts read at the block before.
            let late = this.inner.pool.read().stale_senders();
            if !late.is_empty() {
                let (head, accounts) = this.inner.chain.read(&late)?;
                gone.extend(this.inner.pool.write().on_new_block(head, &accounts));
            }
            Ok(gone)
        })
        .await
    }

    /// Follows the chain's head after blocks were taken back, and takes their transactions in again,
    /// oldest first. Returns the hashes that are in the pool again.
    pub async fn on_unwound(
        &self,
        transactions: Vec<Recovered<OpenTxEnvelope>>,
    ) -> Result<Vec<B256>, PoolError> {
        let this = self.clone();
        self.blocking(move || {
            let mut senders: Vec<_> = this.inner.pool.read().senders().collect();
            senders.extend(transactions.iter().map(Recovered::signer));
            let (head, accounts) = this.inner.chain.read(&senders)?;
            Ok(this.inner.pool.write().on_unwound(head, &accounts, transactions))
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, PoolError> {
        let result = spawn_blocking(work).await;
        let result = result.map_err(|error| PoolError::Internal(error.to_string()))?;
        result.map_err(|error| {
            warn!(%error, "the pool could not follow the head");
            PoolError::Internal(error.to_string())
        })
    }

    /// [`Pool::best`].
    pub fn best(
        &self,
        base_fee_wei: u64,
        gas_limit: u64,
        max_count: usize,
    ) -> Vec<Recovered<OpenTxEnvelope>> {
        self.inner.pool.read().best(base_fee_wei, gas_limit, max_count)
    }

    /// [`Pool::has_ready`].
    pub fn has_ready(&self) -> bool {
        self.inner.pool.read().has_ready()
    }

    /// [`Pool::put_in_block`].
    pub fn put_in_block(&self, hashes: impl IntoIterator<Item = B256>) {
        self.inner.pool.write().put_in_block(hashes);
    }

    /// [`Pool::release`].
    pub fn release(&self) {
        self.inner.pool.write().release();
    }

    /// Drops a transaction that turned out not to be executable.
    pub fn remove(&self, hash: &B256) -> bool {
        self.inner.pool.write().remove(hash)
    }

    /// The transaction with this hash.
    pub fn get(&self, hash: &B256) -> Option<PooledTransaction> {
        self.inner.pool.read().get(hash).cloned()
    }

    /// [`Pool::pending_nonce`].
    pub fn pending_nonce(&self, address: &Address) -> Option<u64> {
        self.inner.pool.read().pending_nonce(address)
    }

    /// Executable and waiting transactions, counted.
    pub fn counts(&self) -> (usize, usize) {
        self.inner.pool.read().counts()
    }

    /// Everything, by sender and nonce.
    pub fn content(&self) -> Content {
        self.inner.pool.read().content()
    }
}
