//! What of an image is signed: the index and the manifest of every platform in it, however indexes nest.

use std::sync::Arc;

use signet_formats::oci::{Descriptor, MAX_MANIFEST_DEPTH, ManifestKind, Platform, Walk};
use signet_images::is_platform;
use signet_registry::{Error, ImageStore, ManifestName, Resolved, parallel};
use signet_verify::Code;

use crate::error::{CliError, Stop};

/// A manifest to sign.
pub(crate) struct Target {
    /// The manifest.
    pub(crate) manifest: Resolved,
    /// Its platform, as its index says.
    pub(crate) platform: Option<Platform>,
}

/// The image, every index in it and every manifest of a platform, each once; of these only the
/// `platforms` if any are named, each of which must be there.
pub(crate) async fn find(
    images: &Arc<dyn ImageStore>,
    image: Resolved,
    platforms: &[Platform],
) -> Result<Vec<Target>, Stop> {
    let walk = Walk::new(MAX_MANIFEST_DEPTH, MAX_TARGETS);
    let mut survey = Survey { images, platforms, walk, there: Vec::new() };
    survey.walk.enter(image.digest(), 0).map_err(Error::from)?;
    let mut targets = Vec::new();
    let mut level = vec![Target { manifest: image, platform: None }];
    for depth in 1.. {
        let below = survey.below(&level, depth)?;
        targets.append(&mut level);
        if below.is_empty() {
            break;
        }
        level = survey.read(below).await?;
    }
    survey.all_there()?;
    targets.retain(|target| survey.wants(target.platform.as_ref()));
    Ok(targets)
}

struct Survey<'a> {
    images: &'a Arc<dyn ImageStore>,
    platforms: &'a [Platform],
    walk: Walk,
    /// The platforms that were met.
    there: Vec<Platform>,
}

/// A manifest that an index lists.
struct Listed {
    digest: ManifestName,
    kind: ManifestKind,
    platform: Option<Platform>,
}

impl Survey<'_> {
    fn wants(&self, platform: Option<&Platform>) -> bool {
        let is_asked_for = |found| self.platforms.iter().any(|wanted| is_platform(found, wanted));
        self.platforms.is_empty() || platform.is_some_and(is_asked_for)
    }

    /// What these manifests list and must be read: indexes, and the platforms that are wanted.
    fn below(&mut self, level: &[Target], depth: usize) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        for descriptor in level.iter().flat_map(|target| target.manifest.manifest.manifests()) {
            let kind = ManifestKind::of_media_type(&descriptor.media_type).unwrap_or(ManifestKind::Image);
            let platform = platform(descriptor);
            let is_wanted = platform.is_some() && self.wants(platform.as_ref());
            self.there.extend(platform.clone());
            if (kind == ManifestKind::Index || is_wanted) && self.walk.enter(descriptor.digest, depth)? {
                listed.push(Listed { digest: ManifestName::Digest(descriptor.digest), kind, platform });
            }
        }
        Ok(listed)
    }

    async fn read(&self, listed: Vec<Listed>) -> Result<Vec<Target>, Error> {
        let read = parallel(listed, PARALLEL, |Listed { digest, kind, platform }| async move {
            let manifest = self.images.resolve(Some(&digest)).await?;
            if manifest.manifest.kind() != kind {
                let reason = "it is not of the kind that the index says".to_owned();
                return Err(Error::Malformed { what: format!("manifest {digest}"), reason });
            }
            Ok(Target { manifest, platform })
        });
        read.await.into_iter().collect()
    }

    /// Each platform that was asked for must have been met.
    fn all_there(&self) -> Result<(), CliError> {
        let is_there = |asked: &&Platform| self.there.iter().any(|found| is_platform(found, asked));
        let Some(missing) = self.platforms.iter().find(|asked| !is_there(asked)) else { return Ok(()) };
        let there: Vec<_> = self.there.iter().map(Platform::to_string).collect();
        let (found, hint) = match there.is_empty() {
            true => ("the image is not an index of platforms".to_owned(), NO_INDEX),
            false => (format!("the index has {}", there.join(", ")), OTHER_PLATFORM),
        };
        Err(CliError::new(Code::UsageInvalid, format!("`{missing}` was asked for, and {found}")).hint(hint))
    }
}

/// The platform. What BuildKit keeps in an index under `unknown/unknown` are attestations.
fn platform(descriptor: &Descriptor) -> Option<Platform> {
    let stated = descriptor.platform.clone();
    stated.filter(|platform| platform.os != "unknown" || platform.architecture != "unknown")
}

const NO_INDEX: &str = "leave out `--platform`: an image that is for one platform is signed as it is";
const OTHER_PLATFORM: &str = "choose a platform that is there, or leave out `--platform`";
/// Manifests of one image that are signed; the registry's gate follows as many children of an index.
const MAX_TARGETS: usize = 1_000;
/// Manifests read at once.
const PARALLEL: usize = 8;
