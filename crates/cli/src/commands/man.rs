//! `signet man`.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;
use signet_verify::Code;

use crate::args::{Cli, ManArgs};
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;

/// Prints one manual page, or writes all.
pub(crate) fn run(args: &ManArgs, face: Face) -> Answer {
    let mut root = Cli::command();
    root.build();
    match &args.out {
        Some(directory) => write_all(&root, directory)?,
        None => face.bytes(&page(find(&root, &args.command)?)?)?,
    }
    Ok(Status::Yes)
}

fn find<'a>(root: &'a clap::Command, path: &[String]) -> Result<&'a clap::Command, CliError> {
    path.iter().try_fold(root, |command, name| {
        command.find_subcommand(name).ok_or_else(|| {
            CliError::new(Code::UsageInvalid, format!("there is no command `{}`", path.join(" ")))
        })
    })
}

fn write_all(command: &clap::Command, directory: &Path) -> Result<(), Stop> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = directory.join(format!("{name}.1"));
    fs::write(&path, page(command)?).map_err(|error| CliError::unwritable(&path, &error))?;
    let visible = command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
    visible.into_iter().try_for_each(|sub| write_all(sub, directory))
}

fn page(command: &clap::Command) -> Result<Vec<u8>, CliError> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page).map_err(CliError::internal)?;
    Ok(page)
}
