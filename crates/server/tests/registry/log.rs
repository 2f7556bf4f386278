use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use reqwest::StatusCode;
use signet_server::registry::Config;
use signet_store::fs::{Disk, Faults, Step};

use crate::access::users;
use crate::harness::Registry;
use crate::lines::Lines;

#[tokio::test]
async fn a_request_is_logged_without_secrets() {
    let lines = Lines::of_this_thread();
    let mut registry = Registry::start_with(users).await;
    registry.log_in("ci", "ci-password");
    let asked = registry.get("/v2/team/app/tags/list?token=sesame").await;
    assert_eq!(asked.status(), StatusCode::NOT_FOUND);
    let lines = lines.said();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let (said, took) = line.split_once("ms=").unwrap();
    assert_eq!(said, "message=request method=GET path=\"/v2/team/app/tags/list\" status=404 ");
    assert!(took.trim_end().parse::<u64>().is_ok(), "{took}");
}

/// No upload finds room.
struct Full;

impl Faults for Full {
    fn before(&self, step: Step<'_>, path: &Path) -> io::Result<()> {
        let is_upload = path.components().any(|part| part.as_os_str() == "_uploads");
        match step {
            Step::Write(_) if is_upload => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

/// Nobody read of the full disk: the connection was closed on the client that still sent, and the log had no word.
#[tokio::test]
async fn a_full_disk_is_told_to_who_still_sends_and_to_the_operator() {
    let lines = Lines::of_this_thread();
    let full = |config: &mut Config, _: &Path| config.disk = Disk::with_faults(Arc::new(Full));
    let registry = Registry::start_with(full).await;
    for _ in 0..3 {
        let location = registry.start_upload("a").await;
        let (address, target) = (registry.address, location.clone());
        let told = tokio::task::spawn_blocking(move || send_much(address, &target)).await.unwrap().unwrap();
        assert!(told.starts_with("HTTP/1.1 507 "), "{told}");
        assert!(told.contains("the registry's disk is full"), "{told}");
        assert_eq!(registry.get(&location).await.status(), StatusCode::NOT_FOUND, "its room is given back");
    }
    let lines = lines.said();
    let failures: Vec<_> = lines.iter().filter(|line| line.contains("a request failed")).collect();
    assert!((1..=3).contains(&failures.len()), "{lines:?}");
    assert!(failures[0].contains("failure=507: the registry's disk is full method=PATCH path=\"/v2/a/"));
}

/// Sends all of a body before it reads the answer.
fn send_much(address: SocketAddr, target: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let size = 24 << 20;
    write!(stream, "PATCH {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {size}\r\n\r\n")?;
    stream.write_all(&vec![0; size])?;
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned())
}
