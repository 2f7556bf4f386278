//! Which services a signer uses.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use super::Service;

/// How many of the services that could be used are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// All of them, one of each operator.
    All,
    /// Any one.
    Any,
    /// As many as this, each of another operator; never 0.
    Exact(u32),
}

/// The services to use at the second `at`, in the order of preference.
///
/// The rule of `sigstore_trustroot.proto`: of the versions in `supported` the highest that any valid
/// service has; of each operator the service that became valid last; of those, as many as the selector says.
pub fn select<'a>(
    services: &'a [Service],
    selector: Selector,
    supported: &[u32],
    at: i64,
) -> Result<Vec<&'a Service>, SelectionError> {
    let valid = || {
        let usable = |service: &&Service| supported.contains(&service.api_version);
        services.iter().filter(usable).filter(move |service| service.validity.contains(at))
    };
    let highest = valid().map(|service| service.api_version).max().ok_or(SelectionError::None)?;
    let mut chosen: Vec<&Service> = valid().filter(|service| service.api_version == highest).collect();
    chosen.sort_by_key(|service| Reverse(service.validity.start));
    let mut operators = BTreeSet::new();
    chosen.retain(|service| operators.insert(service.operator.as_str()));
    match selector {
        Selector::All => {}
        Selector::Any => chosen.truncate(1),
        Selector::Exact(wanted) => {
            let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
            if chosen.len() < wanted {
                return Err(SelectionError::TooFew { wanted, found: chosen.len() });
            }
            chosen.truncate(wanted);
        }
    }
    Ok(chosen)
}

/// Why no services could be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectionError {
    /// None is valid and speaks a version that is understood.
    None,
    /// Not enough operators have one.
    TooFew {
        /// How many the config demands.
        wanted: usize,
        /// How many operators have a service that could be used.
        found: usize,
    },
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none is valid now and speaks a version that is understood"),
            Self::TooFew { wanted, found } => {
                write!(f, "{wanted} of different operators are demanded, and {found} can be used now")
            }
        }
    }
}

impl std::error::Error for SelectionError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trusted_root::Validity;

    fn service(url: &str, api_version: u32, operator: &str, start: i64, end: Option<i64>) -> Service {
        let (url, operator) = (url.to_owned(), operator.to_owned());
        Service { url, api_version, operator, validity: Validity { start, end } }
    }

    fn urls(
        services: &[Service],
        selector: Selector,
        supported: &[u32],
        at: i64,
    ) -> Result<Vec<String>, SelectionError> {
        select(services, selector, supported, at)
            .map(|chosen| chosen.into_iter().map(|service| service.url.clone()).collect())
    }

    #[test]
    fn the_highest_version_then_the_newest_of_each_operator_is_chosen() {
        let services = [
            service("old", 2, "a", 1, None),
            service("ended", 2, "a", 5, Some(9)),
            service("new", 2, "a", 7, None),
            service("later", 2, "a", 20, None),
            service("other", 2, "b", 3, None),
            service("v1", 1, "c", 8, None),
            service("v3", 3, "d", 8, None),
        ];
        let both = [1, 2];
        assert_eq!(urls(&services, Selector::All, &both, 10).unwrap(), ["new", "other"]);
        assert_eq!(urls(&services, Selector::Any, &both, 10).unwrap(), ["new"]);
        assert_eq!(urls(&services, Selector::Exact(2), &both, 10).unwrap(), ["new", "other"]);
        assert_eq!(urls(&services, Selector::Exact(1), &[1], 10).unwrap(), ["v1"]);
        let few = SelectionError::TooFew { wanted: 3, found: 2 };
        assert_eq!(urls(&services, Selector::Exact(3), &both, 10), Err(few));
        assert_eq!(urls(&services, Selector::All, &both, 0), Err(SelectionError::None));
        assert_eq!(urls(&services, Selector::All, &[9], 10), Err(SelectionError::None));
        assert_eq!(urls(&[], Selector::Any, &both, 10), Err(SelectionError::None));
    }

    proptest! {
        #[test]
        fn what_is_chosen_is_valid_and_of_distinct_operators(
            parts in proptest::collection::vec((0_u32..4, 0_u8..3, 0_i64..9, proptest::option::of(0_i64..9)), 0..9),
            exact in 1_u32..4,
        ) {
            let services: Vec<Service> = parts
                .into_iter()
                .map(|(version, operator, start, end)| service("u", version, &operator.to_string(), start, end))
                .collect();
            for selector in [Selector::All, Selector::Any, Selector::Exact(exact)] {
                let Ok(chosen) = select(&services, selector, &[1, 2], 5) else { continue };
                let operators: BTreeSet<_> = chosen.iter().map(|service| &service.operator).collect();
                prop_assert_eq!(operators.len(), chosen.len());
                prop_assert!(chosen.iter().all(|service| service.validity.contains(5)));
                prop_assert!(!chosen.is_empty());
            }
        }
    }
}
