//! `signet dev-token`.

use std::io::{self, IsTerminal};

use signet_services::authority::AuthorityError;
use signet_services::oidc::dev::{Bearer, DevError, DevIssuer};
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
    let issuer = DevIssuer::load(dir).map_err(not_loaded)?;
    let token = issuer.mint(&bearer, clock::now()).map_err(CliError::from)?;
    // Clients send a token's file as it is, and a header takes no line end.
    let end = if std::io::stdout().is_terminal() { "\n" } else { "" };
    face.text(&format!("{token}{end}"))?;
    Ok(Status::Yes)
}

fn not_loaded(error: DevError) -> CliError {
    match &error {
        DevError::Authority(AuthorityError::Io { error: cause, .. })
            if cause.kind() == io::ErrorKind::NotFound =>
        {
            CliError::from(error).hint("start a service with `--dev` on this data directory first")
        }
        _ => error.into(),
    }
}

fn bearer(args: &DevTokenArgs) -> Result<Bearer, CliError> {
    let reference = args.reference.as_deref().unwrap_or(MAIN);
    let workflow = args.workflow.as_deref().unwrap_or_default();
    let bearer = match (&args.email, &args.github, &args.gitlab, &args.kubernetes) {
        (Some(address), ..) => Bearer::email(address),
        (_, Some(repository), ..) => Bearer::github(repository, workflow, reference),
        (_, _, Some(project), _) => Bearer::gitlab(project, reference),
        (.., Some(account)) => Bearer::kubernetes(account),
        _ => {
            let kinds = "`--email`, `--github`, `--gitlab` or `--kubernetes` says whom the token is for";
            return Err(CliError::new(Code::UsageInvalid, kinds));
        }
    };
    bearer.map_err(|error| CliError::new(Code::UsageInvalid, error.to_string()))
}

/// What is built, where nothing else is said.
const MAIN: &str = "refs/heads/main";
