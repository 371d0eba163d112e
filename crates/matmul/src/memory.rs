//! Tensors as they lie in memory.

use tch::{Device, Kind, Tensor};

/// A matrix in memory that somebody else owns: numbers of a row lie side by side, rows `stride` numbers apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<T> {
    pub(crate) at: T,
    pub(crate) stride: usize,
}

/// The f32 matrices of a tensor on the CPU, in `BATCH` dimensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrices<const BATCH: usize> {
    pub(crate) at: *mut f32,
    /// Numbers from the first to the last.
    pub(crate) len: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Numbers from one row to the next, at least as many as a row has.
    pub(crate) stride: usize,
    /// Size of each dimension before the rows, and numbers from one matrix to the next.
    batch: [(usize, usize); BATCH],
}

impl<const BATCH: usize> Matrices<BATCH> {
    /// `None` of what has another form, is empty, has rows within rows, or is to be differentiated.
    pub(crate) fn of(tensor: &Tensor) -> Option<Self> {
        if !is_plain(tensor) {
            return None;
        }
        let (sizes, strides) = (tensor.size(), tensor.stride());
        let ([sizes @ .., rows, columns], [strides @ .., stride, 1]) = (sizes.as_slice(), strides.as_slice())
        else {
            return None;
        };
        let number = |number: i64| usize::try_from(number).ok();
        let (rows, columns, stride) = (number(*rows)?, number(*columns)?, number(*stride)?);
        let dimensions = sizes.iter().zip(strides).map(|(size, stride)| number(*size).zip(number(*stride)));
        let batch: [(usize, usize); BATCH] = dimensions.collect::<Option<Vec<_>>>()?.try_into().ok()?;
        let mut len = columns;
        for (size, stride) in batch.into_iter().chain([(rows, stride)]) {
            len = size.checked_sub(1)?.checked_mul(stride)?.checked_add(len)?;
        }
        let at: *mut f32 = tensor.data_ptr().cast();
        let sound = columns > 0 && stride >= columns && !at.is_null();
        sound.then_some(Self { at, len, rows, columns, stride, batch })
    }

    /// Whether the other has as many matrices of as many rows and columns.
    pub(crate) fn is_of_size(&self, other: &Self) -> bool {
        (self.rows, self.columns, self.batch_sizes()) == (other.rows, other.columns, other.batch_sizes())
    }

    /// The size of each dimension before the rows.
    pub(crate) fn batch_sizes(&self) -> [usize; BATCH] {
        self.batch.map(|(size, _)| size)
    }

    /// Whether a product can be written here: none of its numbers lies where another does, and no factor within its range.
    pub(crate) fn may_take(&self, factors: &[Self]) -> bool {
        let mut dimensions: Vec<(usize, usize)> =
            self.batch.into_iter().chain([(self.rows, self.stride)]).collect();
        dimensions.sort_unstable_by_key(|(size, stride)| (*stride, *size));
        let mut taken = self.columns;
        for (size, stride) in dimensions {
            if size > 1 && stride < taken {
                return false;
            }
            taken += (size - 1) * stride;
        }
        let end = self.at.wrapping_add(self.len);
        factors.iter().all(|other| self.at >= other.at.wrapping_add(other.len) || other.at >= end)
    }

    /// The matrix at a place in each dimension before the rows.
    pub(crate) fn view(&self, place: [usize; BATCH]) -> View<*const f32> {
        let View { at, stride } = self.view_mut(place);
        View { at: at.cast_const(), stride }
    }

    /// As [`Self::view`], to write to.
    pub(crate) fn view_mut(&self, place: [usize; BATCH]) -> View<*mut f32> {
        let from = place.into_iter().zip(self.batch).map(|(at, (_, stride))| at * stride).sum();
        View { at: self.at.wrapping_add(from), stride: self.stride }
    }
}

impl Matrices<2> {
    /// The places of all matrices.
    pub(crate) fn each(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let [outer, inner] = self.batch_sizes();
        (0..outer).flat_map(move |i| (0..inner).map(move |j| [i, j]))
    }
}

/// Whether a tensor's f32 numbers lie in memory as they are, and nobody differentiates them.
fn is_plain(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu
        && tensor.kind() == Kind::Float
        && !tensor.is_sparse()
        && !tensor.is_mkldnn()
        && !tensor.is_neg()
        && !tensor.requires_grad()
}
