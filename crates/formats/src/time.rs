//! Times as RFC 3339 text, and as whole seconds since 1970-01-01T00:00:00Z.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The second in which the moment lies; a fraction is cut off. Any offset is accepted.
pub fn parse(text: &str) -> Result<i64, TimeError> {
    moment(text).map(OffsetDateTime::unix_timestamp)
}

/// The first whole second not before the moment: for the start of a validity, which a cut-off
/// fraction would make too early.
pub fn parse_start(text: &str) -> Result<i64, TimeError> {
    let moment = moment(text)?;
    Ok(moment.unix_timestamp() + i64::from(moment.nanosecond() > 0))
}

/// The text of a time in UTC, `2026-11-21T11:00:00Z`; an error before year 0 and after year 9999.
pub fn format(seconds: i64) -> Result<String, TimeError> {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| TimeError)?;
    moment.format(&Rfc3339).map_err(|_| TimeError)
}

/// The digits of a time in UTC, `20261121110000`; an error as of [`format`].
pub(crate) fn digits(seconds: i64) -> Result<[u8; 14], TimeError> {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| TimeError)?;
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let year = u64::try_from(year).ok().filter(|year| *year <= 9999).ok_or(TimeError)?;
    let pairs = [u8::from(month), day, hour, minute, second];
    let mut number = pairs.iter().fold(year, |number, pair| number * 100 + u64::from(*pair));
    let mut digits = [b'0'; 14];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    Ok(digits)
}

/// The text is not an RFC 3339 time, or the time has no such text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an RFC 3339 time")
    }
}

impl std::error::Error for TimeError {}

fn moment(text: &str) -> Result<OffsetDateTime, TimeError> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(parse("2021-01-12T11:53:27Z"), Ok(1_610_452_407));
        assert_eq!(parse("2021-01-12T11:53:27.999Z"), Ok(1_610_452_407));
        assert_eq!(parse_start("2021-01-12T11:53:27.001Z"), Ok(1_610_452_408));
        assert_eq!(parse_start("2021-01-12T11:53:27.000Z"), Ok(1_610_452_407));
        assert_eq!(parse("2021-01-12T12:53:27+01:00"), Ok(1_610_452_407));
        assert_eq!(parse("1969-12-31T23:59:59.5Z"), Ok(-1));
        assert_eq!(format(1_610_452_407).unwrap(), "2021-01-12T11:53:27Z");
    }

    #[test]
    fn digits_are_those_of_the_text() {
        for seconds in [-62_167_219_200, -1, 0, 951_782_400, 1_610_452_407, 253_402_300_799] {
            let text: Vec<u8> = format(seconds).unwrap().bytes().filter(u8::is_ascii_digit).collect();
            assert_eq!(digits(seconds).unwrap(), text.as_slice(), "{seconds}");
        }
        for seconds in [-62_167_219_201, 253_402_300_800, i64::MAX, i64::MIN] {
            assert_eq!(digits(seconds), Err(TimeError), "{seconds}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "2021-01-12",
            "2021-01-12T11:53:27",
            "2021-13-12T11:53:27Z",
            "2021-02-30T00:00:00Z",
            " 2021-01-12T11:53:27Z",
        ] {
            assert_eq!(parse(text), Err(TimeError), "{text:?}");
        }
        assert_eq!(format(i64::MAX), Err(TimeError));
    }
}
