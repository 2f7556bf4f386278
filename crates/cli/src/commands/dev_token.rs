//! `signet dev-token`.

use std::io::IsTerminal;

use signet_services::oidc::dev::{Bearer, DevIssuer};
use signet_services::oidc::is_email;
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
    let reference = args.reference.clone().unwrap_or_else(|| MAIN.to_owned());
    match (&args.email, &args.github, &args.gitlab, &args.kubernetes) {
        (Some(address), ..) if is_email(address) => Ok(Bearer::Email(address.clone())),
        (Some(address), ..) => {
            Err(CliError::new(Code::UsageInvalid, format!("`{address}` is not a plain e-mail address")))
        }
        (_, Some(repository), ..) => {
            path_of_two("OWNER/REPO", repository)?;
            let workflow = args.workflow.clone().unwrap_or_default();
            Ok(Bearer::GitHub { repository: repository.clone(), workflow, reference })
        }
        (_, _, Some(project), _) => {
            path_of_two("GROUP/PROJECT", project)?;
            Ok(Bearer::GitLab { project: project.clone(), reference })
        }
        (.., Some(both)) => {
            let (namespace, account) = path_of_two("NAMESPACE/ACCOUNT", both)?;
            Ok(Bearer::Kubernetes { namespace: namespace.to_owned(), account: account.to_owned() })
        }
        _ => {
            let kinds = "`--email`, `--github`, `--gitlab` or `--kubernetes` says whom the token is for";
            Err(CliError::new(Code::UsageInvalid, kinds))
        }
    }
}

/// The parts before and after the first slash, both with something in them.
fn path_of_two<'a>(form: &str, text: &'a str) -> Result<(&'a str, &'a str), CliError> {
    let parts = text.split_once('/').filter(|(first, rest)| !first.is_empty() && !rest.is_empty());
    parts.ok_or_else(|| CliError::new(Code::UsageInvalid, format!("`{text}` is not `{form}`")))
}

/// What is built, where nothing else is said.
const MAIN: &str = "refs/heads/main";
