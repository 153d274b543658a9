//! A row of an answer, as Diesel reads rows.

use std::error::Error;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use diesel::pg::{Pg, PgValue};
use diesel::row::{Field as DieselField, PartialRow, Row as DieselRow, RowIndex, RowSealed};
use tokio_postgres::types::{FromSql, Type};

/// One row, with the types of its columns.
#[derive(Debug)]
pub struct Row {
    row: tokio_postgres::Row,
    columns: Arc<[NonZeroU32]>,
}

impl Row {
    pub(super) fn new(row: tokio_postgres::Row, columns: Arc<[NonZeroU32]>) -> Self {
        Self { row, columns }
    }
}

impl RowSealed for Row {}

impl<'a> DieselRow<'a, Pg> for Row {
    type Field<'f>
        = Field<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.columns.len()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Self::Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        let index = self.idx(index)?;
        Some(Field { row: &self.row, index, column: self.columns.get(index)? })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self::InnerPartialRow> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for Row {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.columns.len()).then_some(index)
    }
}

impl<'a> RowIndex<&'a str> for Row {
    fn idx(&self, name: &'a str) -> Option<usize> {
        self.row.columns().iter().position(|column| column.name() == name)
    }
}

/// One field of a row.
#[derive(Debug)]
pub struct Field<'a> {
    row: &'a tokio_postgres::Row,
    index: usize,
    column: &'a NonZeroU32,
}

impl<'a> DieselField<'a, Pg> for Field<'a> {
    fn field_name(&self) -> Option<&str> {
        self.row.columns().get(self.index).map(tokio_postgres::Column::name)
    }

    fn value(&self) -> Option<PgValue<'_>> {
        let Bytes(bytes) = self.row.try_get(self.index).ok()?;
        bytes.map(|bytes| PgValue::new(bytes, self.column))
    }
}

/// The bytes of a field, whatever its type; none for NULL.
struct Bytes<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(bytes)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
