//! `signet demo`: a real image is signed, verified, and attacked in five ways, on a registry of its own.
//!
//! Every command that is shown is run as shown, by this program in a process of its own; what it must
//! answer is fixed here, and anything else ends the demonstration as a failure.

mod attack;
mod image;
mod stage;

use std::path::Path;

use signet_server::registry::Config;
use signet_verify::Code;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::app::INTERRUPTED;
use crate::args::DemoArgs;
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::runtime;
use attack::Attacker;
use stage::{Expect, Stage};

/// Shows all steps; the status is yes only if each went as said.
pub(crate) fn run(args: &DemoArgs, face: Face) -> Answer {
    let directory = tempfile::Builder::new()
        .prefix("signet-demo-")
        .tempdir()
        .map_err(|error| CliError::unwritable(&std::env::temp_dir(), &error))?;
    let answer = runtime::serve(with_registry(args, face, directory.path()));
    close(directory, args.keep);
    answer
}

/// Removes the directory, or leaves it to the user.
fn close(directory: TempDir, keep: bool) {
    match keep {
        // The path was shown at the start.
        true => drop(directory.keep()),
        false => drop(directory),
    }
}

async fn with_registry(args: &DemoArgs, face: Face, directory: &Path) -> Answer {
    let config = Config::new(directory.join("registry"), LISTEN.into());
    let app = config.build().await?;
    let stage = Stage::new(face, directory, app.local_addr(), app.store().clone())?;
    let (stop, stopped) = oneshot::channel::<()>();
    // A dropped sender stops the registry as a message does.
    let registry = tokio::spawn(app.run(async { drop(stopped.await) }));
    let mut interrupted = std::pin::pin!(runtime::stopped());
    let shown = tokio::select! {
        biased;
        () = &mut interrupted => Err(Stop::Interrupted(INTERRUPTED)),
        shown = show(&stage, face) => shown,
    };
    if shown.is_ok() && args.keep {
        stage.say("The registry is left running; Ctrl-C stops it.")?;
        interrupted.await;
    }
    drop(stop);
    registry.await.map_err(CliError::internal)?;
    shown
}

async fn show(stage: &Stage, face: Face) -> Answer {
    stage.say(&format!(
        "A registry runs at {} for this demonstration, with everything in `{}`.",
        stage.registry,
        stage.directory.display()
    ))?;
    good(stage).await?;
    bad(stage).await?;
    stage.finish(face)?;
    Ok(Status::Yes)
}

/// What must be a yes.
async fn good(stage: &Stage) -> Result<(), Stop> {
    stage.step("Build an image of this program for two platforms, and push it")?;
    let (program, layout) = (stage.program.clone(), stage.directory.join(image::LAYOUT));
    let built = tokio::task::spawn_blocking(move || image::build(&program, &layout));
    built.await.map_err(CliError::internal)??;
    let app = stage.app("app:1");
    stage.signet(&["copy", "oci:image:good", &app], Expect::Yes).await?;

    stage.step("Make a key and sign: the index, and the image of each platform")?;
    stage.signet(&["keys", "generate", "--out", "demo", "--no-password"], Expect::Yes).await?;
    stage.signet(&["sign", "--key", "demo.key", &app], Expect::Yes).await?;

    stage.step("Verify: yes")?;
    stage.signet(&["verify", "--key", "demo.pub", &app], Expect::Yes).await
}

/// What must be refused, each for its own reason.
async fn bad(stage: &Stage) -> Result<(), Stop> {
    let attacker = Attacker::new(stage);
    let app = stage.app("app:1");
    let verify = ["verify", "--key", "demo.pub", &app];

    stage
        .step("Somebody changes a layer on the registry's disk: what is pulled has not the signed digest")?;
    let layer = attacker.change_layer().await?;
    stage.signet(&["copy", &app, "oci:pulled"], Expect::Refused(Code::DigestMismatch)).await?;
    layer.restore()?;

    stage.step("Somebody moves the tag to another image, and attaches the good image's signature to it")?;
    stage.signet(&["copy", "oci:image:other", &stage.app("app:2")], Expect::Yes).await?;
    attacker.swap("2").await?;
    stage.signet(&verify, Expect::Refused(Code::SubjectMismatch)).await?;
    attacker.swap_back().await?;

    stage.step("Somebody pushes an image that nobody signed")?;
    let unsigned = stage.app("unsigned:1");
    stage.signet(&["copy", "oci:image:other", &unsigned], Expect::Yes).await?;
    stage.signet(&["verify", "--key", "demo.pub", &unsigned], Expect::Refused(Code::Unsigned)).await?;

    stage.step("Verify with a key that did not sign")?;
    stage.signet(&["keys", "generate", "--out", "wrong", "--no-password"], Expect::Yes).await?;
    stage.signet(&["verify", "--key", "wrong.pub", &app], Expect::Refused(Code::SignerUnknown)).await?;

    stage.step("Somebody deletes the signature, which is still listed: that is not the same as unsigned")?;
    attacker.delete_signature().await?;
    stage.signet(&verify, Expect::Refused(Code::EvidenceUnread)).await
}

/// Loopback, on a port that is free.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
