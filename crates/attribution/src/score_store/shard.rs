//! One shard as an Arrow IPC file: a single record batch of fixed-size lists.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int8Array, PrimitiveArray, RecordBatch,
    UInt32Array, UInt64Array, types::ArrowPrimitiveType,
};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_ipc::{
    convert::try_fb_to_schema,
    reader::{FileDecoder, read_footer_length},
    root_as_footer,
    writer::FileWriter,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use crate::{
    error::AttributionError,
    score_store::{
        folder::ShardName,
        identity::{Kind, StoreIdentity},
    },
};

/// Bytes of a file's end: the length of the footer, and the magic number.
const TRAILER_BYTES: usize = 10;

/// Rows in two planes; all columns have the same rows.
#[derive(Debug, Clone)]
pub(crate) struct RowShard {
    pub(crate) first_row: u64,
    pub(crate) clusters: ScalarBuffer<u32>,
    pub(crate) scales: ScalarBuffer<f32>,
    pub(crate) coarse: ScalarBuffer<i8>,
    pub(crate) fine: ScalarBuffer<i8>,
}

/// Sums of clusters.
#[derive(Debug, Clone)]
pub(crate) struct SumShard {
    pub(crate) first_cluster: u64,
    /// What the sums are of, see [`super::sums`].
    pub(crate) of: String,
    pub(crate) rows: ScalarBuffer<u64>,
    pub(crate) sums: ScalarBuffer<f64>,
}

impl RowShard {
    pub(crate) fn len(&self) -> usize {
        self.clusters.len()
    }

    pub(crate) fn to_bytes(&self, identity: &StoreIdentity) -> Result<Vec<u8>, AttributionError> {
        let columns: [(&str, ArrayRef); 4] = [
            ("cluster", Arc::new(UInt32Array::new(self.clusters.clone(), None))),
            ("scale", Arc::new(Float32Array::new(self.scales.clone(), None))),
            ("coarse", list(Arc::new(Int8Array::new(self.coarse.clone(), None)), identity.dimension)?),
            ("fine", list(Arc::new(Int8Array::new(self.fine.clone(), None)), identity.dimension)?),
        ];
        to_bytes(&columns, identity, Kind::Rows, self.first_row, "")
    }

    pub(crate) fn read(name: &ShardName, bytes: &Buffer) -> Result<(StoreIdentity, Self), AttributionError> {
        let read = || -> Result<(StoreIdentity, Self), String> {
            let (identity, first_row, _, batch) = read_batch(bytes, Kind::Rows)?;
            let shard = Self {
                first_row,
                clusters: numbers::<arrow_array::types::UInt32Type>(column(&batch, "cluster")?, "cluster")?,
                scales: numbers::<arrow_array::types::Float32Type>(column(&batch, "scale")?, "scale")?,
                coarse: numbers::<arrow_array::types::Int8Type>(
                    &lists(&batch, "coarse", &identity)?,
                    "coarse",
                )?,
                fine: numbers::<arrow_array::types::Int8Type>(&lists(&batch, "fine", &identity)?, "fine")?,
            };
            if !shard.scales.iter().all(|s| s.is_finite()) {
                return Err("holds a row that is not finite".into());
            }
            Ok((identity, shard))
        };
        read().map_err(|what| name.error(what))
    }
}

impl SumShard {
    pub(crate) fn to_bytes(&self, identity: &StoreIdentity) -> Result<Vec<u8>, AttributionError> {
        let columns: [(&str, ArrayRef); 2] = [
            ("rows", Arc::new(UInt64Array::new(self.rows.clone(), None))),
            ("sum", list(Arc::new(Float64Array::new(self.sums.clone(), None)), identity.dimension)?),
        ];
        to_bytes(&columns, identity, Kind::Sums, self.first_cluster, &self.of)
    }

    pub(crate) fn read(name: &ShardName, bytes: &Buffer) -> Result<(StoreIdentity, Self), AttributionError> {
        let read = || -> Result<(StoreIdentity, Self), String> {
            let (identity, first_cluster, of, batch) = read_batch(bytes, Kind::Sums)?;
            let rows = numbers::<arrow_array::types::UInt64Type>(column(&batch, "rows")?, "rows")?;
            let sums = numbers::<arrow_array::types::Float64Type>(&lists(&batch, "sum", &identity)?, "sum")?;
            Ok((identity, Self { first_cluster, of, rows, sums }))
        };
        read().map_err(|what| name.error(what))
    }
}

fn list(values: ArrayRef, size: usize) -> Result<ArrayRef, AttributionError> {
    let field = Arc::new(Field::new("item", values.data_type().clone(), false));
    Ok(Arc::new(FixedSizeListArray::try_new(field, size as i32, values, None).map_err(unwritten)?))
}

fn to_bytes(
    columns: &[(&str, ArrayRef)],
    identity: &StoreIdentity,
    kind: Kind,
    first: u64,
    of: &str,
) -> Result<Vec<u8>, AttributionError> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), false)).collect();
    let schema = Arc::new(Schema::new(fields).with_metadata(identity.metadata(kind, first, of)));
    let arrays = columns.iter().map(|(_, values)| values.clone()).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(unwritten)?;
    let mut writer = FileWriter::try_new(Vec::new(), &schema).map_err(unwritten)?;
    writer.write(&batch).map_err(unwritten)?;
    writer.into_inner().map_err(unwritten)
}

fn unwritten(error: ArrowError) -> AttributionError {
    AttributionError::Invalid(format!("shard cannot be written: {error}"))
}

/// The one batch of a file, its buffers still where the file is mapped.
fn read_batch(bytes: &Buffer, kind: Kind) -> Result<(StoreIdentity, u64, String, RecordBatch), String> {
    let text = |error: ArrowError| format!("is no Arrow file: {error}");
    let trailer_at = bytes.len().checked_sub(TRAILER_BYTES).ok_or("is too short for an Arrow file")?;
    let mut trailer = [0; TRAILER_BYTES];
    trailer.copy_from_slice(&bytes[trailer_at..]);
    let length = read_footer_length(trailer).map_err(text)?;
    let footer_at = trailer_at.checked_sub(length).ok_or("has a footer longer than itself")?;
    let footer =
        root_as_footer(&bytes[footer_at..trailer_at]).map_err(|e| format!("has a damaged footer: {e}"))?;
    let schema = footer.schema().ok_or("has no schema")?;
    let schema = Arc::new(try_fb_to_schema(schema).map_err(text)?);
    let said = schema.metadata().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let (identity, first, of) = StoreIdentity::read(&said, kind)?;
    identity.validate().map_err(|e| e.to_string())?;
    let blocks =
        footer.recordBatches().filter(|blocks| blocks.len() == 1).ok_or("has not one record batch")?;
    let block = blocks.get(0);
    let (offset, size) = (block.offset(), i64::from(block.metaDataLength()).checked_add(block.bodyLength()));
    let end = size.and_then(|size| offset.checked_add(size));
    let inside = offset >= 0 && block.metaDataLength() >= 0 && block.bodyLength() >= 0;
    if !inside || end.is_none_or(|end| end > footer_at as i64) {
        return Err("names a record batch outside of itself".into());
    }
    let data = bytes.slice_with_length(offset as usize, size.unwrap_or(0) as usize);
    let decoder = FileDecoder::new(schema, footer.version()).with_require_alignment(false);
    let batch = decoder.read_record_batch(block, &data).map_err(text)?.ok_or("has no record batch")?;
    Ok((identity, first, of, batch))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("has no column {name}"))
}

fn lists(batch: &RecordBatch, name: &str, identity: &StoreIdentity) -> Result<ArrayRef, String> {
    let lists = column(batch, name)?.as_any().downcast_ref::<FixedSizeListArray>();
    let lists = lists.ok_or_else(|| format!("column {name} is no fixed-size list"))?;
    if lists.value_length() as usize != identity.dimension || lists.null_count() > 0 {
        return Err(format!("column {name} has other sizes than the file says"));
    }
    Ok(lists.values().clone())
}

fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef, name: &str) -> Result<ScalarBuffer<T::Native>, String> {
    match array.as_any().downcast_ref::<PrimitiveArray<T>>() {
        Some(array)
            if array.null_count() == 0
                && matches!(
                    array.data_type(),
                    DataType::UInt32
                        | DataType::UInt64
                        | DataType::Int8
                        | DataType::Float32
                        | DataType::Float64
                ) =>
        {
            Ok(array.values().clone())
        }
        _ => Err(format!("column {name} has another type, or gaps")),
    }
}
