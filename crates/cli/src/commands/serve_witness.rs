//! `signet serve witness`.

use std::net::SocketAddr;
use std::sync::Arc;

use signet_server::host::{Host, health};
use signet_server::witness;
use signet_services::clock::SystemClock;
use signet_services::witness::{Config, HomeOptions, Witness};
use signet_store::fs::Disk;

use super::operators::Operators;
use super::witnesses::witnessed_logs;
use crate::args::ServeWitnessArgs;
use crate::document::ServeWitnessDocument;
use crate::error::{Answer, Status};
use crate::face::Face;
use crate::runtime;

/// Serves a witness until it is told to stop.
pub(crate) async fn run(args: &ServeWitnessArgs, face: Face) -> Answer {
    let operators = Operators::begin(&args.operators).await?;
    let address = args.tls.take(args.listen)?;
    let (data, clock) = (args.data.clone(), Arc::new(SystemClock::start()));
    let config = Config { data, logs: witnessed_logs(&args.log)?, clock };
    let options = HomeOptions { name: args.name.clone(), ml_dsa: args.ml_dsa };
    let witness = Witness::open_home(Disk::default(), config, options).await?;
    let host = address.listen()?;
    let stop = runtime::stopped();
    face.serving(&document(args, &witness, &host, operators.address()), text)?;
    let ready = witness.clone();
    let _answering = operators.answer(witness::operators(witness.clone()));
    let router = witness::router(witness).merge(health(move || ready.is_cosigning()));
    host.run(router, stop).await;
    Ok(Status::Yes)
}

fn document(
    args: &ServeWitnessArgs,
    witness: &Witness,
    host: &Host,
    admin: Option<SocketAddr>,
) -> ServeWitnessDocument {
    ServeWitnessDocument {
        address: host.local_addr(),
        url: host.url(),
        data: args.data.display().to_string(),
        keys: witness.keys().map(ToString::to_string).collect(),
        logs: witness.logs(),
        admin,
    }
}

fn text(document: &ServeWitnessDocument) -> String {
    let ServeWitnessDocument { url, data, logs, .. } = document;
    let keys: String = document.keys.iter().map(|key| format!("key {key}\n")).collect();
    format!("witnessing {logs} logs at {url} from `{data}`\n{keys}")
}
