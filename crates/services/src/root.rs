//! The root that an authority has made for itself. Its key signs the next certificate below it and nothing else, so it may be
//! kept elsewhere for years: `root.pem` alone is enough to go on.

use std::path::PathBuf;
use std::sync::Arc;

use signet_formats::x509::Certificate;
use signet_keys::PrivateKey;

use crate::authority::{AuthorityError, Issuer, ROOT, Subject, make_root};
use crate::key_files::KeyFiles;

/// The root of one directory.
pub(crate) struct Root {
    chain: Vec<Certificate>,
    /// `None` while its key is kept elsewhere.
    issuer: Option<Issuer>,
    key_path: PathBuf,
}

impl Root {
    /// The root that the directory holds; made if nothing was made there yet.
    pub(crate) async fn of_directory(
        files: &mut KeyFiles<'_>,
        name: &Subject<'_>,
        validity: (i64, i64),
    ) -> Result<Self, AuthorityError> {
        match files.chain(ROOT)? {
            Some(chain) => {
                files.note(ROOT)?;
                Self::new(files, files.key(ROOT)?, chain)
            }
            None if !files.is_empty() => Err(AuthorityError::Lost { path: files.chain_path(ROOT) }),
            None => {
                let (key, root) = make_root(name, validity).await?;
                files.write(ROOT, &key, std::slice::from_ref(&root))?;
                Self::new(files, Some(key), vec![root])
            }
        }
    }

    fn new(
        files: &KeyFiles<'_>,
        key: Option<PrivateKey>,
        chain: Vec<Certificate>,
    ) -> Result<Self, AuthorityError> {
        let issuer = key.map(|key| Issuer::new(Arc::new(key), chain.clone())).transpose()?;
        Ok(Self { chain, issuer, key_path: files.key_path(ROOT) })
    }

    /// When it ends.
    pub(crate) fn ends(&self) -> i64 {
        self.chain.first().map_or(0, Certificate::not_after)
    }

    /// What issues the next certificate. While its key is elsewhere an authority goes on with what it has, if that is anything,
    /// and says at each look what is missing.
    pub(crate) fn issuer(&self, is_first: bool) -> Result<Option<&Issuer>, AuthorityError> {
        if self.issuer.is_none() {
            let missing = AuthorityError::RootElsewhere { path: self.key_path.clone() };
            if is_first {
                return Err(missing);
            }
            tracing::error!("{missing}: put it back, and take it away again when that is done");
        }
        Ok(self.issuer.as_ref())
    }
}
