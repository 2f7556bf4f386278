//! `signet dev-token`.

use std::io::IsTerminal;

use signet_services::oidc::dev::{Bearer, DevIssuer};
use signet_verify::Code;

use crate::args::DevTokenArgs;
use crate::clock;
use crate::error::{Answer, CliError, Status};
use crate::face::Face;

/// Prints a token.
pub(crate) fn run(args: &DevTokenArgs, face: Face) -> Answer {
    let bearer = bearer(args)?;
    // The CA's own directory, or that of a whole stack.
    let within = args.data.join("ca");
    let dir = if within.is_dir() { &within } else { &args.data };
    let issuer = DevIssuer::load(dir).map_err(|error| {
        CliError::from(error).hint("start a service with `--dev` on this data directory first")
    })?;
    let token = issuer.mint(&bearer, clock::now()).map_err(CliError::from)?;
    // Clients send a token's file as it is, and a header takes no line end.
    let end = if std::io::stdout().is_terminal() { "\n" } else { "" };
    face.text(&format!("{token}{end}"))?;
    Ok(Status::Yes)
}

fn bearer(args: &DevTokenArgs) -> Result<Bearer, CliError> {
    let reference = args.reference.clone();
    match (&args.email, &args.github, &args.gitlab, &args.kubernetes) {
        (Some(address), ..) => Ok(Bearer::Email(address.clone())),
        (_, Some(repository), ..) => {
            let workflow = args.workflow.clone().unwrap_or_default();
            Ok(Bearer::GitHub { repository: repository.clone(), workflow, reference })
        }
        (_, _, Some(project), _) => Ok(Bearer::GitLab { project: project.clone(), reference }),
        (.., Some(both)) => {
            let (namespace, account) = both.split_once('/').ok_or_else(|| {
                CliError::new(Code::UsageInvalid, format!("`{both}` is not `NAMESPACE/ACCOUNT`"))
            })?;
            Ok(Bearer::Kubernetes { namespace: namespace.to_owned(), account: account.to_owned() })
        }
        _ => Err(CliError::new(Code::UsageInvalid, "name whom the token is for")),
    }
}
