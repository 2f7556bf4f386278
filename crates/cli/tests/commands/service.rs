//! Services of Signet's own as processes.

use signet_testkit::{Sandbox, Service};

use crate::signet;

/// `signet serve registry` with the directory `data` of the sandbox.
pub(crate) fn registry(sandbox: &Sandbox, data: &str) -> Service {
    serve(sandbox, &["registry", "--data", data])
}

/// `signet serve` with these arguments.
pub(crate) fn serve(sandbox: &Sandbox, args: &[&str]) -> Service {
    Service::start(signet(), sandbox, &[&["serve"], args].concat())
}

/// `signet up --data up` with these options.
pub(crate) fn up(sandbox: &Sandbox, args: &[&str]) -> Service {
    Service::start(signet(), sandbox, &[&["up", "--data", "up"], args].concat())
}
