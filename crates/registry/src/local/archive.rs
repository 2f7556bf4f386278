//! A tar of an image layout (`oci-archive:`).
//!
//! Not trusted, as the layout in it is not. Written beside its name and renamed when it is whole, by one writer at a time.

use std::ffi::OsString;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Tag};
use signet_platform::{Access, Staged, WriterLock, without_path};
use tempfile::TempDir;

use super::destination;
use super::layout::Layout;
use super::leftovers;
use super::reader::{Reader, Tree, blob_name};
use super::tarball::Tarball;
use crate::client::{BlobPush, ManifestName, Referrers, Resolved};
use crate::store::ImageStore;
use crate::stream::BlobStream;
use crate::{Attached, Error, Limits, Result};

/// Called when the file has been another writer's for long.
pub(crate) type Waiting<'a> = &'a (dyn Fn(&Path) + Sync);

/// A tar file of an image layout, read in place or written anew.
pub struct OciArchive {
    state: State,
}

enum State {
    Reading(Reader),
    /// A layout beside the file, which becomes the file in the end.
    Writing {
        layout: Layout,
        staging: Mutex<Option<Staging>>,
        file: PathBuf,
    },
}

/// What is taken away when the archive is written or given up, in this order.
struct Staging {
    directory: TempDir,
    /// Others that write the same file wait, and find in it what is written now.
    _lock: WriterLock,
}

impl OciArchive {
    /// An archive to read.
    pub fn open(file: &Path, limits: &Limits) -> Result<Self> {
        let tree = Tree::Tar(Tarball::open(file, limits)?);
        Ok(Self { state: State::Reading(Reader::new(tree, limits)) })
    }

    /// An archive to write; what one that is there holds stays in it. It replaces `file` only when it is finished.
    pub fn create(file: &Path, limits: &Limits, waiting: Waiting<'_>) -> Result<Self> {
        Self::write(file, limits, waiting, |root| match file.is_file() {
            true => unpack(&Tarball::open(file, limits)?, root),
            false => Ok(()),
        })
    }

    /// An archive to write anew, with `fill` to put in its layout what it begins with.
    pub(super) fn write(
        file: &Path,
        limits: &Limits,
        waiting: Waiting<'_>,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let file = destination::of(file)?;
        let staging = Staging::beside(&file, waiting)?;
        let root = staging.directory.path().join("layout");
        std::fs::create_dir(&root).map_err(|error| Error::io(&root, &error))?;
        fill(&root)?;
        let layout = Layout::create(&root, limits)?;
        let staging = Mutex::new(Some(staging));
        Ok(Self { state: State::Writing { layout, staging, file } })
    }

    /// The image that is called so: by its whole name, or by a tag that is one image's only.
    pub fn called(&self, name: &str) -> Result<Digest> {
        match &self.state {
            State::Reading(reader) => reader.called(name),
            State::Writing { layout, .. } => layout.called(name),
        }
    }

    pub(super) fn layout(&self) -> Result<&Layout> {
        match &self.state {
            State::Writing { layout, .. } => Ok(layout),
            State::Reading(_) => Err(Error::Location {
                text: "the archive".to_owned(),
                reason: "it was opened to read".to_owned(),
            }),
        }
    }
}

impl Staging {
    /// The directory in which `file` is written. What killed writers of it left goes.
    fn beside(file: &Path, waiting: Waiting<'_>) -> Result<Self> {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let failed = |error: std::io::Error| Error::io(file, &without_path(error));
        let lock = WriterLock::on(file, &|| waiting(file)).map_err(failed)?;
        let mut prefix = OsString::from(".signet-archive-");
        prefix.push(file.file_name().unwrap_or_default());
        prefix.push(".");
        leftovers::remove_staging(parent, &prefix);
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(failed)?;
        Ok(Self { directory, _lock: lock })
    }
}

#[async_trait]
impl ImageStore for OciArchive {
    async fn resolve(&self, name: Option<&ManifestName>) -> Result<Resolved> {
        match &self.state {
            State::Reading(reader) => reader.resolve(name),
            State::Writing { layout, .. } => layout.resolve(name).await,
        }
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream> {
        match &self.state {
            State::Reading(reader) => reader.blob(blob).await,
            State::Writing { layout, .. } => layout.blob(blob).await,
        }
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers> {
        match &self.state {
            State::Reading(reader) => reader.referrers(subject),
            State::Writing { layout, .. } => layout.referrers(subject).await,
        }
    }

    async fn has_manifest(&self, digest: &Digest) -> Result<bool> {
        self.layout()?.has_manifest(digest).await
    }

    async fn put_blob(&self, blob: &Descriptor, source: &dyn ImageStore) -> Result<BlobPush> {
        self.layout()?.put_blob(blob, source).await
    }

    async fn put_bytes(&self, media_type: &str, bytes: Bytes) -> Result<Descriptor> {
        self.layout()?.put_bytes(media_type, bytes).await
    }

    async fn put_manifest(&self, manifest: &Resolved) -> Result<()> {
        self.layout()?.put_manifest(manifest).await
    }

    async fn put_referrer(&self, manifest: &Resolved, subject: &Digest) -> Result<Attached> {
        self.layout()?.put_referrer(manifest, subject).await
    }

    async fn tag(&self, manifest: &Resolved, tag: &Tag) -> Result<()> {
        self.layout()?.tag(manifest, tag).await
    }

    async fn put_attachment(&self, image: &Resolved, tag: &Tag) -> Result<bool> {
        self.layout()?.put_attachment(image, tag).await
    }

    async fn list(&self, image: &Resolved) -> Result<()> {
        self.layout()?.list(image).await
    }

    async fn finish(&self) -> Result<()> {
        let State::Writing { layout, staging, file } = &self.state else { return Ok(()) };
        layout.finish().await?;
        let Some(_staging) = staging.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        // Elsewhere, so that Ctrl-C is heard meanwhile and takes the directory away.
        let (root, target) = (layout.root().to_owned(), file.clone());
        let packed = tokio::task::spawn_blocking(move || pack(&root, &target)).await;
        packed.unwrap_or_else(|error| Err(Error::io(file, &std::io::Error::other(error))))
    }

    fn limits(&self) -> &Limits {
        match &self.state {
            State::Reading(reader) => &reader.limits,
            State::Writing { layout, .. } => layout.limits(),
        }
    }
}

/// Puts the layout of an archive below `root`: its marker, index and blobs, whatever else there is.
fn unpack(archive: &Tarball, root: &Path) -> Result<()> {
    if !archive.has("oci-layout") || !archive.has("index.json") {
        let reason = "it is there and holds no image layout; remove it, or name another file";
        return Err(Error::damaged(archive.path(), reason));
    }
    for name in archive.names().filter(|name| is_of_layout(name)) {
        let target = root.join(name);
        let failed = |error: std::io::Error| Error::io(&target, &error);
        std::fs::create_dir_all(target.parent().unwrap_or(root)).map_err(failed)?;
        let mut file = std::fs::File::create(&target).map_err(failed)?;
        std::io::copy(&mut archive.reader(name)?, &mut file).map_err(failed)?;
    }
    Ok(())
}

/// Whether a layout has a file of this name. No other leaves its directory.
fn is_of_layout(name: &str) -> bool {
    let is_blob = || {
        let digest = name.strip_prefix("blobs/")?.replacen('/', ":", 1).parse::<Digest>().ok()?;
        (blob_name(&digest) == name).then_some(())
    };
    matches!(name, "oci-layout" | "index.json") || is_blob().is_some()
}

/// The files of the layout in a staging directory as a tar, in the order of their names, with nothing of this machine in the headers.
fn pack(root: &Path, file: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(file, &error);
    let mut staged = Staged::within(root.parent().unwrap_or(root), file, Access::Public).map_err(failed)?;
    if let Some(permissions) = destination::permissions(file) {
        staged.file().set_permissions(permissions).map_err(failed)?;
    }
    let mut tar = tar::Builder::new(BufWriter::new(staged.file()));
    for name in files_below(root, Path::new(""), MAX_DEPTH).map_err(failed)? {
        let content = std::fs::File::open(root.join(&name)).map_err(failed)?;
        let mut header = tar::Header::new_ustar();
        header.set_size(content.metadata().map_err(failed)?.len());
        header.set_mode(0o644);
        tar.append_data(&mut header, &name, content).map_err(failed)?;
    }
    tar.into_inner().map_err(failed)?.into_inner().map_err(|error| failed(error.into_error()))?;
    staged.publish().map_err(failed)
}

fn files_below(root: &Path, below: &Path, depth: usize) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        match entry.file_type()?.is_dir() && depth > 0 {
            true => files.extend(files_below(root, &name, depth - 1)?),
            false => files.push(name),
        }
    }
    files.sort();
    Ok(files)
}

/// `blobs/sha256/…` is as deep as a layout goes.
const MAX_DEPTH: usize = 3;
