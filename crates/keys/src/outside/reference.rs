//! The names of keys that programs hold.

use std::fmt;

use super::{Fault, OutsideError};

/// `NAME://ID`: the key that the program `sigstore-kms-NAME` knows as `ID`.
#[derive(Clone, PartialEq, Eq)]
pub struct OutsideReference {
    text: String,
    /// How long `NAME` is.
    name: usize,
}

impl OutsideReference {
    /// Reads a reference; `None` if it is the path of a file.
    pub fn parse(text: &str) -> Result<Option<Self>, OutsideError> {
        let Some(name) = text.find(SEPARATOR) else { return Ok(None) };
        let reference = Self { text: text.to_owned(), name };
        match (reference.is_sound(), reference.is_secret()) {
            (_, true) => Err(reference.fault(Fault::Secret)),
            (true, false) => Ok(Some(reference)),
            (false, false) => Err(reference.fault(Fault::Malformed)),
        }
    }

    /// The name of the program.
    pub fn name(&self) -> &str {
        self.text.get(..self.name).unwrap_or_default()
    }

    /// What the program knows the key as.
    pub fn id(&self) -> &str {
        self.text.get(self.name + SEPARATOR.len()..).unwrap_or_default()
    }

    pub(super) fn fault(&self, fault: Fault) -> OutsideError {
        OutsideError { reference: self.to_string(), fault }
    }

    fn is_sound(&self) -> bool {
        let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let name =
            !self.name().starts_with('-') && !self.name().is_empty() && self.name().bytes().all(of_name);
        let id = !self.id().is_empty() && !self.id().chars().any(char::is_control);
        name && id && self.text.len() <= MAX
    }

    /// Whether it holds a PIN (RFC 7512) or a password as URLs do.
    fn is_secret(&self) -> bool {
        let authority = self.id().split(['/', '?']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        self.id().contains("pin-value=") || user.is_some_and(|user| user.contains(':'))
    }
}

impl fmt::Display for OutsideReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_secret() || !self.is_sound() {
            true => write!(f, "{}://…", self.name().escape_debug()),
            false => f.write_str(&self.text),
        }
    }
}

impl fmt::Debug for OutsideReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutsideReference({self})")
    }
}

const SEPARATOR: &str = "://";
/// Bytes of a reference.
pub(super) const MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> OutsideError {
        OutsideReference::parse(text).expect_err(text)
    }

    #[test]
    fn a_reference_names_a_program_and_its_key() {
        let reference = OutsideReference::parse("my-hsm://slot/1?object=a%20b").unwrap().unwrap();
        assert_eq!((reference.name(), reference.id()), ("my-hsm", "slot/1?object=a%20b"));
        assert_eq!(reference.to_string(), "my-hsm://slot/1?object=a%20b");
        for file in ["online.key", "./a:/b", "C:\\keys\\online.key", "/a//b"] {
            assert_eq!(OutsideReference::parse(file).unwrap(), None, "{file}");
        }
    }

    #[test]
    fn names_that_are_paths_or_nothing_are_no_programs() {
        let long = format!("a://{}", "b".repeat(MAX));
        for text in
            ["../evil://id", "a/b://id", "://id", "-x://id", "A://id", "a b://id", "a://", "a://b\nc", &long]
        {
            assert!(matches!(refused(text).fault, Fault::Malformed), "{text}");
        }
    }

    #[test]
    fn a_reference_with_a_secret_is_refused_and_not_repeated() {
        for text in ["hsm://token=a;object=b?pin-value=1234", "vault://user:1234@host/key"] {
            let error = refused(text);
            assert!(matches!(error.fault, Fault::Secret), "{text}");
            assert!(!format!("{error} {error:?}").contains("1234"), "{error:?}");
        }
    }
}
