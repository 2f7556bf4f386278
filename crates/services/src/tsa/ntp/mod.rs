//! How far the clock is off by time servers, several of which have to agree (RFC 5905, as a client).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use signet_keys::random;
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::bound::{ClockBound, SourceState};
use crate::clock::{Clock, Reading};

/// Which servers to ask, and how many have to agree.
#[derive(Clone, Debug)]
pub struct NtpConfig {
    /// Host and port of each.
    servers: Vec<String>,
    /// How many have to agree; the others may be wrong or silent.
    agree: usize,
    /// How often they are asked.
    every: Duration,
}

impl NtpConfig {
    /// These servers, each `host` or `host:port`, asked every 64 seconds. Most of them have to agree, unless `agree` says how many; of
    /// fewer than [`MIN_SERVERS`] that has to be said, because one that is wrong could not be outvoted.
    pub fn new(servers: Vec<String>, agree: Option<usize>) -> Result<Self, NtpConfigError> {
        let mut places = BTreeSet::new();
        for server in servers {
            let place = place(&server).ok_or_else(|| NtpConfigError::Server(server.clone()))?;
            if !places.insert(place) {
                return Err(NtpConfigError::Twice(server));
            }
        }
        let count = places.len();
        let agree = match agree {
            Some(agree) if !(1..=count).contains(&agree) => {
                return Err(NtpConfigError::Agree { agree, count });
            }
            Some(agree) => agree,
            None if count < MIN_SERVERS => return Err(NtpConfigError::TooFew(count)),
            None => count / 2 + 1,
        };
        Ok(Self { servers: places.into_iter().collect(), agree, every: Duration::from_secs(64) })
    }
}

/// Host and port of a time server; `None` if it is neither a host nor both.
fn place(server: &str) -> Option<String> {
    let server = server.to_ascii_lowercase();
    if let Ok(address) = server.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some(SocketAddr::new(address, PORT).to_string());
    }
    match server.rsplit_once(':') {
        None => (!server.is_empty()).then(|| format!("{server}:{PORT}")),
        Some((host, port)) => {
            let is_host = !host.is_empty() && (!host.contains(':') || host.ends_with(']'));
            let is_place = is_host && port.parse::<u16>().is_ok_and(|port| port > 0);
            is_place.then_some(server)
        }
    }
}

/// The fewest time servers of which most can be right although one is wrong.
pub const MIN_SERVERS: usize = 3;

/// Why these are not the time servers to ask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NtpConfigError {
    /// More are to agree than there are.
    #[error("{agree} time servers cannot agree, there are {count}")]
    Agree {
        /// How many are to.
        agree: usize,
        /// How many there are.
        count: usize,
    },
    /// It is no address.
    #[error("`{0}` is no time server: name it as `host` or `host:port`")]
    Server(String),
    /// One is wrong, and nobody notices.
    #[error(
        "{0} time servers cannot outvote one that is wrong: name at least {MIN_SERVERS}, or say how many have to agree"
    )]
    TooFew(usize),
    /// One server would have two votes.
    #[error("the time server `{0}` is named twice")]
    Twice(String),
}

/// The bound that time servers put on the clock. The servers are asked as long as [`NtpBound::watch`] runs.
pub struct NtpBound {
    config: NtpConfig,
    clock: Arc<dyn Clock>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    agreed: Option<Agreed>,
    sources: Vec<SourceState>,
}

/// That the true time is between `low` and `high` microseconds ahead of the clock, when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Agreed {
    read: Reading,
    low: i64,
    high: i64,
}

impl NtpBound {
    /// A bound that knows nothing yet.
    pub fn new(config: NtpConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock, last: Mutex::default() }
    }

    /// Asks the servers again and again, for ever: while they do not agree soon again, then more rarely.
    pub async fn watch(&self) {
        let mut retry = FIRST_PAUSE;
        loop {
            let agreed = self.ask().await;
            let pause = if agreed { self.config.every } else { retry.min(self.config.every) };
            retry = if agreed { FIRST_PAUSE } else { pause * 2 };
            sleep(pause).await;
        }
    }

    /// Asks every server once, and says whether enough agree. If not, the clock's bound is unknown from then on.
    pub async fn ask(&self) -> bool {
        let mut asked = Vec::new();
        for server in &self.config.servers {
            let (server, clock) = (server.clone(), Arc::clone(&self.clock));
            asked.push(tokio::spawn(async move { query(&server, clock.as_ref()).await }));
        }
        let (mut samples, mut sources) = (Vec::new(), Vec::new());
        // Two names of one server are one vote.
        let mut heard = BTreeSet::new();
        for (server, sample) in self.config.servers.iter().zip(asked) {
            let sample = sample.await.unwrap_or(Err("the query was cut off"));
            let sample = sample.and_then(|sample| match heard.insert(sample.from) {
                true => Ok(sample),
                false => Err("it is the same server as another one"),
            });
            sources.push(SourceState {
                name: server.clone(),
                offset: sample.as_ref().map(|sample| sample.offset).map_err(|why| (*why).to_owned()),
                uncertainty: sample.as_ref().map_or(0, |sample| sample.error),
            });
            samples.extend(sample.ok());
        }
        let agreed = self.agree(&samples);
        let is_agreed = agreed.is_some();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last { agreed, sources };
        is_agreed
    }

    /// What the samples say together, about the clock as it is now.
    fn agree(&self, samples: &[Sample]) -> Option<Agreed> {
        let read = self.clock.read();
        let intervals = samples.iter().map(|sample| {
            let (low, high) = (sample.offset - stepped(&sample.read, &read), sample.error as i64);
            (low.saturating_sub(high), low.saturating_add(high))
        });
        let (low, high) = overlap(&intervals.collect::<Vec<_>>(), self.config.agree)?;
        Some(Agreed { read, low, high })
    }
}

impl ClockBound for NtpBound {
    fn bound(&self, read: &Reading) -> Option<Duration> {
        let agreed = self.last.lock().unwrap_or_else(PoisonError::into_inner).agreed?;
        let age = read.steady.checked_sub(agreed.read.steady).filter(|age| *age <= MAX_AGE)?;
        // Whoever sets the clock moves it away from the true time by as much.
        let step = stepped(&agreed.read, read);
        let low = agreed.low.saturating_sub(step).unsigned_abs();
        let high = agreed.high.saturating_sub(step).unsigned_abs();
        let drift = age.as_micros() as u64 * MAX_DRIFT_PPM / 1_000_000;
        Some(Duration::from_micros(low.max(high).saturating_add(drift)))
    }

    fn sources(&self) -> Vec<SourceState> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).sources.clone()
    }
}

/// By how many microseconds the wall clock was set forward between two readings.
fn stepped(earlier: &Reading, later: &Reading) -> i64 {
    let wall = difference(later.wall, earlier.wall);
    wall.saturating_sub(difference(later.steady, earlier.steady))
}

fn difference(later: Duration, earlier: Duration) -> i64 {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    micros(later).saturating_sub(micros(earlier))
}

/// The smallest interval that holds every point which at least `agree` of the intervals cover: if no more
/// than the others are wrong, the truth is inside.
fn overlap(intervals: &[(i64, i64)], agree: usize) -> Option<(i64, i64)> {
    let covered = |point: i64| intervals.iter().filter(|(low, high)| (*low..=*high).contains(&point)).count();
    let agreed = |point: &i64| covered(*point) >= agree.max(1);
    let low = intervals.iter().map(|(low, _)| *low).filter(agreed).min()?;
    let high = intervals.iter().map(|(_, high)| *high).filter(agreed).max()?;
    Some((low, high))
}

/// What one server said.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Who said it.
    from: SocketAddr,
    /// When the answer came.
    read: Reading,
    /// How far the server's clock is ahead, in microseconds.
    offset: i64,
    /// How far that may be off, in microseconds.
    error: u64,
}

async fn query(server: &str, clock: &dyn Clock) -> Result<Sample, &'static str> {
    let within = timeout(ANSWER_WITHIN, exchange(server, clock));
    within.await.unwrap_or(Err("no answer"))
}

async fn exchange(server: &str, clock: &dyn Clock) -> Result<Sample, &'static str> {
    let mut addresses = tokio::net::lookup_host(server).await.map_err(|_| "the name has no address")?;
    let address = addresses.next().ok_or("the name has no address")?;
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.map_err(|_| "no socket")?;
    socket.connect(address).await.map_err(|_| "unreachable")?;
    // The server repeats it, so that an answer cannot be guessed from afar; our time is nobody's business.
    let cookie: [u8; 8] = random().map_err(|_| "no random number")?;
    let sent = clock.read();
    socket.send(&request(cookie)).await.map_err(|_| "unreachable")?;
    let mut answer = [0; PACKET + 1];
    loop {
        let length = socket.recv(&mut answer).await.map_err(|_| "unreachable")?;
        let received = clock.read();
        match answer.first_chunk::<PACKET>() {
            Some(packet) if length == PACKET && packet.get(24..32) == Some(&cookie[..]) => {
                return Packet::read(packet).sample(canonical(address), &sent, received);
            }
            // Somebody else's packet: the right one may still come.
            _ => {}
        }
    }
}

/// The address as such: an address of IPv4 has two forms.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn request(cookie: [u8; 8]) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    let [first, .., a, b, c, d, e, f, g, h] = &mut packet;
    // No warning, version 4, client.
    *first = 0b00_100_011;
    [*a, *b, *c, *d, *e, *f, *g, *h] = cookie;
    packet
}

/// The fields of an answer that matter.
struct Packet {
    leap: u8,
    mode: u8,
    stratum: u8,
    /// In units of 2^-16 seconds.
    root_delay: u32,
    root_dispersion: u32,
    /// In units of 2^-32 seconds since 1900, modulo 2^64.
    received: u64,
    transmitted: u64,
}

impl Packet {
    fn read(packet: &[u8; PACKET]) -> Self {
        let word = |at: usize| {
            packet.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
        };
        let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        let [first, stratum, ..] = *packet;
        Self {
            leap: first >> 6,
            mode: first & 7,
            stratum,
            root_delay: word(4),
            root_dispersion: word(8),
            received: long(32),
            transmitted: long(40),
        }
    }

    fn sample(&self, from: SocketAddr, sent: &Reading, received: Reading) -> Result<Sample, &'static str> {
        const SERVER: u8 = 4;
        match (self.mode, self.leap, self.stratum) {
            (SERVER, 0..=2, 1..=15) => {}
            (SERVER, _, 0) => return Err("the server refuses"),
            (SERVER, ..) => return Err("the server does not know the time"),
            _ => return Err("not an answer of a time server"),
        }
        // How long it took by the clock that nobody sets.
        let round_trip = difference(received.steady, sent.steady);
        let inside = micros(self.transmitted.wrapping_sub(self.received));
        let travel = round_trip.checked_sub(inside).filter(|travel| *travel >= 0 && inside >= 0);
        let travel = travel.ok_or("the server's times contradict each other")?;
        let there = micros(self.received.wrapping_sub(ntp_time(sent.wall)));
        let back = micros(self.transmitted.wrapping_sub(ntp_time(received.wall)));
        let root = short_micros(self.root_delay) / 2 + short_micros(self.root_dispersion);
        match root <= MAX_ROOT_MICROS {
            true => Ok(Sample {
                from,
                read: received,
                offset: there / 2 + back / 2,
                error: travel.unsigned_abs() / 2 + root + RESOLUTION_MICROS,
            }),
            false => Err("the server is too far from its own source"),
        }
    }
}

fn ntp_time(since_1970: Duration) -> u64 {
    let seconds = since_1970.as_secs().wrapping_add(FROM_1900_TO_1970);
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

/// Microseconds of a difference of two times, which is less than 68 years either way.
fn micros(difference: u64) -> i64 {
    let wide = (i128::from(difference as i64) * 1_000_000) >> 32;
    i64::try_from(wide).unwrap_or(i64::MAX)
}

fn short_micros(short: u32) -> u64 {
    (u64::from(short) * 1_000_000) >> 16
}

/// Where time servers answer.
const PORT: u16 = 123;
const PACKET: usize = 48;
const FROM_1900_TO_1970: u64 = 2_208_988_800;
/// A server or the network that comes up after the authority is not waited for as long as between two rounds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// More than a quartz drifts, so that the bound holds between two queries.
const MAX_DRIFT_PPM: u64 = 100;
/// After this long without agreement the bound is unknown.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);
const MAX_ROOT_MICROS: u64 = 1_500_000;
/// What rounding here can lose.
const RESOLUTION_MICROS: u64 = 4;

#[cfg(test)]
mod tests;
