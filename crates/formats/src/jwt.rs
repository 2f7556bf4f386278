//! Signed tokens (RFC 7519, RFC 7515): the compact form with three parts.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signet_crypto::{KeyAlgorithm, PublicKey, Scheme};

use crate::asn1::{self, Encode};
use crate::base64;
use crate::json::{self, JsonError};

/// The longest token that is read, in bytes. Real ones have 0.5 to 4 KiB.
pub const MAX_TOKEN_BYTES: usize = 32 * 1024;

/// A token whose signature nobody has checked yet.
#[derive(Clone, Debug)]
pub struct Jwt {
    algorithm: JwtAlgorithm,
    key_id: Option<String>,
    claims: Claims,
    /// What is signed: the first two parts and the dot between them.
    signing_input: String,
    signature: Vec<u8>,
}

impl Jwt {
    /// Reads a token. Refused are: an algorithm outside [`JwtAlgorithm`] (`none` above all), critical
    /// header parameters, keys that stand twice, and claims that are not one object.
    pub fn parse(token: &str) -> Result<Self, JwtError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::TooLarge);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, claims) = signing_input.split_once('.').ok_or(JwtError::Malformed)?;
        let decode = |part: &str| base64::decode_url(part).map_err(|_| JwtError::Malformed);
        let header = decode(header)?;
        let header: Header = json::parse(&header, MAX_TOKEN_BYTES).map_err(JwtError::Json)?;
        if header.crit.is_some() {
            return Err(JwtError::Critical);
        }
        let algorithm = JwtAlgorithm::named(&header.alg).ok_or(JwtError::Algorithm(header.alg))?;
        let claims = json::parse(&decode(claims)?, MAX_TOKEN_BYTES).map_err(JwtError::Json)?;
        Ok(Self {
            algorithm,
            key_id: header.kid,
            claims: Claims(claims),
            signing_input: signing_input.to_owned(),
            signature: decode(signature)?,
        })
    }

    /// The algorithm that the token says it is signed with.
    pub fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// Which key the token says it is signed with.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What the token claims; nothing of it is to be believed before [`Jwt::verify`].
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Checks the signature: a key of another algorithm never verifies.
    pub fn verify(&self, key: &PublicKey) -> Result<(), JwtError> {
        let scheme = self.algorithm.scheme(key.algorithm()).ok_or(JwtError::KeyMismatch)?;
        let signature = match self.algorithm.coordinate() {
            Some(length) => ecdsa_der(&self.signature, length).ok_or(JwtError::SignatureInvalid)?,
            None => self.signature.clone(),
        };
        let verified = key.verify(scheme, self.signing_input.as_bytes(), &signature);
        verified.map_err(|_| JwtError::SignatureInvalid)
    }
}

/// What is to be signed for a token of these claims; the signature, base64url, follows after a dot.
pub fn signing_input(algorithm: JwtAlgorithm, key_id: &str, claims: &Map<String, Value>) -> String {
    let header = serde_json::json!({ "alg": algorithm.name(), "kid": key_id, "typ": "JWT" });
    let claims = Value::Object(claims.clone());
    format!("{}.{}", base64::encode_url(header.to_string()), base64::encode_url(claims.to_string()))
}

/// What a token claims.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Claims from a JSON object.
    pub fn new(object: Map<String, Value>) -> Self {
        Self(object)
    }

    /// A claim, of any type.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A claim that is text and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A claim by the names on the way to it, each inside of the one before.
    pub fn at<N: AsRef<str>>(&self, names: &[N]) -> Option<&Value> {
        let (first, rest) = names.split_first()?;
        rest.iter().try_fold(self.value(first.as_ref())?, |value, name| value.get(name.as_ref()))
    }

    /// A time in whole seconds since 1970 (`NumericDate`); a fraction is cut off.
    pub fn time(&self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        // A date beyond 2^53 seconds is not a date.
        value.as_i64().or_else(|| value.as_f64().filter(|time| time.abs() < 9e15).map(|time| time as i64))
    }

    /// Whether the token is meant for this audience (RFC 7519 §4.1.3: one name or a list of them).
    pub fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(only)) => only == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        }
    }
}

/// The algorithms that tokens may be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl JwtAlgorithm {
    /// The name in the token's header.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(known, ..)| *known == self).map_or("", |(_, name, _)| name)
    }

    fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, known, _)| *known == name).map(|(algorithm, ..)| *algorithm)
    }

    /// The scheme of the algorithm, if a key of this kind can make it.
    fn scheme(self, key: KeyAlgorithm) -> Option<Scheme> {
        let (_, _, scheme) = TABLE.iter().find(|(known, ..)| *known == self)?;
        scheme.fits(key).then_some(*scheme)
    }

    /// The length of a number in an ECDSA signature, which JOSE writes as two of them (RFC 7518 §3.4).
    fn coordinate(self) -> Option<usize> {
        match self {
            Self::Es256 => Some(32),
            Self::Es384 => Some(48),
            Self::Es512 => Some(66),
            _ => None,
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a token was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtError {
    /// The algorithm is not one of [`JwtAlgorithm`].
    Algorithm(String),
    /// The header has critical parameters, none of which is known.
    Critical,
    /// Header or claims are not acceptable JSON.
    Json(JsonError),
    /// The key is not of the token's algorithm.
    KeyMismatch,
    /// It is not three parts of base64url with dots between.
    Malformed,
    /// The signature does not verify.
    SignatureInvalid,
    /// It is longer than [`MAX_TOKEN_BYTES`].
    TooLarge,
}

impl fmt::Display for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm(name) => write!(f, "the token's algorithm `{name}` is not accepted"),
            Self::Critical => f.write_str("the token's header has critical parameters, which are not known"),
            Self::Json(error) => write!(f, "the token's header or claims are unusable: {error}"),
            Self::KeyMismatch => f.write_str("the key is not one for the token's algorithm"),
            Self::Malformed => f.write_str("not a signed token: expected three base64url parts between dots"),
            Self::SignatureInvalid => f.write_str("the token's signature does not verify"),
            Self::TooLarge => f.write_str("the token is longer than 32 KiB"),
        }
    }
}

impl std::error::Error for JwtError {}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// The DER of an ECDSA signature that is two numbers of this length.
fn ecdsa_der(signature: &[u8], length: usize) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(length)?;
    (s.len() == length).then(|| asn1::sequence(&[&asn1::integer(r), &asn1::integer(s)]).der())
}

const TABLE: &[(JwtAlgorithm, &str, Scheme)] = &[
    (JwtAlgorithm::Rs256, "RS256", Scheme::RsaPkcs1Sha256),
    (JwtAlgorithm::Rs384, "RS384", Scheme::RsaPkcs1Sha384),
    (JwtAlgorithm::Rs512, "RS512", Scheme::RsaPkcs1Sha512),
    (JwtAlgorithm::Ps256, "PS256", Scheme::RsaPssSha256),
    (JwtAlgorithm::Ps384, "PS384", Scheme::RsaPssSha384),
    (JwtAlgorithm::Ps512, "PS512", Scheme::RsaPssSha512),
    (JwtAlgorithm::Es256, "ES256", Scheme::EcdsaP256Sha256),
    (JwtAlgorithm::Es384, "ES384", Scheme::EcdsaP384Sha384),
    (JwtAlgorithm::Es512, "ES512", Scheme::EcdsaP521Sha512),
    (JwtAlgorithm::EdDsa, "EdDSA", Scheme::Ed25519),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.AAAA", base64::encode_url(header), base64::encode_url(claims))
    }

    /// RFC 7515 §A.3: ES256.
    #[test]
    fn the_rfc_example_verifies_with_its_key_only() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let x = base64::decode_url("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").unwrap();
        let y = base64::decode_url("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0").unwrap();
        let key = PublicKey::from_bits(KeyAlgorithm::EcdsaP256, &[&[4], &x[..], &y].concat()).unwrap();
        let jwt = Jwt::parse(token).unwrap();
        assert_eq!(jwt.claims().text("iss"), Some("joe"));
        assert_eq!(jwt.claims().time("exp"), Some(1_300_819_380));
        assert_eq!(jwt.verify(&key), Ok(()));
        let tampered = Jwt::parse(&token.replace(".DtE", ".DtF")).unwrap();
        assert_eq!(tampered.verify(&key), Err(JwtError::SignatureInvalid));
        let other = PublicKey::from_bits(KeyAlgorithm::Ed25519, &[9; 32]).unwrap();
        assert_eq!(jwt.verify(&other), Err(JwtError::KeyMismatch));
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        let cases = [
            ("", JwtError::Malformed),
            ("a.b", JwtError::Malformed),
            ("a.b.c.d", JwtError::Malformed),
            (&token(r#"{"alg":"none"}"#, "{}"), JwtError::Algorithm("none".into())),
            (&token(r#"{"alg":"HS256"}"#, "{}"), JwtError::Algorithm("HS256".into())),
            (&token(r#"{"alg":"ES256","crit":["b64"]}"#, "{}"), JwtError::Critical),
            (
                &token(r#"{"alg":"ES256"}"#, r#"{"sub":"a","s\u0075b":"b"}"#),
                JwtError::Json(JsonError::DuplicateKey("sub".into())),
            ),
        ];
        for (token, why) in cases {
            assert_eq!(Jwt::parse(token).unwrap_err(), why, "{token}");
        }
        assert!(matches!(Jwt::parse(&token(r#"{"alg":"ES256"}"#, "[]")), Err(JwtError::Json(_))));
        assert_eq!(Jwt::parse(&"a".repeat(MAX_TOKEN_BYTES + 1)).unwrap_err(), JwtError::TooLarge);
    }

    #[test]
    fn claims_are_found_by_path_and_audience() {
        let claims: Claims = serde_json::from_str(
            r#"{"kubernetes.io":{"namespace":"ns","pod":{"name":"p"}},"aud":["a","b"],"exp":1.5e9,"e":""}"#,
        )
        .unwrap();
        assert_eq!(claims.at(&["kubernetes.io", "pod", "name"]).and_then(Value::as_str), Some("p"));
        assert_eq!(claims.at(&["kubernetes.io", "pod", "none"]), None);
        assert_eq!(claims.at(&["kubernetes.io.pod"]), None);
        assert!(claims.is_for("b") && !claims.is_for("c"));
        assert_eq!(claims.time("exp"), Some(1_500_000_000));
        assert_eq!(claims.text("e"), None);
    }
}
