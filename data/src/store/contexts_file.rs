//! `contexts.arrow`: where each context lies in the corpus and in the store.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt16Type, UInt32Type};
use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt16Array, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::error::failed;
use super::{CONTEXTS, Manifest, PlannedContext, StoreError, layout};

fn schema() -> SchemaRef {
    let field = |name: &str, kind| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        field("document", DataType::UInt32),
        field("document_id", DataType::Utf8),
        field("start", DataType::UInt32),
        field("len", DataType::UInt16),
        field("shard", DataType::UInt32),
        field("row", DataType::UInt32),
    ]))
}

/// Writes the table and returns its digest.
pub(super) fn write(folder: &Path, contexts: &[PlannedContext]) -> Result<String, StoreError> {
    let path = folder.join(CONTEXTS);
    let numbers =
        |of: fn(&PlannedContext) -> u32| -> ArrayRef { Arc::new(contexts.iter().map(of).collect::<UInt32Array>()) };
    let columns: Vec<ArrayRef> = vec![
        numbers(|context| context.document),
        Arc::new(contexts.iter().map(|context| Some(&context.document_id)).collect::<StringArray>()),
        numbers(|context| context.start),
        Arc::new(contexts.iter().map(|context| context.len).collect::<UInt16Array>()),
        numbers(|context| context.shard),
        numbers(|context| context.row),
    ];
    let batch = RecordBatch::try_new(schema(), columns).expect("all columns have one value per context");
    let part = path.with_extension("part");
    let (_, digest) = layout::write_file(&part, &batch).map_err(failed("write", &path))?;
    std::fs::rename(&part, &path).map_err(failed("write", &path))?;
    Ok(digest)
}

/// Whether the file is there with the digest that the manifest states.
pub(super) fn is_whole(folder: &Path, manifest: &Manifest) -> bool {
    layout::map(&folder.join(CONTEXTS))
        .is_ok_and(|map| blake3::hash(&map).to_hex().as_str() == manifest.contexts_blake3)
}

/// Reads the table; its digest was checked.
pub(super) fn read(folder: &Path, manifest: &Manifest) -> Result<Vec<PlannedContext>, StoreError> {
    let path = folder.join(CONTEXTS);
    let map = layout::map(&path).map_err(failed("read", &path))?;
    let damaged = || StoreError::Damaged { path: folder.to_path_buf(), files: vec![CONTEXTS.to_owned()] };
    let batch = layout::read_batch(Arc::new(map), &schema(), manifest.contexts.count).map_err(|_| damaged())?;
    let number = |column: usize, row: usize| batch.column(column).as_primitive::<UInt32Type>().value(row);
    let (ids, lengths) = (batch.column(1).as_string::<i32>(), batch.column(3).as_primitive::<UInt16Type>());
    let context = |row: usize| PlannedContext {
        document: number(0, row),
        document_id: ids.value(row).to_owned(),
        start: number(2, row),
        len: lengths.value(row),
        shard: number(4, row),
        row: number(5, row),
    };
    let contexts: Vec<PlannedContext> = (0..batch.num_rows()).map(context).collect();
    let bos = u64::from(manifest.contexts.bos.is_some());
    let inside = |context: &PlannedContext| {
        let end = u64::from(context.row) + u64::from(context.len) + bos;
        manifest.shards.get(context.shard as usize).is_some_and(|shard| end <= shard.rows)
    };
    if contexts.iter().all(inside) { Ok(contexts) } else { Err(damaged()) }
}
