//! Programs that are asked one thing, and answer on their standard output.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::future::pending;
use std::io::{self, Read, Seek};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// What a program did that was asked.
#[derive(Debug)]
pub struct Answered {
    /// Whether it ended by itself, and as programs do that succeeded.
    pub success: bool,
    /// What it wrote to its standard output; one byte more than was to be read, where it wrote more.
    pub output: Vec<u8>,
    /// The beginning of what it wrote to its standard error.
    pub complaint: Vec<u8>,
}

/// Runs a program with these arguments, hands it `input`, and reads at most `most` bytes of what it answers. It is killed where
/// it writes more, and where the future is dropped.
pub async fn ask<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
    input: &[u8],
    most: usize,
) -> io::Result<Answered> {
    // A file and no pipe: what a program leaves running may keep a pipe open after it ended. Where none can be made, its
    // answer is all that counts.
    let complaints = tempfile::tempfile().ok();
    let stderr = complaints.as_ref().and_then(|file| file.try_clone().ok());
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr.map_or_else(Stdio::null, Stdio::from))
        .kill_on_drop(true)
        .spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input may still answer; its answer decides.
            let _ = stdin.write_all(input).await;
        }
        pending::<Infallible>().await
    };
    let mut output = Vec::new();
    if let Some(stdout) = stdout {
        let mut stdout = stdout.take(most as u64 + 1);
        // At once: a program may answer while it reads.
        tokio::select! {
            read = stdout.read_to_end(&mut output) => drop(read?),
            never = write => match never {},
        }
    }
    let success = output.len() <= most && child.wait().await?.success();
    Ok(Answered { success, output, complaint: complaints.map(beginning).transpose()?.unwrap_or_default() })
}

fn beginning(mut file: std::fs::File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(COMPLAINT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Bytes of a complaint that are read.
const COMPLAINT: u64 = 4096;
