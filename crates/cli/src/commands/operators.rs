//! What the operators of a service are told while it runs.

use std::future;
use std::net::SocketAddr;

use axum::Router;
use signet_server::host::Host;
use tokio::task::JoinSet;

use super::serve::log;
use crate::args::OperatorArgs;
use crate::error::CliError;

/// Where they ask.
pub(crate) struct Operators(Option<Host>);

impl Operators {
    /// Begins the log, and listens where they may ask; nobody answers yet.
    pub(crate) async fn begin(args: &OperatorArgs) -> Result<Self, CliError> {
        log(args.log_format, false);
        Ok(Self(match args.admin {
            Some(listen) => Some(Host::listen(listen, None).await?),
            None => None,
        }))
    }

    /// The address, if there is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(Host::local_addr)
    }

    /// Answers them as long as what this returns is held.
    #[must_use]
    pub(crate) fn answer(self, router: Router) -> JoinSet<()> {
        self.0.into_iter().map(|host| host.run(router.clone(), future::pending())).collect()
    }
}
