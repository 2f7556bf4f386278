//! Drafting and signing roots.

use std::path::{Path, PathBuf};

use signet_crypto::PublicKey;
use signet_formats::tuf::{Key, MAX_ROOT_BYTES, Metadata, Role, Root};
use signet_keys::KeyReference;
use signet_services::trust::{OnlineKey, Publisher, RootPlan, Standing, countersign};
use signet_verify::Code;

use super::{moment, publisher};
use crate::args::{DraftArgs, TrustCreateArgs, TrustRotateArgs, TrustSignArgs};
use crate::document::{TrustPrevious, TrustRootDocument};
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::{clock, files, key_file, password};

/// Makes a repository and drafts its first root.
pub(super) async fn create(args: &TrustCreateArgs, face: Face) -> Answer {
    let publisher = publisher(&args.data)?;
    if !args.draft.rehearse && publisher.root()?.is_some() {
        let detail = format!("`{}` has a published root", args.data.display());
        return Err(CliError::new(Code::WouldOverwrite, detail)
            .hint("draft the next one with `signet trust rotate`")
            .into());
    }
    let root_keys = keys(&args.root_key)?;
    let majority = u64::try_from(root_keys.len() / 2 + 1).unwrap_or(u64::MAX);
    let online = match &args.online_key {
        Some(key) => named(key).await?,
        None => OnlineKey::make()?,
    };
    let plan = RootPlan {
        threshold: args.threshold.unwrap_or(majority),
        root_keys,
        online_key: online.public_key().clone(),
        expires: in_days(args.expires_days),
    };
    let drafting = Drafting { new_online_key: Some(online), previous: None, how: &args.draft };
    drafting.run(&publisher, &plan, face)
}

/// Drafts the next root.
pub(super) async fn rotate(args: &TrustRotateArgs, face: Face) -> Answer {
    let publisher = publisher(&args.data)?;
    let current = publisher.root()?.ok_or_else(|| no_root(&args.data))?;
    let mut plan = RootPlan::of(&current)?;
    for key in keys(&args.remove_root_key)? {
        if !plan.root_keys.contains(&key) {
            let detail = format!("the root does not name the key {}", key.id());
            return Err(CliError::new(Code::UsageInvalid, detail).into());
        }
        plan.root_keys.retain(|other| *other != key);
    }
    plan.root_keys.extend(keys(&args.add_root_key)?);
    plan.threshold = args.threshold.unwrap_or(plan.threshold);
    plan.expires = in_days(args.expires_days);
    let new_online_key = match (&args.online_key, args.new_online_key) {
        (Some(key), _) => Some(named(key).await?),
        (None, true) => Some(OnlineKey::make()?),
        (None, false) => None,
    };
    if let Some(key) = &new_online_key {
        plan.online_key = key.public_key().clone();
    }
    Drafting { new_online_key, previous: Some(&current), how: &args.draft }.run(&publisher, &plan, face)
}

/// How a root is drafted.
struct Drafting<'a> {
    new_online_key: Option<OnlineKey>,
    previous: Option<&'a Metadata<Root>>,
    how: &'a DraftArgs,
}

impl Drafting<'_> {
    fn run(&self, publisher: &Publisher, plan: &RootPlan, face: Face) -> Answer {
        let DraftArgs { rehearse, replace } = *self.how;
        let root = match rehearse {
            true => plan.draft(self.previous)?,
            false => publisher.stage(plan, self.new_online_key.as_ref(), replace)?,
        };
        let document = standing(&publisher.staged_root(), &root, self.previous, rehearse)?;
        face.result(&document, text)?;
        if !rehearse {
            face.note(
                "next: each signer runs `signet trust sign --key KEY FILE`, then `signet trust publish`",
            )?;
        }
        Ok(Status::Yes)
    }
}

/// Signs a drafted root.
pub(super) async fn sign(args: &TrustSignArgs, face: Face) -> Answer {
    let mut root = read_root(&args.file)?;
    let previous = args.previous.as_deref().map(read_root).transpose()?;
    let key = key_file::signer(&args.key, &password::source(&args.password)).await?;
    countersign(&mut root, previous.as_ref(), &*key).await?;
    if !args.rehearse {
        replace(&args.file, root.to_json().as_bytes())?;
    }
    let document = standing(&args.file, &root, previous.as_ref(), args.rehearse)?;
    face.result(&document, text)?;
    Ok(Status::Yes)
}

fn standing(
    file: &Path,
    root: &Metadata<Root>,
    previous: Option<&Metadata<Root>>,
    rehearsed: bool,
) -> Result<TrustRootDocument, CliError> {
    let standing = Standing::of(root, previous)?;
    let met =
        |signed: &[String], threshold: u64| u64::try_from(signed.len()).is_ok_and(|count| count >= threshold);
    let before_met = match &standing.previous {
        Some((signed, threshold)) => met(signed, *threshold),
        // Of a root that follows another one, that other is not known here.
        None => root.version == 1,
    };
    let ids = |role| root.body.role(role).map(|keys| keys.keyids.clone()).unwrap_or_default();
    Ok(TrustRootDocument {
        file: file.display().to_string(),
        version: root.version,
        expires: moment(root.expires),
        keys: root.body.keys.iter().filter_map(|(id, key)| Some((id.clone(), fingerprint(key)?))).collect(),
        root_keys: ids(Role::Root),
        online_keys: ids(Role::Timestamp),
        complete: before_met && met(&standing.signed, standing.threshold),
        threshold: standing.threshold,
        signed: standing.signed,
        previous: standing.previous.map(|(signed, threshold)| TrustPrevious { threshold, signed }),
        rehearsed,
    })
}

/// What `signet keys inspect` prints of a key, by which its holder knows it.
fn fingerprint(key: &Key) -> Option<String> {
    key.usable().map(|(key, _)| key.id().to_string())
}

fn text(root: &TrustRootDocument) -> String {
    let TrustRootDocument { file, version, expires, threshold, .. } = root;
    let mut lines = vec![
        format!("root version {version} in `{file}`, until {expires}"),
        format!("{} of {threshold} signatures by its own keys:", root.signed.len()),
    ];
    for key in &root.root_keys {
        let mark = if root.signed.contains(key) { "signed " } else { "       " };
        lines.push(format!("  {mark} {}", root.named(key)));
    }
    if let Some(TrustPrevious { threshold, signed }) = &root.previous {
        lines.push(format!("{} of {threshold} signatures by keys of the root before it", signed.len()));
    }
    lines.extend(root.online_keys.iter().map(|key| format!("online key {}", root.named(key))));
    lines.extend(root.rehearsed.then(|| "a rehearsal: nothing was written".to_owned()));
    lines.join("\n") + "\n"
}

pub(super) fn read_root(path: &Path) -> Result<Metadata<Root>, CliError> {
    let bytes = files::read(path, MAX_ROOT_BYTES)?;
    Metadata::parse(&bytes).map_err(|error| CliError::new(Code::TrustMalformed, about(path, error)))
}

fn keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, CliError> {
    paths.iter().map(|path| key_file::public(path)).collect()
}

/// The online key that the user names.
async fn named(key: &Path) -> Result<OnlineKey, CliError> {
    Ok(OnlineKey::named(KeyReference::parse(key)?).await?)
}

/// Replaces a file whole: half a root would lose the signatures that others have put there.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let path = std::path::absolute(path).map_err(|error| CliError::unwritable(path, &error))?;
    let scratch = path.parent().unwrap_or(Path::new("/"));
    let put = signet_store::fs::Disk::default().put(scratch, &path, bytes);
    put.map_err(|error| CliError::unwritable(&path, &error))
}

pub(in super::super) fn no_root(data: &Path) -> CliError {
    let detail = format!("`{}` has no published root", data.display());
    CliError::new(Code::TrustMissing, detail).hint("begin with `signet trust create`")
}

fn in_days(days: u32) -> i64 {
    clock::now() + i64::from(days) * 24 * 3_600
}
