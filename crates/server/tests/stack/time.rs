//! Where a stack has the time from.

use std::time::{SystemTime, UNIX_EPOCH};

use signet_server::stack::Config;
use signet_services::tsa::ntp::NtpConfig;
use tokio::net::UdpSocket;

/// Nobody is told that it is not ready yet, to find a moment later that it is.
#[tokio::test]
async fn time_servers_are_asked_before_a_stack_says_whether_it_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path().join("up"), ([127, 0, 0, 1], 0).into());
    let servers = [server().await, server().await, server().await];
    config.tsa.ntp = Some(NtpConfig::new(servers.to_vec(), None).unwrap());
    let stack = config.build().await.unwrap();
    assert_eq!(stack.services().tsa.doubt(), None);
    assert!(stack.services().readiness().iter().all(|(_, ready)| *ready));
}

/// A time server whose clock is this machine's.
async fn server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut asked = [0; 48];
        while let Ok((_, from)) = socket.recv_from(&mut asked).await {
            let mut answer = [0; 48];
            // Version 4, a server, the first of its kind; then the question's cookie, and the time twice.
            answer[..2].copy_from_slice(&[0b00_100_100, 1]);
            answer[24..32].copy_from_slice(&asked[40..]);
            for time in answer[32..].chunks_mut(8) {
                time.copy_from_slice(&now().to_be_bytes());
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

/// In units of 2^-32 seconds since 1900.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    ((now.as_secs() + 2_208_988_800) << 32) + fraction
}
