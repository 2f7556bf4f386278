//! `signet serve`.

use std::sync::Arc;

use signet_server::registry::{App, AuthFiles, Config, PullGate, TlsFiles};

use crate::args::{ServeCommand, ServeRegistryArgs};
use crate::document::ServeDocument;
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::gate::Gate;
use crate::runtime;

/// Runs a service until it is told to stop.
pub(crate) fn run(command: &ServeCommand, face: Face) -> Answer {
    match command {
        ServeCommand::Log(args) => runtime::serve(super::serve_log::run(args, face)),
        ServeCommand::Registry(args) => runtime::serve(registry(args, face)),
    }
}

async fn registry(args: &ServeRegistryArgs, face: Face) -> Answer {
    let gate = args.require_signed.as_deref().map(|policy| Gate::new(policy, args.trusted_root.as_deref()));
    let gate = gate.transpose()?.map(Arc::new);
    let app = build(args, gate.clone()).await?;
    if let Some(gate) = gate {
        gate.guard(app.store().clone());
    }
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    let document = ServeDocument {
        schema: "signet.dev/serve/v1",
        address: app.local_addr(),
        url: format!("{scheme}://{}", app.local_addr()),
        data: args.data.display().to_string(),
    };
    face.result(&document, |document| format!("serving {} from `{}`\n", document.url, document.data))?;
    app.run(runtime::stopped()).await;
    Ok(Status::Yes)
}

async fn build(args: &ServeRegistryArgs, gate: Option<Arc<Gate>>) -> Result<App, CliError> {
    let mut config = Config::new(args.data.clone(), args.listen);
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    config.tls = tls.map(|(certificates, key)| TlsFiles { certificates, key });
    config.auth = args.htpasswd.clone().map(|htpasswd| AuthFiles { htpasswd, rights: args.access.clone() });
    config.gate = gate.map(|gate| gate as Arc<dyn PullGate>);
    Ok(config.build().await?)
}
