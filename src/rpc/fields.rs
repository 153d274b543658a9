//! Fields of a request that are not valid, collected: a call is refused once, with one violation for each field.
//!
//! A field that is wrong in form (its `buf.validate` rules) is not judged in meaning (the model) as well.

use std::collections::HashSet;

use crate::error::{Error, Violation};
use crate::rpc::status;

/// Results of reading fields: one, or a tuple of them.
pub(super) trait Fields {
    /// What the fields hold.
    type Values;

    /// The values; `None` when one is missing, whose error is then among `errors`.
    fn read(self, errors: &mut Vec<Error>) -> Option<Self::Values>;
}

impl<T> Fields for Result<T, Error> {
    type Values = T;

    fn read(self, errors: &mut Vec<Error>) -> Option<T> {
        self.map_err(|error| errors.push(error)).ok()
    }
}

macro_rules! fields {
    ($($field:ident: $type:ident),+) => {
        impl<$($type: Fields),+> Fields for ($($type,)+) {
            type Values = ($($type::Values,)+);

            fn read(self, errors: &mut Vec<Error>) -> Option<Self::Values> {
                let ($($field,)+) = self;
                // Each is read before the first `?`, because all errors are wanted.
                $(let $field = $field.read(errors);)+
                Some(($($field?,)+))
            }
        }
    };
}

fields!(a: A, b: B);
fields!(a: A, b: B, c: C);
fields!(a: A, b: B, c: C, d: D);

/// The values of all fields, or the one error that names every field that is not valid.
///
/// # Errors
/// See [`Error::Invalid`]; where a single field is wrong, the error that says so best.
pub(super) fn all<F: Fields>(fields: F) -> Result<F::Values, Error> {
    all_besides(Vec::new(), fields)
}

/// The same as [`all`], where fields have been found wrong in form before.
pub(super) fn all_besides<F: Fields>(form: Vec<Violation>, fields: F) -> Result<F::Values, Error> {
    let mut errors = Vec::new();
    let values = fields.read(&mut errors);
    if form.is_empty() && errors.len() <= 1 {
        return values.ok_or_else(|| errors.pop().unwrap_or_else(missing));
    }
    let form = Wrong::of(form);
    let meaning: Vec<_> = errors.iter().flat_map(status::violations).filter(|it| !form.covers(&it.field)).collect();
    let violations = Wrong::of(form.violations.into_iter().chain(meaning)).violations;
    if violations.is_empty() {
        // What is wrong is not a field: the first error is the answer.
        return values.ok_or_else(|| errors.into_iter().next().unwrap_or_else(missing));
    }
    // An error that is about one field says more than that the request is not valid.
    let only = errors.iter().position(|error| status::violations(error) == violations);
    Err(only.map_or(Error::Invalid(violations), |at| errors.swap_remove(at)))
}

fn missing() -> Error {
    Error::internal("a field was refused without a reason")
}

/// Violations, at most one for each path.
struct Wrong {
    violations: Vec<Violation>,
    /// The paths, and those of the fields that hold them.
    paths: HashSet<String>,
    /// The paths alone.
    exact: HashSet<String>,
}

impl Wrong {
    fn of(found: impl IntoIterator<Item = Violation>) -> Self {
        let mut wrong = Self { violations: Vec::new(), paths: HashSet::new(), exact: HashSet::new() };
        for violation in found {
            if wrong.exact.insert(violation.field.clone()) {
                wrong.paths.extend(lineage(&violation.field).map(str::to_owned));
                wrong.violations.push(violation);
            }
        }
        wrong
    }

    /// Whether this field, one that holds it, or one within it is among the wrong ones.
    fn covers(&self, field: &str) -> bool {
        self.paths.contains(field) || lineage(field).any(|path| self.exact.contains(path))
    }
}

/// A path, and the paths of the fields that hold it: `a.b[1]`, `a.b`, `a`.
fn lineage(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rfind(['.', '[']).and_then(|end| path.get(..end)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Error, Violation, all, all_besides, status};

    fn wrong(field: &str) -> Result<u8, Error> {
        Err(Error::invalid(field, "is wrong"))
    }

    fn named(error: &Error) -> Vec<String> {
        status::violations(error).into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn every_wrong_field_is_named() {
        assert_eq!(all((Ok(1), Ok("two"))).unwrap(), (1, "two"));
        let error = all((wrong("a"), Ok(2), all((wrong("b"), wrong("c"))))).unwrap_err();
        assert_eq!(named(&error), ["a", "b", "c"]);
    }

    #[test]
    fn a_field_is_named_once_and_not_in_meaning_when_its_form_is_wrong() {
        let form = ["a", "list[3]", "whole", "a"].map(|field| Violation::new(field, "has no such form"));
        let fields = (wrong("a"), wrong("list"), wrong("whole.part[1]"), wrong("other"));
        let error = all_besides(form.to_vec(), fields).unwrap_err();
        assert_eq!(named(&error), ["a", "list[3]", "whole", "other"]);
        // A name that only begins alike is another field.
        let error = all_besides(vec![Violation::new("a", "has no such form")], wrong("ab")).unwrap_err();
        assert_eq!(named(&error), ["a", "ab"]);
        let error = all_besides(vec![Violation::new("a", "has no such form")], Ok(())).unwrap_err();
        assert_eq!(named(&error), ["a"]);
    }

    #[test]
    fn a_single_wrong_field_keeps_its_own_error() {
        let rejected = || Error::PasswordRejected { field: "password", description: "is short".to_owned() };
        let alone = all((Ok(1), Err::<u8, _>(rejected()))).unwrap_err();
        assert!(matches!(alone, Error::PasswordRejected { .. }), "{alone:?}");
        let both = all((wrong("email"), Err::<u8, _>(rejected()))).unwrap_err();
        assert!(matches!(&both, Error::Invalid(_)) && named(&both) == ["email", "password"], "{both:?}");
    }

    #[test]
    fn what_is_no_field_is_told_when_the_fields_are_right() {
        let missing = || Err::<u8, _>(Error::LockoutNotFound);
        assert!(matches!(all((Ok(1), missing())).unwrap_err(), Error::LockoutNotFound));
        assert!(matches!(all((missing(), missing())).unwrap_err(), Error::LockoutNotFound));
        assert_eq!(named(&all((missing(), wrong("a"))).unwrap_err()), ["a"]);
    }
}
