//! `signet trust`.

mod ceremony;
mod home;
mod merge;
mod publish;

pub(super) use ceremony::no_root;

use signet_formats::time;
use signet_formats::tuf::Role;

use crate::args::TrustCommand;
use crate::document::{TrustDocument, TrustRole};
use crate::error::Answer;
use crate::face::Face;
use crate::runtime::block_on;

pub(crate) use publish::publisher;

/// Runs one of the commands.
pub(crate) fn run(command: &TrustCommand, face: Face) -> Answer {
    match command {
        TrustCommand::Init(args) => home::init(args, face),
        TrustCommand::Status(args) => home::status(args, face),
        TrustCommand::Update(args) => home::update(args, face),
        TrustCommand::Export(args) => home::export(args, face),
        TrustCommand::Import(args) => home::import(args, face),
        TrustCommand::Create(args) => block_on(ceremony::create(args, face)),
        TrustCommand::Rotate(args) => block_on(ceremony::rotate(args, face)),
        TrustCommand::Sign(args) => block_on(ceremony::sign(args, face)),
        TrustCommand::Publish(args) => publish::run(args, face),
        TrustCommand::Merge(args) => merge::run(args, face),
    }
}

fn roles(roles: &[(Role, u64, i64)]) -> Vec<TrustRole> {
    let role = |(role, version, expires): &(Role, u64, i64)| TrustRole {
        role: role.to_string(),
        version: *version,
        expires: moment(*expires),
    };
    roles.iter().map(role).collect()
}

fn text(document: &TrustDocument) -> String {
    let mut lines = vec![format!("directory   {}", document.directory)];
    lines.extend(document.repository.iter().map(|url| format!("repository  {url}")));
    lines.extend(document.updated.iter().map(|at| format!("updated     {at}")));
    lines.extend(document.max_age_seconds.map(|age| format!("max age     {age} s")));
    for TrustRole { role, version, expires } in &document.roles {
        lines.push(format!("{role:<11} version {version}, until {expires}"));
    }
    lines.extend(document.targets.iter().map(|target| format!("target      {target}")));
    lines.extend(document.alerts.iter().map(|alert| format!("warning: {alert}")));
    lines.join("\n") + "\n"
}

/// A time as text; as a number where it lies outside the years that have one.
fn moment(at: i64) -> String {
    time::format(at).unwrap_or_else(|_| at.to_string())
}
