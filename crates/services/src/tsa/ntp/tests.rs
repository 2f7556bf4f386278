use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::clock::ManualClock;

/// What a server does to its answer before it is sent.
type Twist = fn(&mut [u8; PACKET]);

/// A time server that says what it is told to say.
struct FalseServer {
    address: SocketAddr,
    /// How far its clock is ahead of the asker's, in microseconds.
    ahead: Arc<AtomicI64>,
    task: tokio::task::JoinHandle<()>,
}

impl FalseServer {
    async fn start(clock: Arc<ManualClock>, ahead: i64, twist: Twist) -> Self {
        Self::start_at("127.0.0.1:0", clock, ahead, twist).await
    }

    async fn start_at(place: &str, clock: Arc<ManualClock>, ahead: i64, twist: Twist) -> Self {
        let socket = UdpSocket::bind(place).await.unwrap();
        let address = socket.local_addr().unwrap();
        let ahead = Arc::new(AtomicI64::new(ahead));
        let own = Arc::clone(&ahead);
        let task = tokio::spawn(async move {
            let mut asked = [0; PACKET];
            while let Ok((_, from)) = socket.recv_from(&mut asked).await {
                let micros = clock.read().wall.as_micros() as i64 + own.load(Ordering::SeqCst);
                let time = ntp_time(Duration::from_micros(micros as u64)).to_be_bytes();
                let mut answer = [0; PACKET];
                // No warning, version 4, server; stratum 2; a root dispersion of 1/64 s.
                (answer[0], answer[1], answer[10]) = (0b00_100_100, 2, 4);
                answer[24..32].copy_from_slice(&asked[40..48]);
                answer[32..40].copy_from_slice(&time);
                answer[40..48].copy_from_slice(&time);
                twist(&mut answer);
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        Self { address, ahead, task }
    }

    fn name(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for FalseServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Some time in 2026.
fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(1_795_000_000))
}

fn bound(servers: &[&FalseServer], clock: &Arc<ManualClock>) -> NtpBound {
    let names = servers.iter().map(|server| server.name()).collect();
    let most = servers.len() / 2 + 1;
    NtpBound::new(NtpConfig::new(names, Some(most)).unwrap(), Arc::clone(clock) as Arc<dyn Clock>)
}

fn millis(bound: &NtpBound, clock: &ManualClock) -> Option<u128> {
    bound.bound(&clock.read()).map(|bound| bound.as_millis())
}

#[tokio::test]
async fn servers_that_agree_bound_the_clock_and_one_liar_does_not_count() {
    let clock = clock();
    let honest = |ahead| FalseServer::start(Arc::clone(&clock), ahead, |_| {});
    let (a, b, liar) = (honest(2_000).await, honest(-3_000).await, honest(7_200_000_000).await);
    let bound = bound(&[&a, &b, &liar], &clock);
    assert_eq!(millis(&bound, &clock), None, "nothing is known before the first answer");
    bound.ask().await;
    // 15.625 ms of dispersion, less what the two say differently: both are true from -13.6 to 12.6 ms.
    assert_eq!(millis(&bound, &clock), Some(13));
    assert_eq!(bound.sources().len(), 3);
    assert!(bound.sources().iter().any(|source| source.offset == Ok(7_200_000_000)));
}

#[tokio::test]
async fn servers_that_do_not_agree_bound_nothing() {
    let clock = clock();
    let honest = |ahead| FalseServer::start(Arc::clone(&clock), ahead, |_| {});
    let (a, b, c) = (honest(0).await, honest(1_000_000).await, honest(-1_000_000).await);
    let bound = bound(&[&a, &b, &c], &clock);
    bound.ask().await;
    assert_eq!(millis(&bound, &clock), None);
    a.ahead.store(1_000_000, Ordering::SeqCst);
    bound.ask().await;
    assert_eq!(millis(&bound, &clock), Some(1_015), "two agree that the clock is a second behind");
    a.ahead.store(0, Ordering::SeqCst);
    bound.ask().await;
    assert_eq!(millis(&bound, &clock), None, "what was agreed before does not outlast a disagreement");
}

#[tokio::test]
async fn a_step_of_the_clock_widens_the_bound_at_once_and_time_widens_it_slowly() {
    let clock = clock();
    let server = FalseServer::start(Arc::clone(&clock), 0, |_| {}).await;
    let bound = bound(&[&server], &clock);
    bound.ask().await;
    assert_eq!(millis(&bound, &clock), Some(15));
    clock.advance(Duration::from_secs(100));
    assert_eq!(millis(&bound, &clock), Some(25), "100 ppm of drift");
    let honest = clock.read().wall;
    clock.step_to(honest - Duration::from_secs(3600));
    assert_eq!(millis(&bound, &clock), Some(3_600_025));
    clock.step_to(honest + Duration::from_secs(2));
    assert_eq!(millis(&bound, &clock), Some(2_025));
    clock.step_to(honest);
    clock.advance(MAX_AGE);
    assert_eq!(millis(&bound, &clock), None, "too long ago");
}

#[tokio::test]
async fn answers_that_are_not_to_be_believed_say_why() {
    let cases: [(Twist, &str); 7] = [
        (|packet| packet[0] |= 0b1100_0000, "the server does not know the time"),
        (|packet| packet[1] = 16, "the server does not know the time"),
        (|packet| packet[1] = 0, "the server refuses"),
        (|packet| packet[0] = 0b00_100_011, "not an answer of a time server"),
        (|packet| packet[40] ^= 1, "the server's times contradict each other"),
        (|packet| packet[8] = 1, "the server is too far from its own source"),
        (|packet| packet[24] ^= 1, "no answer"),
    ];
    let clock = clock();
    for (twist, why) in cases {
        let server = FalseServer::start(Arc::clone(&clock), 0, twist).await;
        let bound = bound(&[&server], &clock);
        bound.ask().await;
        assert_eq!(bound.sources()[0].offset, Err(why.to_owned()));
        assert_eq!(millis(&bound, &clock), None);
    }
}

#[tokio::test]
async fn a_server_of_the_next_era_is_read_right() {
    // 2036-02-07T06:28:16Z is second 0 of era 1.
    let clock = Arc::new(ManualClock::at(2_085_978_496 - 1));
    let server = FalseServer::start(Arc::clone(&clock), 3_000_000, |_| {}).await;
    let bound = bound(&[&server], &clock);
    bound.ask().await;
    assert_eq!(bound.sources()[0].offset, Ok(3_000_000));
}

#[test]
fn a_majority_is_of_at_least_three_servers_none_of_which_is_named_twice() {
    let config = |servers: &[&str], agree| {
        NtpConfig::new(servers.iter().map(ToString::to_string).collect(), agree).map(|config| config.agree)
    };
    assert_eq!(config(&["a:123", "b:123"], None), Err(NtpConfigError::TooFew(2)));
    assert_eq!(config(&["a:123"], Some(1)), Ok(1), "whoever says so trusts the one");
    assert_eq!(config(&["a:123", "b:123", "c:123", "d:123"], None), Ok(3));
    let twice = config(&["a:123", "b:123", "A"], None);
    assert_eq!(twice, Err(NtpConfigError::Twice("A".to_owned())));
    for agree in [0, 4] {
        let refused = Err(NtpConfigError::Agree { agree, count: 3 });
        assert_eq!(config(&["a:1", "b:1", "c:1"], Some(agree)), refused);
    }
    for name in ["", "a:", ":123", "a:0", "a:65536", "a:b:1"] {
        assert_eq!(config(&[name], Some(1)), Err(NtpConfigError::Server(name.to_owned())));
    }
    let places = ["a", "A:1234", "127.0.0.1", "127.0.0.1:5", "::1", "[::1]:7"].map(place);
    let wanted = ["a:123", "a:1234", "127.0.0.1:123", "127.0.0.1:5", "[::1]:123", "[::1]:7"];
    assert_eq!(places, wanted.map(|place| Some(place.to_owned())));
}

#[tokio::test]
async fn a_server_of_two_names_has_one_vote() {
    let clock = clock();
    let liar = FalseServer::start(Arc::clone(&clock), 7_200_000_000, |_| {}).await;
    let honest = FalseServer::start(Arc::clone(&clock), 0, |_| {}).await;
    let names = vec![honest.name(), liar.name(), format!("localhost:{}", liar.address.port())];
    let bound = NtpBound::new(NtpConfig::new(names, None).unwrap(), Arc::clone(&clock) as Arc<dyn Clock>);
    bound.ask().await;
    assert_eq!(millis(&bound, &clock), None);
    let same = Err("it is the same server as another one".to_owned());
    assert_eq!(bound.sources().iter().filter(|source| source.offset == same).count(), 1);
}

#[tokio::test]
async fn a_server_that_comes_up_later_is_asked_again_soon() {
    let clock = clock();
    let place = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let mut config = NtpConfig::new(vec![place.clone()], Some(1)).unwrap();
    config.every = Duration::from_secs(24 * 3_600);
    let bound = Arc::new(NtpBound::new(config, Arc::clone(&clock) as Arc<dyn Clock>));
    assert!(!bound.ask().await, "nobody is there");
    let watched = Arc::clone(&bound);
    let watching = tokio::spawn(async move { watched.watch().await });
    let _server = FalseServer::start_at(&place, Arc::clone(&clock), 0, |_| {}).await;
    let known = async {
        while bound.bound(&clock.read()).is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), known).await.expect("it is asked before the next day");
    watching.abort();
}

#[test]
fn the_overlap_holds_every_point_that_enough_agree_on() {
    assert_eq!(overlap(&[(0, 10), (5, 15), (100, 110)], 2), Some((5, 10)));
    assert_eq!(overlap(&[(0, 10), (5, 15), (7, 8)], 2), Some((5, 10)));
    assert_eq!(overlap(&[(0, 10), (5, 15), (7, 8)], 3), Some((7, 8)));
    assert_eq!(overlap(&[(0, 4), (3, 8), (7, 12)], 2), Some((3, 8)));
    assert_eq!(overlap(&[(0, 1), (2, 3)], 2), None);
    assert_eq!(overlap(&[], 1), None);
}
