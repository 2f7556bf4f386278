//! `signet verify`.

use signet_crypto::Digest;
use signet_registry::{Client, Location, parallel};
use signet_verify::{Class, Verdict};

use super::verify_blob;
use crate::args::VerifyArgs;
use crate::document::{ImageBody, VerifyDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::runtime::block_on;
use crate::trust::Trust;
use crate::{clock, connection, decision, render};

/// Verifies each image, and ends as the worst of them.
pub(crate) fn run(args: &VerifyArgs, face: Face) -> Answer {
    if let Some(bundle) = &args.bundle {
        return verify_blob::verify_files(&args.trust, bundle, &args.images, face);
    }
    let trust = Trust::from_args(&args.trust)?;
    let places: Vec<Location> =
        args.images.iter().map(|image| connection::place(image)).collect::<Result<_, _>>()?;
    let at = clock::now();
    block_on(async {
        let client = connection::client(&args.connection, &places);
        let results = parallel(places, PARALLEL, |place| verify(&client, place, &trust, at)).await;
        if let Some(misuse) = results.iter().find_map(Image::misuse) {
            return Err(misuse.clone().into());
        }
        let worst = results.iter().map(Image::status).max().unwrap_or(Status::Undecided);
        let document = VerifyDocument { results: results.iter().map(Image::body).collect() };
        face.result(&document, |_| results.iter().map(Image::text).collect())?;
        Ok(worst)
    })
}

/// One image and what came of it.
struct Image {
    /// As the user named it, by digest where it could be resolved.
    name: String,
    result: Result<Verdict, CliError>,
}

impl Image {
    fn status(&self) -> Status {
        match &self.result {
            Ok(verdict) => Status::of_verdict(verdict),
            Err(error) => Status::of(error.code),
        }
    }

    /// What the caller gave wrongly, for this image and so for all: that is no verdict.
    fn misuse(&self) -> Option<&CliError> {
        self.result.as_ref().err().filter(|error| error.code.class() == Class::Usage)
    }

    fn body(&self) -> ImageBody<'_> {
        ImageBody::new(&self.name, self.result.as_ref())
    }

    fn text(&self) -> String {
        match &self.result {
            Ok(verdict) => render::verdict(&self.name, verdict),
            Err(error) => render::undecided(&self.name, error),
        }
    }
}

async fn verify(client: &Client, place: Location, trust: &Trust, at: i64) -> Image {
    match decide(client, &place, trust, at).await {
        Ok((digest, verdict)) => {
            Image { name: connection::name_by_digest(&place, digest), result: Ok(verdict) }
        }
        Err(error) => Image { name: place.to_string(), result: Err(error) },
    }
}

async fn decide(
    client: &Client,
    place: &Location,
    trust: &Trust,
    at: i64,
) -> Result<(Digest, Verdict), CliError> {
    let endpoint = connection::source(client, place)?;
    let attachments = connection::attachments(client, place, &endpoint)?;
    let repository = connection::repository_name(place);
    Ok(decision::about_named(&endpoint, &attachments, repository.as_deref(), trust, at).await?)
}
/// Images verified at once; each of them reads its signatures side by side.
const PARALLEL: usize = 8;
