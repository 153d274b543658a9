//! Hand-written SQL that is prepared once per connection.
//!
//! Diesel does not cache the prepared statement of an UPDATE, an upsert or a `sql_query`: each call costs a parse, a plan
//! and a round trip more. A type of its own with a static query id does not, at the price that its SQL never varies.

/// Defines a statement: its parameters with their SQL types (`$1` is the first), its columns, its text.
macro_rules! statement {
    (
        $(#[$meta:meta])*
        $name:ident { $($field:ident: $rust:ty => $sql:ty),* $(,)? } -> ($($column:ty),* $(,)?)
        $($text:expr),+ $(,)?
    ) => {
        $(#[$meta])*
        struct $name {
            $($field: $rust),*
        }

        impl diesel::query_builder::QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::Query for $name {
            type SqlType = ($($column,)*);
        }

        impl diesel::query_builder::QueryFragment<diesel::pg::Pg> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                out.push_sql(concat!($($text),+));
                $(out.push_bind_param_value_only::<$sql, _>(&self.$field)?;)*
                Ok(())
            }
        }
    };
}

pub(super) use statement;
