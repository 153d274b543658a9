//! Parameters of a statement, in PostgreSQL's binary format.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use diesel::QueryResult;
use diesel::pg::{FailedToLookupTypeError, Pg, PgMetadataCacheKey, PgMetadataLookup, PgTypeMetadata};
use diesel::query_builder::QueryFragment;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

/// The parameters of one statement, with their types.
pub(super) struct Parameters {
    types: Vec<PgTypeMetadata>,
    values: Vec<Option<Vec<u8>>>,
}

impl Parameters {
    /// The parameters of this query.
    pub(super) fn of<T: QueryFragment<Pg>>(query: &T) -> QueryResult<Self> {
        let mut collector = RawBytesBindCollector::<Pg>::new();
        query.collect_binds(&mut collector, &mut BuiltInTypes, &Pg)?;
        Ok(Self { types: collector.metadata, values: collector.binds })
    }

    /// The types, in the order of the parameters.
    pub(super) fn types(&self) -> QueryResult<Vec<Type>> {
        self.types.iter().map(type_of).collect()
    }

    /// The values, in the order of the parameters.
    pub(super) fn into_values(self) -> impl ExactSizeIterator<Item = Value> {
        self.values.into_iter().map(Value)
    }
}

fn type_of(metadata: &PgTypeMetadata) -> QueryResult<Type> {
    let oid = metadata.oid().map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
    Ok(Type::from_oid(oid).unwrap_or_else(|| Type::new(String::new(), oid, Kind::Simple, String::new())))
}

/// The schema has no types of its own, so that no type is ever looked up in the database.
struct BuiltInTypes;

impl PgMetadataLookup for BuiltInTypes {
    fn lookup_type(&mut self, name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let key = PgMetadataCacheKey::new(schema.map(Cow::Borrowed), Cow::Borrowed(name)).into_owned();
        PgTypeMetadata::from_result(Err(FailedToLookupTypeError::new(key)))
    }
}

/// A value that Diesel has serialized.
pub(super) struct Value(Option<Vec<u8>>);

/// Shows nothing, because the driver logs parameters and some are secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

impl ToSql for Value {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
