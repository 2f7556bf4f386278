//! `signet verify`.

use signet_registry::{Client, Location, parallel};
use signet_verify::Verdict;

use super::verify_blob;
use crate::args::VerifyArgs;
use crate::document::{ImageBody, VerifyDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::gather::Place;
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
        let worst = results.iter().map(Image::status).max().unwrap_or(Status::Undecided);
        let document = VerifyDocument { schema: SCHEMA, results: results.iter().map(Image::body).collect() };
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
    let endpoint = match connection::source(client, &place) {
        Ok(endpoint) => endpoint,
        Err(error) => return Image { name: place.to_string(), result: Err(error) },
    };
    let image = match endpoint.store.resolve(endpoint.name.as_ref()).await {
        Ok(image) => image,
        Err(error) => return Image { name: place.to_string(), result: Err(error.into()) },
    };
    let repository = connection::repository_name(&place);
    let verdict =
        decision::about_image(&endpoint.store, &image, repository.as_deref(), trust, &Place::ALL, at).await;
    Image { name: connection::name_by_digest(&place, image.digest()), result: Ok(verdict) }
}

const SCHEMA: &str = "signet.dev/verify/v1";
/// Images verified at once; each of them reads its signatures side by side.
const PARALLEL: usize = 8;
