//! IntrospectToken: whether a user's access token is good, and whose it is, for services that do not check it themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{authenticate, roles};
use crate::app::App;
use crate::error::{Error, TokenRefusal};
use crate::token::access::AccessClaims;

/// What there is to know about a token.
#[derive(Debug)]
pub enum Introspection {
    /// It is good.
    Active {
        /// What it says.
        claims: Arc<AccessClaims>,
        /// What the roles in it permit at this moment.
        permissions: BTreeSet<String>,
    },
    /// It is not, for this reason.
    Inactive(TokenRefusal),
}

/// Looks into a token, wherever it is presented. Costs what authenticating with it does: no I/O, as a rule.
///
/// # Errors
/// A failure of ours. A token that is not good is none.
pub async fn introspect(app: &App, access_token: &str) -> Result<Introspection, Error> {
    match good(app, access_token).await {
        Ok(claims) => {
            let permissions = roles::permissions_of(app, &claims.grant.roles).await?;
            Ok(Introspection::Active { claims, permissions })
        }
        Err(Error::Token(refusal)) => Ok(Introspection::Inactive(refusal)),
        Err(error) => Err(error),
    }
}

async fn good(app: &App, access_token: &str) -> Result<Arc<AccessClaims>, Error> {
    let claims = authenticate::unexpired(app, access_token).await?;
    if authenticate::is_revoked(app, &claims.grant, &claims.key_id).await? {
        return Err(TokenRefusal::Revoked.into());
    }
    Ok(claims)
}
