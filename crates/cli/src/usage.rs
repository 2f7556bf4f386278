//! Command lines that cannot be read, and what whoever wrote them may have meant.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, Error};
use signet_verify::Code;

use crate::args::Cli;
use crate::error::CliError;

/// What clap reports, as an error of ours.
pub(crate) fn refusal(error: &Error) -> CliError {
    let text = words(error);
    let (message, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let hint = of_cosign(error).map_or_else(|| hint(rest), str::to_owned);
    CliError::new(Code::UsageInvalid, message.trim_end()).hint(hint)
}

/// What clap says. With `--bundle` files stand where images do.
fn words(error: &Error) -> String {
    let text = error.render().to_string();
    match text.contains("--bundle <") {
        true => text.replace("<IMAGE>", "<FILE>"),
        false => text,
    }
}

/// What to write for a command or option of cosign's that Signet has under another name, or not at all.
fn of_cosign(error: &Error) -> Option<&'static str> {
    let given = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg];
    let given = given.into_iter().find_map(|kind| match error.get(kind) {
        Some(ContextValue::String(given)) => Some(given.as_str()),
        _ => None,
    })?;
    let name = given.split(['=', ' ']).next()?;
    COSIGN.iter().find(|(known, _)| *known == name).map(|(_, hint)| *hint)
}

/// What clap says after its message (usage, suggestions), without its pointer to `--help`, which the hint is.
fn hint(rest: &str) -> String {
    let lines = rest.lines().filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let command = command(rest).unwrap_or_else(|| asked_for(std::env::args_os().skip(1)));
    let mut hint = format!("see `{command} --help`");
    for line in lines {
        hint.push_str("\n  ");
        hint.push_str(line.trim());
    }
    hint
}

/// The command that clap shows the usage of.
fn command(rest: &str) -> Option<String> {
    let usage = rest.lines().find_map(|line| line.strip_prefix("Usage: "))?;
    let names = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    Some(usage.split(' ').take_while(names).collect::<Vec<_>>().join(" "))
}

/// The command that the arguments name. Of a value that cannot be read clap does not say whose it is.
fn asked_for(arguments: impl Iterator<Item = OsString>) -> String {
    let mut signet = Cli::command();
    // Groups of commands are defined when they are asked for: now.
    signet.build();
    let (mut at, mut name) = (&signet, "signet".to_owned());
    for argument in arguments {
        let Some(next) = at.find_subcommand(argument) else { continue };
        name.extend([" ", next.get_name()]);
        at = next;
    }
    name
}

/// cosign's names, and what to write here.
const COSIGN: [(&str, &str); 12] = [
    ("generate-key-pair", "write `signet keys generate --out cosign`"),
    ("import-key-pair", "write `signet keys import --key FILE --out PREFIX`"),
    ("public-key", "write `signet keys export-public --key FILE`"),
    ("verify-attestation", "write `signet verify --type TYPE IMAGE`, with whom to trust"),
    (
        "attest",
        "this release makes no attestations of images; it verifies them, with `signet verify --type TYPE`",
    ),
    ("triangulate", "write `signet inspect IMAGE`"),
    ("initialize", "write `signet trust init --root ROOT.json URL`"),
    ("login", "log in with `docker login`, `podman login` or `oras login`: their credentials are read"),
    ("version", "write `signet --version`"),
    (
        "--allow-insecure-registry",
        "for plain HTTP write `--allow-http-registry`; a certificate that no authority vouches for is trusted with `--registry-cacert FILE`",
    ),
    ("--output-file", "leave it out, and send standard output to the file: `> FILE`"),
    ("-o", "write `--output json`"),
];

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn refused(line: &str) -> CliError {
        refusal(&Cli::try_parse_from(line.split(' ')).unwrap_err())
    }

    #[test]
    fn names_of_cosigns_lead_to_ours() {
        for (line, hint) in [
            ("signet generate-key-pair", "signet keys generate"),
            ("signet verify-attestation --key k.pub i", "signet verify --type"),
            ("signet login -u u r.example", "docker login"),
            ("signet verify --key k.pub --allow-insecure-registry i", "--allow-http-registry"),
            ("signet verify --key k.pub -o json i", "--output json"),
            ("signet verify --key k.pub --output-file=f i", "standard output"),
        ] {
            let said = refused(line).hint;
            assert!(said.contains(hint), "{line}: {said}");
        }
        let typo = refused("signet verify --kye k.pub i").hint;
        assert!(typo.starts_with("see `signet verify --help`"), "{typo}");
    }

    #[test]
    fn a_file_is_missed_as_a_file() {
        for command in ["sign", "verify"] {
            let missed = refused(&format!("signet {command} --bundle b.json"));
            assert!(missed.detail.ends_with("<FILE>..."), "{missed:?}");
            assert!(missed.hint.contains(&format!("signet {command} --bundle <")), "{missed:?}");
            assert!(refused(&format!("signet {command}")).detail.ends_with("<IMAGE>..."));
        }
    }

    #[test]
    fn a_value_that_cannot_be_read_leads_to_the_help_of_its_command() {
        let of = |line: &str| asked_for(line.split(' ').skip(1).map(OsString::from));
        assert_eq!(of("signet verify --timeout x i"), "signet verify");
        assert_eq!(of("signet --output json serve registry --listen x"), "signet serve registry");
        assert_eq!(of("signet"), "signet");
    }
}
