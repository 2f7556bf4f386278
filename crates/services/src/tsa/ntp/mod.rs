//! How far the clock is off by time servers, several of which have to agree (RFC 5905, as a client).

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
    /// `host:port` of each.
    pub servers: Vec<String>,
    /// How many have to agree; the others may be wrong or silent.
    pub agree: usize,
    /// How often they are asked.
    pub every: Duration,
}

impl NtpConfig {
    /// These servers, most of which have to agree, asked every 64 seconds.
    pub fn majority(servers: Vec<String>) -> Self {
        let agree = servers.len() / 2 + 1;
        Self { servers, agree, every: Duration::from_secs(64) }
    }
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

    /// Asks the servers again and again, for ever.
    pub async fn watch(&self) {
        loop {
            self.ask().await;
            sleep(self.config.every).await;
        }
    }

    /// Asks every server once. Without agreement the clock's bound is unknown from then on.
    pub async fn ask(&self) {
        let mut asked = Vec::new();
        for server in &self.config.servers {
            let (server, clock) = (server.clone(), Arc::clone(&self.clock));
            asked.push(tokio::spawn(async move { query(&server, clock.as_ref()).await }));
        }
        let mut samples = Vec::new();
        let mut sources = Vec::new();
        for (server, sample) in self.config.servers.iter().zip(asked) {
            let sample = sample.await.unwrap_or(Err("the query was cut off"));
            sources.push(SourceState {
                name: server.clone(),
                offset: sample.as_ref().map(|sample| sample.offset).map_err(|why| (*why).to_owned()),
                uncertainty: sample.as_ref().map_or(0, |sample| sample.error),
            });
            samples.extend(sample.ok());
        }
        let agreed = self.agree(&samples);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last { agreed, sources };
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
                return Packet::read(packet).sample(&sent, received);
            }
            // Somebody else's packet: the right one may still come.
            _ => {}
        }
    }
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

    fn sample(&self, sent: &Reading, received: Reading) -> Result<Sample, &'static str> {
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

const PACKET: usize = 48;
const FROM_1900_TO_1970: u64 = 2_208_988_800;
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
