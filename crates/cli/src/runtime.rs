//! The runtimes that commands run on.

use std::future::Future;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::app::INTERRUPTED;
use crate::error::{Answer, CliError, Stop};

/// Runs a client command on this thread until it ends or Ctrl-C is pressed.
pub(crate) fn block_on(command: impl Future<Output = Answer>) -> Answer {
    run(Box::pin(command))
}

/// In a box: no command has a runtime compiled for itself.
fn run(command: LocalBoxFuture<'_, Answer>) -> Answer {
    let runtime = build(Builder::new_current_thread())?;
    end_what_does_not_yield()?;
    let answer = runtime.block_on(async {
        tokio::select! {
            // Ctrl-C first: it is listened for before the command does anything.
            biased;
            _ = tokio::signal::ctrl_c() => Err(Stop::Interrupted),
            answer = command => answer,
        }
    });
    if matches!(answer, Err(Stop::Interrupted)) && runtime.metrics().num_alive_tasks() > 0 {
        // What was dropped half-way may have somebody to tell: a registry cancels an upload.
        runtime.block_on(async { tokio::time::sleep(FAREWELL).await });
    }
    // Blocking work of an interrupted command is not waited for.
    runtime.shutdown_background();
    answer
}

/// Files are read and signatures checked on the thread of the command, which hears of Ctrl-C only in between. Another one
/// waits for it, too, and then a moment for the command to end by itself.
#[expect(clippy::exit, reason = "the thread that would return to `main` is the one that does not yield")]
fn end_what_does_not_yield() -> Result<(), CliError> {
    let runtime = build(Builder::new_current_thread())?;
    let interrupted = {
        let _entered = runtime.enter();
        interrupted()
    };
    let watch = move || {
        runtime.block_on(async {
            interrupted.await;
            tokio::time::sleep(PATIENCE).await;
            std::process::exit(INTERRUPTED.into());
        });
    };
    std::thread::Builder::new().spawn(watch).map(|_| ()).map_err(CliError::internal)
}

/// Runs a service. It handles Ctrl-C itself, to drain.
///
/// One core is left to the threads that hash and wait for the disk: with as many workers as cores, answers wait
/// for a time slice that one of the others has.
pub(crate) fn serve(service: impl Future<Output = Answer>) -> Answer {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(cores.saturating_sub(1).max(1));
    let service: LocalBoxFuture<'_, Answer> = Box::pin(service);
    build(builder)?.block_on(service)
}

/// Does work that takes long on this thread; the other tasks of a service go on elsewhere meanwhile.
pub(crate) fn at_length<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

fn build(mut builder: Builder) -> Result<Runtime, CliError> {
    builder.enable_all().build().map_err(CliError::internal)
}

/// Waits for Ctrl-C, or where there are signals for SIGTERM: from the call on, not only once it is waited for, so that a
/// service that has said that it is ready can be told to stop.
#[cfg(unix)]
pub(crate) fn stopped() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let [mut interrupt, mut terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        // Where a signal cannot be waited for, the other one still can.
        tokio::select! {
            Some(()) = received(&mut interrupt) => {}
            Some(()) = received(&mut terminate) => {}
            else => std::future::pending().await,
        }
    }
}

/// Waits for Ctrl-C: from the call on.
#[cfg(unix)]
fn interrupted() -> impl Future<Output = ()> {
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    async move {
        if received(&mut interrupt).await.is_none() {
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
async fn received(signal: &mut std::io::Result<tokio::signal::unix::Signal>) -> Option<()> {
    signal.as_mut().ok()?.recv().await
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn stopped() {
    interrupted().await
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

const FAREWELL: Duration = Duration::from_millis(300);
/// Longer than a farewell takes.
const PATIENCE: Duration = Duration::from_secs(1);
