//! The certificates of a CA: one root, and intermediates that follow each other.

use std::sync::Arc;

use signet_crypto::KeyAlgorithm;
use signet_formats::x509::{Certificate, NewExtension, TbsCertificate, key_id, oid};
use signet_keys::PrivateKey;
use signet_store::DataDir;

use crate::authority::{
    AuthorityError, CRL_SIGN, Issuer, KEY_CERT_SIGN, Subject, each_issued_by_the_next, is_issued_by,
    random_serial, refuse_directory, take_given,
};
use crate::key_files::KeyFiles;
use crate::root::Root;
use crate::succession::{Certified, active, needs_next};

/// What a CA issues with: never empty, the oldest intermediate first.
#[derive(Clone)]
pub struct Hierarchy(Vec<Issuer>);

impl Hierarchy {
    /// One issuer whose key and chain come from elsewhere. Refused is what no verifier would take a certificate from at this
    /// time (RFC 5280 §6.1).
    pub fn given(issuer: Issuer, now: i64) -> Result<Self, AuthorityError> {
        match objection(issuer.chain(), now) {
            Some(why) => Err(AuthorityError::NotACa { why }),
            None => Ok(Self(vec![issuer])),
        }
    }

    /// The same, as the directory says from now on.
    pub(super) fn taken_by(self, dir: &DataDir, development: bool) -> Result<Self, AuthorityError> {
        self.chains().try_for_each(|chain| take_given(dir, chain, development))?;
        Ok(self)
    }

    /// The hierarchy that `dir` holds; made if there is none. An intermediate near its end is followed
    /// by a new one.
    pub(super) async fn of_directory(
        dir: &DataDir,
        now: i64,
        development: bool,
    ) -> Result<Self, AuthorityError> {
        let subject = Subject { organization: "Signet", common_name: name(development) };
        refuse_directory(dir, false, development)?;
        let mut files = KeyFiles::open(dir.disk(), dir.path())?;
        let name = Subject { common_name: &format!("{} root", subject.common_name), ..subject };
        let start = now - CLOCKS_DIFFER;
        let root = Root::of_directory(&mut files, &name, (start, start + ROOT_LIFE)).await?;
        let mut issuers = Vec::new();
        while let Some((key, chain)) = files.read(&intermediate(issuers.len()))? {
            issuers.push(Issuer::new(Arc::new(key), chain)?);
        }
        if needs_next(&issuers, root.ends(), now)
            && let Some(root) = root.issuer(issuers.is_empty())?
        {
            let name = intermediate(issuers.len());
            issuers.push(make_intermediate(&mut files, &name, root, &subject, now).await?);
        }
        files.settle()?;
        Ok(Self(issuers))
    }

    /// The issuer to use now.
    pub fn active(&self, now: i64) -> Option<&Issuer> {
        active(&self.0, now)
    }

    /// The first issuer, which is the only one if it was given.
    pub(super) fn first(&self) -> Option<&Issuer> {
        self.0.first()
    }

    /// The chains that verifiers need to know: all whose issuer may have issued something that matters.
    pub fn chains(&self) -> impl Iterator<Item = &[Certificate]> {
        self.0.iter().map(Issuer::chain)
    }
}

impl Certified for Issuer {
    fn certificate(&self) -> Option<&Certificate> {
        Self::certificate(self)
    }
}

async fn make_intermediate(
    files: &mut KeyFiles<'_>,
    name: &str,
    root: &Issuer,
    subject: &Subject<'_>,
    now: i64,
) -> Result<Issuer, AuthorityError> {
    let own = root.certificate().ok_or(AuthorityError::EmptyChain)?;
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(AuthorityError::Key)?;
    let start = now - CLOCKS_DIFFER;
    let tbs = TbsCertificate {
        serial: random_serial()?,
        issuer: own.subject().der().to_vec(),
        subject: subject.to_der(),
        not_before: start,
        not_after: (start + INTERMEDIATE_LIFE).min(own.not_after()),
        key: key.public_key().clone(),
        extensions: vec![
            NewExtension::key_usage(&[KEY_CERT_SIGN, CRL_SIGN]),
            NewExtension::purpose(oid::CODE_SIGNING, false),
            NewExtension::certificate_authority(Some(0)),
            NewExtension::subject_key_id(&key_id(key.public_key())),
            NewExtension::authority_key_id(own.subject_key_id().unwrap_or_default()),
        ],
    };
    let chain = [vec![root.issue(&tbs).await?], root.chain().to_vec()].concat();
    files.write(name, &key, &chain)?;
    Issuer::new(Arc::new(key), chain)
}

/// What is wrong with a chain whose first certificate is to issue others.
fn objection(chain: &[Certificate], now: i64) -> Option<&'static str> {
    let signs_code = |certificate: &Certificate| {
        certificate.extended_key_usage().is_none_or(|usage| usage.purposes.contains(&oid::CODE_SIGNING))
    };
    let rules = [
        (chain.iter().all(Certificate::may_issue), "not all of them may issue certificates"),
        (chain.iter().all(signs_code), "the purposes of one of them leave out code signing"),
        (each_issued_by_the_next(chain), "they are not each issued by the next"),
        (
            chain.last().is_some_and(|root| is_issued_by(root, root)),
            "the last is not a root, issued by itself",
        ),
        (is_short_enough(chain), "there are more below one of them than it allows"),
        (chain.iter().all(|it| it.is_valid_at(now)), "not all of them are valid now"),
    ];
    rules.into_iter().find_map(|(holds, why)| (!holds).then_some(why))
}

/// Whether below each there are as few intermediates as it allows; those that only renew a name do not count (RFC 5280 §6.1.4).
fn is_short_enough(chain: &[Certificate]) -> bool {
    let mut below = 0;
    chain.iter().all(|certificate| {
        let most = certificate.basic_constraints().and_then(|constraints| constraints.path_len);
        let fits = most.is_none_or(|most| below <= most);
        below += u64::from(certificate.issuer().der() != certificate.subject().der());
        fits
    })
}

fn name(development: bool) -> &'static str {
    match development {
        true => "Signet development certificate authority",
        false => "Signet certificate authority",
    }
}

fn intermediate(number: usize) -> String {
    format!("intermediate-{number}")
}

/// Verifiers' clocks may be behind ours.
const CLOCKS_DIFFER: i64 = 5 * 60;
const DAY: i64 = 24 * 60 * 60;
const INTERMEDIATE_LIFE: i64 = 3 * 365 * DAY;
const ROOT_LIFE: i64 = 10 * 365 * DAY;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use signet_store::Kind;

    use super::*;
    use crate::key_files;

    const NOW: i64 = 1_795_000_000;

    async fn open(dir: &Path, now: i64) -> Hierarchy {
        let dir = DataDir::open(dir, Kind::Ca).unwrap();
        Hierarchy::of_directory(&dir, now, false).await.unwrap()
    }

    fn serial(hierarchy: &Hierarchy, now: i64) -> Vec<u8> {
        hierarchy.active(now).unwrap().certificate().unwrap().serial().to_vec()
    }

    #[tokio::test]
    async fn an_intermediate_is_followed_by_one_that_verifiers_learn_of_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), NOW).await;
        let again = open(dir.path(), NOW + DAY).await;
        assert_eq!(serial(&first, NOW), serial(&again, NOW + DAY), "the same after a restart");
        let near_end = NOW + INTERMEDIATE_LIFE - 59 * DAY;
        let both = open(dir.path(), near_end).await;
        assert_eq!(both.chains().count(), 2);
        assert_eq!(serial(&both, near_end), serial(&first, NOW), "the old one goes on");
        let later = near_end + 7 * DAY;
        assert_ne!(serial(&both, later), serial(&first, NOW), "then the new one takes over");
        assert!(both.active(NOW + INTERMEDIATE_LIFE + DAY).is_some());
        assert_eq!(open(dir.path(), later).await.chains().count(), 2, "one follower is enough");
    }

    /// As operators are told to keep it.
    #[tokio::test]
    async fn a_root_whose_key_is_elsewhere_is_gone_on_with_and_never_replaced() {
        let (dir, aside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = open(dir.path(), NOW).await;
        let (root, key) = (fs::read(dir.path().join("root.pem")).unwrap(), aside.path().join("root.key"));
        fs::rename(dir.path().join("root.key"), &key).unwrap();
        let again = open(dir.path(), NOW).await;
        assert_eq!(serial(&again, NOW), serial(&first, NOW));
        let near_end = NOW + INTERMEDIATE_LIFE - 59 * DAY;
        assert_eq!(open(dir.path(), near_end).await.chains().count(), 1, "the next one has to wait");
        assert_eq!(key_files::fsck(dir.path()), Vec::<String>::new());

        for name in ["intermediate-0.key", "intermediate-0.pem", "made.json"] {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
        for _ in 0..2 {
            let data = DataDir::open(dir.path(), Kind::Ca).unwrap();
            let refused = Hierarchy::of_directory(&data, NOW, false).await.err();
            assert!(
                matches!(refused, Some(AuthorityError::RootElsewhere { path }) if path.ends_with("root.key"))
            );
            assert_eq!(fs::read(dir.path().join("root.pem")).unwrap(), root);
        }
        fs::rename(&key, dir.path().join("root.key")).unwrap();
        let changed = open(dir.path(), NOW).await;
        assert_ne!(serial(&changed, NOW), serial(&first, NOW));
        assert_eq!(changed.chains().next().unwrap()[1], first.chains().next().unwrap()[1], "the same root");
        assert_eq!(key_files::fsck(dir.path()), Vec::<String>::new());
    }

    #[tokio::test]
    async fn no_root_is_made_above_what_another_root_issued() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), NOW).await;
        let key = fs::read(dir.path().join("root.key")).unwrap();
        for name in ["root.pem", "made.json"] {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
        let data = DataDir::open(dir.path(), Kind::Ca).unwrap();
        let refused = Hierarchy::of_directory(&data, NOW, false).await.err();
        assert!(matches!(refused, Some(AuthorityError::Lost { path }) if path.ends_with("root.pem")));
        assert_eq!(fs::read(dir.path().join("root.key")).unwrap(), key);
    }

    #[tokio::test]
    async fn near_the_end_of_the_root_intermediates_do_not_pile_up() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), NOW).await;
        let near_end = NOW + ROOT_LIFE - 59 * DAY;
        let last = open(dir.path(), near_end).await.chains().count();
        assert_eq!(last, 2, "the first has ended, and one lasts as long as the root");
        assert_eq!(open(dir.path(), near_end + DAY).await.chains().count(), last);
    }

    #[tokio::test]
    async fn nothing_is_issued_after_the_end_of_all() {
        let dir = tempfile::tempdir().unwrap();
        let hierarchy = open(dir.path(), NOW).await;
        assert!(hierarchy.active(NOW + INTERMEDIATE_LIFE + DAY).is_none());
        assert!(hierarchy.active(NOW - DAY).is_none());
    }
}
