//! Cache of the statements that are prepared on one connection.

use std::any::TypeId;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use diesel::QueryResult;
use diesel::pg::{Pg, PgQueryBuilder};
use diesel::query_builder::{QueryBuilder, QueryFragment, QueryId};
use tokio_postgres::Statement;
use tokio_postgres::types::Type;

use super::parameters::Parameters;

/// A prepared statement, with the types of its columns.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) statement: Statement,
    pub(super) columns: Arc<[NonZeroU32]>,
}

impl Prepared {
    pub(super) fn new(statement: Statement) -> Self {
        // The server knows no type with the number 0.
        let oid = |column: &tokio_postgres::Column| NonZeroU32::new(column.type_().oid()).unwrap_or(NonZeroU32::MIN);
        let columns = statement.columns().iter().map(oid).collect();
        Self { statement, columns }
    }
}

/// What a statement is found by: its Rust type where its SQL never varies, else its SQL and the types of its parameters.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Key {
    Query(TypeId),
    Text(String, Vec<u32>),
}

/// A statement that is prepared already, or what is needed to prepare it. Without a key it is not kept.
pub(super) enum Source {
    Prepared(Prepared),
    New { key: Option<Key>, sql: String, types: Vec<Type> },
}

/// The statements of one connection.
pub(super) struct Statements {
    prepared: HashMap<Key, Prepared>,
    kept: bool,
}

impl Default for Statements {
    fn default() -> Self {
        Self { prepared: HashMap::new(), kept: true }
    }
}

impl Statements {
    /// Finds a query among the statements that are prepared. The SQL is only built where it is needed.
    pub(super) fn find<T: QueryFragment<Pg> + QueryId>(
        &self,
        query: &T,
        parameters: &Parameters,
    ) -> QueryResult<Source> {
        if !self.kept || !query.is_safe_to_cache_prepared(&Pg)? {
            return Ok(Source::New { key: None, sql: sql_of(query)?, types: parameters.types()? });
        }
        if let Some(id) = T::query_id() {
            let key = Key::Query(id);
            return match self.prepared.get(&key) {
                Some(prepared) => Ok(Source::Prepared(prepared.clone())),
                None => Ok(Source::New { key: Some(key), sql: sql_of(query)?, types: parameters.types()? }),
            };
        }
        let (sql, types) = (sql_of(query)?, parameters.types()?);
        let key = Key::Text(sql.clone(), types.iter().map(Type::oid).collect());
        match self.prepared.get(&key) {
            Some(prepared) => Ok(Source::Prepared(prepared.clone())),
            None => Ok(Source::New { key: Some(key), sql, types }),
        }
    }

    pub(super) fn insert(&mut self, key: Key, prepared: Prepared) {
        self.prepared.insert(key, prepared);
    }

    /// Says whether statements are kept from now on.
    pub(super) fn keep(&mut self, kept: bool) {
        self.kept = kept;
        if !kept {
            self.prepared.clear();
        }
    }
}

fn sql_of<T: QueryFragment<Pg>>(query: &T) -> QueryResult<String> {
    let mut builder = PgQueryBuilder::default();
    query.to_sql(&mut builder, &Pg)?;
    Ok(builder.finish())
}
