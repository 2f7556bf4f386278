//! `signet up`.

use signet_server::stack::{Config, Stack};

use crate::args::UpArgs;
use crate::document::UpDocument;
use crate::error::{Answer, Status};
use crate::face::Face;
use crate::render::up;
use crate::runtime;

/// Serves a stack until it is told to stop.
pub(crate) fn run(args: &UpArgs, face: Face) -> Answer {
    runtime::serve(serve(args, face))
}

async fn serve(args: &UpArgs, face: Face) -> Answer {
    super::serve::log(false);
    let mut config = Config::new(args.data.clone(), args.listen);
    config.public_url = args.public_url.clone();
    config.dev = args.dev;
    let stack = config.build().await?;
    let document = document(args, &stack);
    face.result(&document, up)?;
    if document.issuers.is_empty() {
        face.note("no issuer of identity tokens is configured: nobody gets a certificate")?;
    }
    for part in &document.not_ready {
        face.note(&format!("`{part}` is not ready yet: it refuses requests until it is"))?;
    }
    stack.run(runtime::stopped()).await?;
    Ok(Status::Yes)
}

fn document(args: &UpArgs, stack: &Stack) -> UpDocument {
    let services = stack.services();
    let (url, client) = (stack.url().to_owned(), stack.client());
    let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host).to_owned();
    UpDocument {
        address: stack.local_addr(),
        data: args.data.display().to_string(),
        trusted_root: client.trusted_root.display().to_string(),
        signing_config: client.signing_config.display().to_string(),
        registry: services.registry.as_ref().map(|_| host),
        timestamps: format!("{url}/api/v1/timestamp"),
        log_origin: services.log.signer().origin().to_owned(),
        issuers: services.ca.issuers().iter().map(|(issuer, _)| issuer.url.clone()).collect(),
        not_ready: services
            .readiness()
            .into_iter()
            .filter(|(_, ready)| !ready)
            .map(|(part, _)| part)
            .collect(),
        url,
    }
}
