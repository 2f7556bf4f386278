//! `signet serve log`.

use signet_server::host::{Host, health};
use signet_server::rekor;
use signet_services::log::{Config, HomeOptions, Log};
use signet_store::fs::Disk;
use signet_verify::Code;

use crate::args::ServeLogArgs;
use crate::document::ServeLogDocument;
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::runtime;

/// Serves a log until it is told to stop.
pub(crate) async fn run(args: &ServeLogArgs, face: Face) -> Answer {
    refuse_the_network(args)?;
    let options = HomeOptions { origin: args.origin.clone(), ml_dsa: args.ml_dsa };
    let log = Log::open_home(Disk::default(), Config::new(args.data.clone()), options).await?;
    let host = Host::listen(args.listen, None).await?;
    let stop = runtime::stopped();
    face.result(&document(args, &log, &host), text)?;
    let kind = if args.opaque { rekor::Kind::Opaque } else { rekor::Kind::HashedRekord };
    let writing = log.clone();
    let router = rekor::router(log.clone(), kind).map_err(CliError::internal)?;
    host.run(router.merge(health(move || writing.is_writing())), stop).await;
    log.close().await;
    Ok(Status::Yes)
}

/// Whoever reaches a log of any bytes fills the disk; what it has can never be taken out.
fn refuse_the_network(args: &ServeLogArgs) -> Result<(), CliError> {
    match args.opaque && !args.listen.ip().is_loopback() {
        true => Err(CliError::new(Code::ListenRefused, args.listen.to_string())),
        false => Ok(()),
    }
}

fn document(args: &ServeLogArgs, log: &Log, host: &Host) -> ServeLogDocument {
    ServeLogDocument {
        address: host.local_addr(),
        url: host.url(),
        data: args.data.display().to_string(),
        origin: log.signer().origin().to_owned(),
        keys: log.signer().keys().map(ToString::to_string).collect(),
        size: log.head().checkpoint.size,
    }
}

fn text(document: &ServeLogDocument) -> String {
    let ServeLogDocument { url, data, origin, size, .. } = document;
    let keys: String = document.keys.iter().map(|key| format!("key {key}\n")).collect();
    format!("serving the log `{origin}` of {size} entries at {url} from `{data}`\n{keys}")
}
