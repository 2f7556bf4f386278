//! `signet up`.

use std::path::Path;

use signet_server::stack::Stack;

use super::serve::{log, note};
use crate::args::UpArgs;
use crate::document::UpDocument;
use crate::error::{Answer, Status};
use crate::face::Face;
use crate::render::up;
use crate::runtime;
use crate::stack::{self, Built, StackFile, documented};

/// Serves a stack until it is told to stop.
pub(crate) fn run(args: &UpArgs, face: Face) -> Answer {
    runtime::serve(serve(args, face))
}

async fn serve(args: &UpArgs, face: Face) -> Answer {
    let file = StackFile::effective(args)?;
    if args.print_config {
        face.text(&documented(&file)?)?;
        return Ok(Status::Yes);
    }
    let format = file.logging.format;
    log(format, file.logging.requests);
    let Built { stack, data, following } = stack::build(file).await?;
    let document = document(&data, &stack);
    let stop = runtime::stopped();
    face.serving(&document, up)?;
    for line in stack.services().ca.notes() {
        note(face, format, line)?;
    }
    if stack.services().trust.is_some() && document.trust.is_none() {
        note(
            face,
            format,
            "no root of trust is published: `signet trust create` on `trust` in the data directory begins one",
        )?;
    }
    for part in &document.not_ready {
        let doubt = match *part {
            "tsa" => stack.services().tsa.doubt(),
            "ca" => stack.services().ca.key_doubt(),
            _ => None,
        };
        let why = doubt.map(|doubt| format!(" ({doubt})")).unwrap_or_default();
        note(face, format, &format!("`{part}` is not ready yet: it refuses requests until it is{why}"))?;
    }
    stack.run(stop).await?;
    drop(following);
    Ok(Status::Yes)
}

fn document(data: &Path, stack: &Stack) -> UpDocument {
    let services = stack.services();
    let (url, client) = (stack.url().to_owned(), stack.client());
    let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host).to_owned();
    UpDocument {
        address: stack.local_addr(),
        data: data.display().to_string(),
        trusted_root: client.trusted_root.display().to_string(),
        signing_config: client.signing_config.display().to_string(),
        registry: services.registry.as_ref().map(|_| host),
        admin: stack.admin_addr(),
        timestamps: format!("{url}/api/v1/timestamp"),
        log_origin: services.log.active().map(|log| log.signer().origin().to_owned()).unwrap_or_default(),
        log_keys: services
            .log
            .active()
            .map(|log| log.signer().keys().map(ToString::to_string).collect())
            .unwrap_or_default(),
        trust: client.root.as_ref().map(|_| format!("{url}/tuf")),
        trust_root: client.root.as_ref().map(|path| path.display().to_string()),
        witness_keys: services
            .witness
            .iter()
            .flat_map(|witness| witness.keys().map(ToString::to_string).collect::<Vec<_>>())
            .collect(),
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
