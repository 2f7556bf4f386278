//! The trusted roots of several instances, or of several times of one, in one.

use super::{Authority, LogInstance, MAX_INSTANCES, TrustedRoot, TrustedRootError, Validity};
use crate::proto_json::FieldError;

impl TrustedRoot {
    /// Adds the logs and authorities of `other` that this root has not. Of one that both have, what this one says
    /// of it counts. An error if there would be more than [`MAX_INSTANCES`] of a kind.
    pub fn add(&mut self, other: Self) -> Result<(), TrustedRootError> {
        let same_log =
            |a: &LogInstance, b: &LogInstance| (&a.log_id, &a.public_key) == (&b.log_id, &b.public_key);
        let same_authority = |a: &Authority, b: &Authority| a.chain == b.chain;
        add_to(&mut self.tlogs, other.tlogs, same_log, "tlogs")?;
        add_to(&mut self.ctlogs, other.ctlogs, same_log, "ctlogs")?;
        let (authorities, others) = (&mut self.certificate_authorities, other.certificate_authorities);
        add_to(authorities, others, same_authority, "certificateAuthorities")?;
        let (authorities, others) = (&mut self.timestamp_authorities, other.timestamp_authorities);
        Ok(add_to(authorities, others, same_authority, "timestampAuthorities")?)
    }

    /// The same root with nothing in it in use after the second `at`. What was to begin later is left out.
    #[must_use]
    pub fn retired(mut self, at: i64) -> Self {
        for logs in [&mut self.tlogs, &mut self.ctlogs] {
            logs.retain_mut(|log| log.validity.end_at(at));
        }
        for authorities in [&mut self.certificate_authorities, &mut self.timestamp_authorities] {
            authorities.retain_mut(|authority| authority.validity.end_at(at));
        }
        self
    }
}

impl Validity {
    /// Ends it at `at`, unless it ends before. Whether anything of it is left.
    fn end_at(&mut self, at: i64) -> bool {
        self.end = Some(self.end.map_or(at, |end| end.min(at)));
        self.start <= at
    }
}

fn add_to<T>(
    known: &mut Vec<T>,
    others: Vec<T>,
    same: impl Fn(&T, &T) -> bool,
    field: &'static str,
) -> Result<(), FieldError> {
    for other in others {
        if !known.iter().any(|one| same(one, &other)) {
            known.push(other);
        }
    }
    match known.len() {
        count if count > MAX_INSTANCES => Err(FieldError::Count { field, count, limit: MAX_INSTANCES }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::DigestAlgorithm;

    use super::super::Version;
    use super::*;
    use crate::rekor::PublicKeyDetails;

    fn log(id: u16, start: i64, end: Option<i64>) -> LogInstance {
        LogInstance {
            base_url: format!("https://log-{id}.example"),
            hash: DigestAlgorithm::Sha256,
            public_key: id.to_be_bytes().to_vec(),
            key_details: PublicKeyDetails::PkixEd25519,
            validity: Validity { start, end },
            log_id: id.to_be_bytes().to_vec(),
            checkpoint_key_id: None,
            operator: None,
        }
    }

    fn authority(chain: u8, start: i64) -> Authority {
        Authority {
            organization: String::new(),
            common_name: "ca".to_owned(),
            uri: String::new(),
            chain: vec![vec![chain]],
            validity: Validity { start, end: None },
            operator: None,
        }
    }

    fn root(logs: Vec<LogInstance>, authorities: Vec<Authority>) -> TrustedRoot {
        TrustedRoot {
            version: Version::V01,
            tlogs: logs,
            ctlogs: Vec::new(),
            certificate_authorities: authorities.clone(),
            timestamp_authorities: authorities,
        }
    }

    #[test]
    fn what_only_the_other_has_is_added_and_what_both_have_is_kept() {
        let mut ours = root(vec![log(1, 10, None)], vec![authority(1, 10)]);
        ours.add(root(vec![log(1, 5, Some(7)), log(2, 5, None)], vec![authority(2, 5), authority(1, 5)]))
            .unwrap();
        assert_eq!(ours.tlogs, [log(1, 10, None), log(2, 5, None)]);
        assert_eq!(ours.certificate_authorities, [authority(1, 10), authority(2, 5)]);
        assert_eq!(ours.timestamp_authorities, ours.certificate_authorities);
    }

    /// A log's id may be anything that somebody wrote: one of another key is another log.
    #[test]
    fn a_log_of_the_same_id_and_another_key_is_another() {
        let mut impostor = log(1, 10, None);
        impostor.public_key = vec![9];
        let mut ours = root(vec![log(1, 10, None)], Vec::new());
        ours.add(root(vec![impostor.clone()], Vec::new())).unwrap();
        assert_eq!(ours.tlogs, [log(1, 10, None), impostor]);
    }

    #[test]
    fn what_is_retired_ends_and_is_never_prolonged() {
        let logs = vec![log(1, 10, None), log(2, 10, Some(15)), log(3, 10, Some(90)), log(4, 21, None)];
        let retired = root(logs, vec![authority(1, 20), authority(2, 21)]).retired(20);
        assert_eq!(retired.tlogs, [log(1, 10, Some(20)), log(2, 10, Some(15)), log(3, 10, Some(20))]);
        let ended = Authority { validity: Validity { start: 20, end: Some(20) }, ..authority(1, 20) };
        assert_eq!(retired.certificate_authorities, [ended]);
    }

    #[test]
    fn there_is_a_limit_to_how_much_one_root_has() {
        let most = u16::try_from(MAX_INSTANCES).unwrap();
        let mut ours = root((1..most).map(|id| log(id, 1, None)).collect(), Vec::new());
        ours.add(root(vec![log(most, 1, None)], Vec::new())).unwrap();
        let more = ours.add(root(vec![log(most + 1, 1, None)], Vec::new()));
        assert!(matches!(more, Err(TrustedRootError::Field(FieldError::Count { .. }))), "{more:?}");
    }
}
