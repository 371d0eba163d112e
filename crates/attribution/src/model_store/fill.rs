//! From texts, a base model and an adapter to a store. What was done stays done when the process is killed, and the next one
//! goes on there.
//!
//! Gradients are taken in chunks whose borders follow from the rows alone, so that a store that was stopped, however often,
//! ends with the same shards to the bit as one that was not.

use std::{
    borrow::Cow,
    fs::{self, File, TryLockError},
    ops::ControlFlow,
    path::Path,
};

use openledger_model::{Adapter, BaseModel, Sequence};

use super::{CURVATURE, Contents, ModelRows, ModelStore, PROJECTION, StoreOf, contents, identity};
use crate::{
    error::AttributionError,
    gradient_store::{GradientFile, GradientsOf},
    gradients::{Gradients, gradients_on_threads},
    influence::InfluenceConfig,
    projection::{MAX_FITTED_ROWS, Projection, ProjectionConfig, StoredCurvature},
    score_store::{MAX_ROWS_PER_SHARD, ScoreStore, ShardWriter, StoreFolder},
};

const SPOOL: &str = "fitted.gradients";
const LOCK: &str = "filling.lock";
/// The most rows whose gradients are held together, and about how many numbers those have.
const CHUNK_ROWS: usize = 64;
const CHUNK_NUMBERS: usize = 1 << 25;

/// How a store is filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FillConfig {
    /// Rows that the projection is fitted on, at most [`MAX_FITTED_ROWS`].
    pub fitted_rows: usize,
    /// Rows a shard: what is lost at most where the process is killed.
    pub rows_per_shard: usize,
    /// Threads that take gradients.
    pub threads: usize,
    /// The projection's size.
    pub projection: ProjectionConfig,
    /// How influence is computed.
    pub influence: InfluenceConfig,
}

impl Default for FillConfig {
    fn default() -> Self {
        Self {
            fitted_rows: MAX_FITTED_ROWS,
            rows_per_shard: 512,
            threads: 1,
            projection: ProjectionConfig::default(),
            influence: InfluenceConfig::default(),
        }
    }
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillStage {
    /// Gradients are taken that the projection is fitted on.
    Fitting,
    /// Rows are projected and stored.
    Storing,
}

/// How far it is: of all rows' gradients, each of which is taken once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillStep {
    /// What is being done.
    pub stage: FillStage,
    /// Gradients that need not be taken any more.
    pub done: usize,
    /// Rows to store.
    pub of: usize,
}

/// A store that was filled.
#[derive(Debug)]
pub struct Filled {
    /// The store, ready to be asked.
    pub store: ModelStore,
    /// The stored row that this process began with.
    pub resumed_at: u64,
    /// Half-written shards that were found and removed.
    pub partial_files: usize,
}

/// Fills a folder, or goes on with one of the same rows, base model and adapter. `step` is told how far it is, and may end it.
///
/// Memory: the texts, the sketches of the fitted rows, and the gradients of at most 64 rows. Disk: besides the
/// shards, the fitted rows' gradients until all is done.
pub fn fill(
    folder: &Path,
    model: &BaseModel,
    adapter: &Adapter,
    rows: &ModelRows<'_>,
    config: &FillConfig,
    step: &mut dyn FnMut(FillStep) -> ControlFlow<()>,
) -> Result<Filled, AttributionError> {
    let bounds = [
        ("fitted rows", config.fitted_rows, MAX_FITTED_ROWS),
        ("rows a shard", config.rows_per_shard, MAX_ROWS_PER_SHARD),
    ];
    if let Some((what, given, most)) = bounds.iter().find(|(_, given, most)| !(1..=*most).contains(given)) {
        return Err(AttributionError::Invalid(format!("{given} {what}, must be 1 to {most}")));
    }
    let _locked = lock(folder)?;
    let of = StoreOf { base: model.hash(), adapter: adapter.hash()?, rows: rows.hash() };
    let mut contents = begin(folder, of, rows, config)?;
    let spooled = GradientsOf {
        adapter: of.adapter,
        rows: contents.fitting_hash(),
        count: contents.fitted_rows(),
        parameters: adapter.n_parameters(),
    };
    let spool = GradientFile::resume(&folder.join(SPOOL), spooled)?;
    let left = contents.stored().len() - spool.len();
    let stage = FillStage::Fitting;
    let mut filling = Filling {
        model,
        adapter,
        rows,
        threads: config.threads,
        stage,
        all: contents.stored().len(),
        left,
        step,
    };
    let (projection, spool) = match contents.projection() {
        Some(hash) => (Projection::load(&folder.join(PROJECTION), Some(hash))?, spool),
        None => {
            let (projection, spool) = filling.fit(&contents, spool, config)?;
            projection.save(&folder.join(PROJECTION))?;
            contents.set_projection(projection.hash()?);
            contents.save(folder)?;
            (projection, spool)
        }
    };
    filling.stage = FillStage::Storing;
    let shards = StoreFolder::local(folder)?;
    let mut writer = ShardWriter::open(shards, identity(&of, &projection)?, config.rows_per_shard)?;
    let (resumed_at, partial_files) = (writer.next_row(), writer.partial_files());
    filling.store(&contents, &projection, &spool, &mut writer, config.rows_per_shard)?;
    let store = writer.finish(contents.clusters())?;
    let curvature = match StoredCurvature::load(&folder.join(CURVATURE), store.content()) {
        Ok(curvature) => curvature,
        Err(_) => {
            let curvature = StoredCurvature::of_store(&store)?;
            curvature.save(&folder.join(CURVATURE), store.content())?;
            curvature
        }
    };
    spool.remove()?;
    Ok(Filled { store: ModelStore { contents, projection, store, curvature }, resumed_at, partial_files })
}

/// Makes the folder and keeps other processes from filling it, until the file is closed.
fn lock(folder: &Path) -> Result<File, AttributionError> {
    let path = folder.join(LOCK);
    let io = |source| AttributionError::Io { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(io)?;
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AttributionError::StoreFile {
            path,
            what: "another process is filling this store: wait for it".into(),
        }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// The contents that a folder has, or new ones in a folder that has no shards.
fn begin(
    folder: &Path,
    of: StoreOf,
    rows: &ModelRows<'_>,
    config: &FillConfig,
) -> Result<Contents, AttributionError> {
    let refused = |what: String| AttributionError::StoreFile { path: folder.join(contents::FILE), what };
    if let Some(found) = Contents::load(folder)? {
        found.check(folder, &of)?;
        let (before, wanted) = (found.fitted_rows(), config.fitted_rows.min(found.stored().len()));
        if before != wanted {
            let what =
                format!("the store was begun with {before} fitted rows, not {wanted}; name another folder");
            return Err(refused(what));
        }
        return Ok(found);
    }
    if ScoreStore::count_shards(&StoreFolder::local(folder)?)? > 0 {
        return Err(refused(
            "is missing beside the shards: they are of other rows; name another folder".into(),
        ));
    }
    let chosen = Contents::choose(of, rows, config.fitted_rows)?;
    chosen.save(folder)?;
    Ok(chosen)
}

/// What gradients are taken with, and how far it is.
struct Filling<'a> {
    model: &'a BaseModel,
    adapter: &'a Adapter,
    rows: &'a ModelRows<'a>,
    threads: usize,
    stage: FillStage,
    all: usize,
    /// Gradients to take.
    left: usize,
    step: &'a mut dyn FnMut(FillStep) -> ControlFlow<()>,
}

impl Filling<'_> {
    fn told(&mut self) -> Result<(), AttributionError> {
        let step = FillStep { stage: self.stage, done: self.all.saturating_sub(self.left), of: self.all };
        match (self.step)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(AttributionError::Cancelled),
        }
    }

    /// Rows of a chunk.
    fn chunk_rows(&self) -> usize {
        (CHUNK_NUMBERS / self.adapter.n_parameters().max(1)).clamp(1, CHUNK_ROWS)
    }

    /// The gradients of rows at some places of the stored ones.
    fn take(&mut self, contents: &Contents, places: &[usize]) -> Result<Gradients, AttributionError> {
        let row = |&place: &usize| self.rows.sequence_of(contents.stored()[place] as usize);
        let sequences: Vec<Sequence> = places.iter().map(row).collect::<Result<_, _>>()?;
        let sequences: Vec<&Sequence> = sequences.iter().collect();
        let taken = gradients_on_threads(self.model, self.adapter, &sequences, self.threads)?;
        self.left = self.left.saturating_sub(places.len());
        Ok(taken)
    }

    fn fit(
        &mut self,
        contents: &Contents,
        mut spool: GradientFile,
        config: &FillConfig,
    ) -> Result<(Projection, GradientFile), AttributionError> {
        let (fitted, chunk) = (contents.fitted(), self.chunk_rows());
        if spool.len() < fitted.len() {
            spool.cut(spool.len() / chunk * chunk)?;
        }
        self.left = self.all - spool.len();
        self.told()?;
        for places in fitted[spool.len()..].chunks(chunk) {
            spool.push(self.take(contents, places)?.values())?;
            self.told()?;
        }
        let parameters = self.adapter.n_parameters();
        let projection = Projection::fit_in_parts(
            fitted.len(),
            parameters,
            config.projection,
            config.influence,
            |rows| Ok(Cow::Owned(spool.read(rows)?)),
        )?;
        Ok((projection, spool))
    }

    fn store(
        &mut self,
        contents: &Contents,
        projection: &Projection,
        spool: &GradientFile,
        writer: &mut ShardWriter,
        rows_per_shard: usize,
    ) -> Result<(), AttributionError> {
        let fitted = contents.fitted();
        let spooled = |place: usize| fitted[..spool.len()].binary_search(&place).ok();
        let (mut shard, mut next) = (writer.next_row() as usize, writer.next_row() as usize);
        if shard > self.all {
            let what = format!("{shard} rows are stored, of {}: name another folder", self.all);
            return Err(AttributionError::Store(what));
        }
        self.left = (next..self.all).filter(|&place| spooled(place).is_none()).count();
        self.told()?;
        while next < self.all {
            // A chunk ends where its shard ends, since another process may go on from there.
            let end = (next + self.chunk_rows()).min(shard + rows_per_shard).min(self.all);
            let missing: Vec<usize> = (next..end).filter(|&place| spooled(place).is_none()).collect();
            let taken = if missing.is_empty() { None } else { Some(self.take(contents, &missing)?) };
            let taken = taken.as_ref().map_or(&[][..], Gradients::values);
            let mut taken = taken.chunks_exact(self.adapter.n_parameters());
            let mut values: Vec<f32> = Vec::with_capacity((end - next) * self.adapter.n_parameters());
            for place in next..end {
                match spooled(place) {
                    Some(at) => values.extend(spool.read(at..at + 1)?),
                    None => values.extend(taken.next().into_iter().flatten()),
                }
            }
            let projected = projection.rows(&values)?;
            for (place, row) in (next..end).zip(projected.chunks_exact(projection.rank())) {
                let row_number = contents.stored()[place] as usize;
                let cluster = contents.cluster_of(row_number).unwrap_or_default();
                writer.push(row, cluster as u32)?;
            }
            next = end;
            if next == shard + rows_per_shard {
                shard = next;
            }
            if let Err(ended) = self.told() {
                writer.flush()?;
                return Err(ended);
            }
        }
        Ok(())
    }
}
