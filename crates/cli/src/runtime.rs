//! The runtimes that commands run on.

use std::future::Future;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::error::{Answer, CliError, Stop};
use signals::{asked, ended};

/// Runs a client command on this thread until it ends, Ctrl-C is pressed or another signal asks for its end.
pub(crate) fn block_on(command: impl Future<Output = Answer>) -> Answer {
    run(Box::pin(command))
}

/// What comes of this before a command begins: signals end the process as they would any.
pub(crate) fn wait<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    build(Builder::new_current_thread())?.block_on(future)
}

/// In a box: no command has a runtime compiled for itself.
fn run(command: LocalBoxFuture<'_, Answer>) -> Answer {
    let runtime = build(Builder::new_current_thread())?;
    end_what_does_not_yield()?;
    let answer = runtime.block_on(async {
        tokio::select! {
            // Signals first: they are listened for before the command does anything.
            biased;
            status = ended() => Err(Stop::Interrupted(status)),
            answer = command => answer,
        }
    });
    if matches!(answer, Err(Stop::Interrupted(_))) && runtime.metrics().num_alive_tasks() > 0 {
        // What was dropped half-way may have somebody to tell: a registry cancels an upload.
        runtime.block_on(async { tokio::time::sleep(FAREWELL).await });
    }
    // Blocking work of an interrupted command is not waited for.
    runtime.shutdown_background();
    answer
}

/// Files are read and signatures checked on the thread of the command, which hears of signals only in between. Another one
/// waits for it, too, and then a moment for the command to end by itself.
#[expect(clippy::exit, reason = "the thread that would return to `main` is the one that does not yield")]
fn end_what_does_not_yield() -> Result<(), CliError> {
    let runtime = build(Builder::new_current_thread())?;
    let ended = {
        let _entered = runtime.enter();
        ended()
    };
    let watch = move || {
        runtime.block_on(async {
            let status = ended.await;
            tokio::time::sleep(PATIENCE).await;
            std::process::exit(status.into());
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

/// Waits for Ctrl-C or SIGTERM: from the call on, not only once it is waited for, so that a service that has said that
/// it is ready can be told to stop. From then on a second one ends the process.
pub(crate) fn stopped() -> impl Future<Output = ()> {
    let first = asked();
    async {
        first.await;
        tokio::spawn(end_once_asked_again());
    }
}

#[expect(clippy::exit, reason = "whoever drains a service hears of nothing else")]
async fn end_once_asked_again() {
    tracing::info!("stopping; asked once more, it does not wait for those who are being answered");
    // Who started it may pass on what the terminal has sent to both.
    tokio::time::sleep(ONE_WISH).await;
    let status = asked().await;
    std::process::exit(status.into());
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

#[cfg(unix)]
mod signals {
    use std::future::{Future, poll_fn};
    use std::sync::LazyLock;
    use std::task::Poll;

    use tokio::signal::unix::{SignalKind, signal};

    use crate::app::INTERRUPTED;

    /// Waits for Ctrl-C or SIGTERM, from the call on: what a shell shows for a process that it ended.
    pub(super) fn asked() -> impl Future<Output = u8> {
        first_of(&[(SignalKind::interrupt(), INTERRUPTED), (SignalKind::terminate(), TERMINATED)])
    }

    /// Waits for Ctrl-C, SIGTERM or SIGHUP, from the call on: what a shell shows for a process that it ended. What is half
    /// done is cleaned up then. What the process was started to ignore stays ignored, but for Ctrl-C.
    pub(super) fn ended() -> impl Future<Output = u8> {
        let others = [(SignalKind::terminate(), TERMINATED), (SignalKind::hangup(), HUNG_UP)];
        let mut kinds = vec![(SignalKind::interrupt(), INTERRUPTED)];
        kinds.extend(others.into_iter().filter(|(kind, _)| *IGNORED & bit(*kind) == 0));
        first_of(&kinds)
    }

    /// Waits for the first of these signals, from the call on: what stands beside it. One that cannot be waited for never
    /// comes.
    fn first_of(kinds: &[(SignalKind, u8)]) -> impl Future<Output = u8> + use<> {
        let heard = |(kind, status): &(SignalKind, u8)| Some((signal(*kind).ok()?, *status));
        let mut signals: Vec<_> = kinds.iter().filter_map(heard).collect();
        poll_fn(move |context| {
            let came = signals.iter_mut().find_map(|(signal, status)| {
                matches!(signal.poll_recv(context), Poll::Ready(Some(()))).then_some(*status)
            });
            came.map_or(Poll::Pending, Poll::Ready)
        })
    }

    /// The signals that the process was started to ignore, as `nohup` does it with SIGHUP: a bit for each. Where the system
    /// does not say it, SIGHUP is left alone and does what it always does.
    static IGNORED: LazyLock<u64> = LazyLock::new(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.unwrap_or_else(|| bit(SignalKind::hangup()))
    });

    fn bit(kind: SignalKind) -> u64 {
        1 << (kind.as_raw_value() - 1)
    }

    /// What a shell shows for a process that SIGTERM ended.
    const TERMINATED: u8 = 143;
    /// What a shell shows for a process that SIGHUP ended.
    const HUNG_UP: u8 = 129;
}

#[cfg(not(unix))]
mod signals {
    use crate::app::INTERRUPTED;

    pub(super) use self::ended as asked;

    /// Waits for Ctrl-C: what a shell shows for a process that it ended.
    pub(super) async fn ended() -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => INTERRUPTED,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Signals that come within this time are one.
const ONE_WISH: Duration = Duration::from_millis(500);
const FAREWELL: Duration = Duration::from_millis(300);
/// Longer than a farewell takes.
const PATIENCE: Duration = Duration::from_secs(1);
