//! Options and commands that are defined when the command line comes to the command that has them, and not in every run.

use std::ops::Deref;

use clap::builder::Resettable;
use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches, Id, Subcommand};

/// The options of one command among many, or its commands. To define those of all costs more than to read one command line.
#[derive(Clone, Debug)]
pub(crate) struct Deferred<T>(T);

impl<T> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(define::<T>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: Subcommand> Subcommand for Deferred<T> {
    fn augment_subcommands(command: Command) -> Command {
        command.defer(|command| in_its_words(command, T::augment_subcommands))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        T::augment_subcommands_for_update(command)
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// The command with its options. Those of every command, which it has already, come after its own.
fn define<T: Args>(command: Command) -> Command {
    let of_every: Vec<Id> = command.get_arguments().map(|option| option.get_id().clone()).collect();
    let command = in_its_words(command, T::augment_args);
    // To change an option puts it last.
    of_every.iter().fold(command, |command, id| command.mut_arg(id, |option| option))
}

/// Changes a command, which keeps the words of the list of commands in place of those about its options or commands.
fn in_its_words(command: Command, change: impl FnOnce(Command) -> Command) -> Command {
    let [about, long_about] =
        [command.get_about(), command.get_long_about()].map(|words| Resettable::from(words.cloned()));
    change(command).about(about).long_about(long_about)
}
