//! The one table of stable codes. Help, docs, JSON, `signet explain` and exit codes come from it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Whose turn it is after a code, and so the exit status of a command that ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The answer is no: denied, or not valid. Exit status 1.
    Denied,
    /// The caller asked wrongly or gave unusable files. Exit status 2.
    Usage,
    /// No answer could be had: network, trust, limits. Exit status 3.
    Undecided,
    /// A defect of Signet. Exit status 4.
    Internal,
}

impl Class {
    /// The exit status of a command that ends in this class.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Denied => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::Internal => 4,
        }
    }
}

macro_rules! codes {
    ($($number:literal $name:ident $class:ident $title:literal $why:literal $hint:literal)*) => {
        /// A stable reason code, written `SGN-nnnn`. A number never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number after `SGN-`.
            pub fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// What kind of ending it is.
            pub fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }

            /// What happened, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Why it is a reason to stop.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$name => $why,)* }
            }

            /// What to do about it.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)* }
            }
        }
    };
}

codes! {
    // What was, or was not, found for the subject.
    1001 Unsigned Denied "no signature was found"
        "Everything attached to the image was read, and none of it is a signature of a kind that is verified here: a Sigstore bundle, or cosign's."
        "sign it with `signet sign --key KEY IMAGE`, or check that the signature was copied along with the image"
    1002 SubjectMismatch Denied "the signature is for something else"
        "A signature names the digest it was made for, and that digest is not the one being verified."
        "check that the tag or file was not swapped; sign the digest that is there now if it is the right one"
    1003 MessageDigestMismatch Denied "the bundle states another digest than the artifact has"
        "A message signature carries the digest of the signed message; where it differs from the artifact's, one of them was exchanged."
        "fetch artifact and bundle again from their source"

    // The form of evidence.
    1101 EvidenceMalformed Denied "the evidence is malformed"
        "Bytes that stand where a signature should be do not have the form of their media type."
        "sign again, or remove what was attached; `signet inspect` shows what it is"
    1102 BundleVersionUnsupported Denied "the bundle's version is not supported"
        "Sigstore bundles of versions 0.1, 0.2 and 0.3 are read. What an unknown version demands cannot be checked."
        "update Signet, or sign with a client that writes version 0.3"
    1103 DuplicateJsonKey Denied "a JSON key stands twice"
        "Two parsers may each take another of the two values, so a document with a duplicate key has no one meaning."
        "sign again with a client that writes sound JSON"
    1104 AmbiguousContent Denied "the evidence does not hold exactly one content"
        "A bundle carries either a message signature or an envelope, and one kind of key material: not both, and not neither."
        "sign again with a client that writes sound bundles"
    1105 Base64Invalid Denied "a base64 value is malformed"
        "Only canonical standard base64 is read, so that one value has one spelling."
        "sign again with a client that writes sound base64"
    1106 KeyMaterialUnusable Denied "the key material in the evidence cannot be used"
        "The bundle's key material is absent, of an unknown kind, or not what this verification asks for."
        "verify a key-signed artifact with `--key`, a certificate-signed one with `--certificate-identity`"
    1107 CertificateChainForm Denied "the certificate chain in the bundle is not allowed"
        "A version 0.3 bundle carries the signing certificate alone; older ones a chain that is neither empty nor holds a root."
        "sign again with a client that follows the bundle specification"
    1108 LogEntryForm Denied "a log entry in the evidence is malformed"
        "Indexes must be in range, an entry may stand once, and each bundle version demands a promise or a proof."
        "sign again with a client that follows the bundle specification"
    1109 StatementMalformed Denied "the signed statement is malformed"
        "The payload of the envelope is not an in-toto statement, or the payload of a simple signature has another form."
        "sign again; `signet inspect` shows the payload"
    1110 PayloadTypeUnsupported Denied "the envelope's payload type is not supported"
        "Only in-toto statements (`application/vnd.in-toto+json`) are understood inside a DSSE envelope."
        "sign a statement, or verify the envelope with the tool that made it"
    1111 EvidenceLimit Undecided "a size or count limit of the evidence was exceeded"
        "Every size, count and depth of what is read is bounded, so that nobody can exhaust the verifier."
        "remove what does not belong to the image; the limits are listed in the reference"

    // Signatures and keys.
    1201 SignatureInvalid Denied "the signature does not verify"
        "The signature was not made by this key over these bytes: the payload was changed or another key was used. RSA-PSS signatures are read with a salt as long as the hash and no other."
        "check that the key is the signer's; if it is, the content was tampered with"
    1202 SchemeUnsupported Denied "the signature's algorithm is not supported"
        "The key, or the way in which it signed, is not on the list of accepted algorithms."
        "sign with ECDSA, RSA of at least 2048 bits, Ed25519 or ML-DSA"
    1203 ContentNeeded Undecided "the whole content is needed to check this signature"
        "Pure Ed25519 and ML-DSA sign the message itself and not its digest; such signatures are checked for files of up to 64 MiB."
        "sign a statement over the digest instead: `signet sign-blob` does so for these keys"
    1204 SignerUnknown Denied "the signer is not one of the policy's principals"
        "The signature may be sound, but nobody the policy names made it."
        "give the signer's key with `--key`, or the identity with `--certificate-identity`; `signet inspect` shows who signed"

    1205 KeyOutsideValidity Denied "the key was not trusted at that time"
        "The trust snapshot limits the time in which the key is trusted, and the time of signing lies outside."
        "sign with the current key, or check the age of the trust snapshot"

    // Certificates.
    1301 CertificateMalformed Denied "the signing certificate is malformed"
        "The certificate is not strict DER of a version 3 certificate, or says one thing twice."
        "sign again with a certificate of a sound authority"
    1302 IssuerUntrusted Denied "no trusted authority issued the certificate"
        "The certificate does not chain to an authority of the trust root."
        "check that `--trusted-root` is the one of the instance that signed"
    1303 CertificateOutsideValidity Denied "the certificate was not valid at the proven time"
        "Each proven time of signing must lie in the validity of every certificate of the chain."
        "sign again within the certificate's life"
    1304 CertificateUsage Denied "the certificate is not for code signing"
        "A signing certificate carries the extended key usage codeSigning and is no authority itself."
        "use a certificate that was issued for code signing"
    1305 SctMissing Denied "the certificate has too few valid certificate-transparency timestamps"
        "The policy asks that the certificate was logged by a known CT log, and proof of that is missing. Logs of one operator count once."
        "use a CA whose certificates embed timestamps of a log in the trust root"
    1306 SctInvalid Denied "a certificate-transparency timestamp does not verify"
        "The embedded timestamp was not made by the log it names over this certificate."
        "check that `--trusted-root` is the one of the instance that signed"
    1307 AuthorityOutsideValidity Denied "the authority was not trusted at that time"
        "The trust root limits the time in which an authority is trusted, and the proven time lies outside."
        "check the age of the trust root"
    1308 TimeUnproven Denied "no trusted time of signing"
        "A certificate lives for minutes; without a time from a log or timestamp authority nobody knows that it signed within them."
        "sign with a transparency log or a timestamp authority"

    // Transparency logs.
    1401 LogUnknown Denied "the log is not in the trust root"
        "An entry of a log that is not trusted proves nothing."
        "check that `--trusted-root` is the one of the instance that signed"
    1402 LogEntryMissing Denied "too few entries of trusted transparency logs"
        "The policy asks for proof that the signature was logged, and there is not enough. Logs of one operator count once."
        "sign with a transparency log, or ask for none in the policy; if it was logged, fetch the newest trusted root: the log, or its newest shard, may not be in this one"
    1403 SetInvalid Denied "the log's signed entry timestamp does not verify"
        "The log's promise to include the entry was not signed by its key, or the entry was changed afterwards."
        "treat the evidence as tampered with; sign again"
    1404 InclusionProofInvalid Denied "the log entry's inclusion proof does not verify"
        "The proof does not lead from the entry to the tree that the log signed."
        "treat the evidence as tampered with; sign again"
    1405 CheckpointInvalid Denied "the log's checkpoint is malformed or not signed by the log"
        "A checkpoint states origin, size and root of the log and carries the log's signature."
        "check that `--trusted-root` is the one of the instance that signed"
    1406 CheckpointMismatch Denied "the checkpoint and the inclusion proof disagree"
        "Both state the tree's size and root; where they differ the proof is about another tree."
        "treat the evidence as tampered with; sign again"
    1407 LogEntryMismatch Denied "the log entry is about another signature"
        "Digest, signature and key of the logged entry must be those of the evidence, field by field."
        "treat the evidence as tampered with; sign again"
    1408 IntegratedTimeFuture Denied "the log's time lies in the future"
        "The log states a time later than the time of this decision."
        "check this machine's clock; if it is right the evidence is not"
    1409 LogOutsideValidity Denied "the log was not trusted at that time"
        "The trust root limits the time in which a log is trusted, and the entry's time lies outside."
        "check the age of the trust root"
    1410 LogEntryKindUnsupported Denied "the log entry's kind or version is not supported"
        "hashedrekord, dsse and intoto entries of Rekor v1 and hashedrekord and dsse of Rekor v2 are understood."
        "sign again with a current client"
    1411 WitnessesMissing Denied "too few witness cosignatures"
        "The policy asks that independent witnesses saw the log's checkpoint."
        "wait until the witnesses have cosigned, or lower the quorum in the policy"

    // Timestamps.
    1501 TimestampMalformed Denied "a timestamp is malformed"
        "The token is not an RFC 3161 timestamp of the accepted profile."
        "sign again with a sound timestamp authority"
    1502 TimestampImprintMismatch Denied "a timestamp is for another signature"
        "The token's message imprint is not the hash of this signature."
        "treat the evidence as tampered with; sign again"
    1503 TimestampUntrusted Denied "no trusted authority made the timestamp"
        "The token's certificate does not chain to a timestamp authority of the trust root."
        "check that `--trusted-root` is the one of the instance that signed"
    1504 TimestampInvalid Denied "a timestamp's signature does not verify"
        "The token was changed, or not signed by the certificate it names."
        "treat the evidence as tampered with; sign again"
    1505 TimestampOutsideValidity Denied "the timestamp lies outside the authority's validity"
        "The time must lie in the life of the authority's certificates and in the window of the trust root, ends included."
        "check the age of the trust root"
    1506 TimestampMissing Denied "too few trusted timestamps"
        "The policy asks for timestamps of trusted authorities, and there are not enough. Authorities of one operator count once."
        "sign with a timestamp authority, or ask for none in the policy"
    1507 TimestampFuture Denied "the timestamp lies in the future"
        "The authority states a time later than the time of this decision."
        "check this machine's clock; if it is right the evidence is not"

    // Policy.
    1601 IdentityMismatch Denied "the certificate is of another identity"
        "The certificate's subject, issuer or claims are not what the policy asks for."
        "compare what was found with what was wanted; correct the policy or find out who signed"
    1602 ThresholdNotMet Denied "too few distinct principals have signed"
        "The policy counts distinct principals with a sound signature; one principal counts once however often it signed."
        "have the missing principals sign"
    1603 PredicateTypeMismatch Denied "the statement is of another predicate type"
        "An attestation is no signature, and one kind of attestation is not another."
        "ask for the predicate type in the policy, or sign the image"
    1604 RepositoryMismatch Denied "the signature names another repository"
        "The policy demands that the signed repository name is the one the image was asked by."
        "sign under the new name, or let the policy note the mismatch only, as for mirrors"
    1605 AnnotationMismatch Denied "the signature lacks an annotation that is asked for"
        "The annotations of a rule must be in what was signed, with these values."
        "compare what was found with what was wanted; sign again with `--annotations`"
    1606 RepositoryUnsigned Denied "the signature names no repository"
        "The policy requires that the signature names the repository it is for, and this one names none."
        "sign with a client that signs the name of the image, or let the policy say `repository: deny`"
    1607 RepositoryUnknown Denied "the image was asked for without a repository"
        "The policy demands that the signed repository name is the one the image was asked by, and a layout has none."
        "verify the image where it is served, or let the policy note the mismatch only"

    // No decision.
    1701 EvidenceUnread Undecided "some evidence could not be read"
        "The policy is not satisfied by what could be read, and what could not be read might have satisfied it."
        "try again; the reasons stand beside each piece that was not read"
    1702 BudgetExhausted Undecided "the work budget was used up"
        "A decision does a bounded number of signature checks, so that nobody can exhaust the verifier by attaching junk."
        "remove what does not belong to the image"
    1703 TrustUnusable Undecided "the trust snapshot cannot be used"
        "A certificate or key of the trust root is malformed, so that nothing can be decided by it."
        "fetch the trust root again"

    // The distribution of trust (TUF).
    1801 TrustMalformed Undecided "trust metadata is malformed or exceeds a limit"
        "Root, timestamp, snapshot and targets metadata follow the specification of TUF 1.x, within bounds of size and number."
        "check that the URL is a TUF repository's; report it to its operator"
    1802 TrustSignatures Undecided "trust metadata is not signed by enough of its keys"
        "Each role is signed by as many distinct keys as the root, or the role that delegates to it, says. Nothing of the file was used."
        "check that the pinned root is this repository's; if it is, treat the repository as tampered with and tell its operator"
    1803 TrustExpired Undecided "trust metadata has expired"
        "Metadata states until when it may be used, so that nobody can hold newer trust back for long."
        "run `signet trust update`, or import a newer bundle; check this machine's clock; if both are right the repository's operator has to sign again"
    1804 TrustRollback Undecided "trust metadata is older than what was seen before"
        "Versions never go back and nothing that was listed disappears, or withdrawn keys could be brought back."
        "treat the repository or mirror as tampered with and tell its operator"
    1805 TrustMismatch Undecided "trust metadata is not what was stated of it"
        "The timestamp states the snapshot's version, the snapshot that of all targets metadata, and these the length and hashes of the targets."
        "the repository may be changing or a mirror may be incomplete: try again, then tell its operator"
    1806 TrustMissing Undecided "a file of the trust repository is not there"
        "The metadata names a file that the repository, the store or the bundle does not have."
        "run `signet trust update`; if it says the same, tell the repository's operator"
    1807 TrustUnreachable Undecided "the trust repository could not be reached"
        "No answer, or one that says nothing about the file. What is pinned and stored was not changed."
        "check the URL, the network and the proxy settings, then try again; `signet trust import` takes a bundle instead"
    1808 TrustNotPinned Usage "no trust root is pinned"
        "The directory of trusted metadata is empty: nothing says which root to begin with."
        "run `signet trust init --root ROOT.json URL` with a root that you got from its owner"

    // Registries.
    2001 RegistryUnreachable Undecided "the registry could not be reached"
        "No connection, or it broke. That says nothing about the image."
        "check the name, the network and the proxy settings, then try again"
    2002 RegistryUnauthorized Undecided "the registry wants credentials"
        "The registry answered 401: no credentials were found for it, or it did not take them."
        "log in with `docker login`, `podman login` or `oras login`; `signet doctor` shows which file is read"
    2003 RegistryForbidden Undecided "the registry does not allow this"
        "The registry answered 403: the credentials are known but lack the right."
        "ask for pull (and to sign: push) rights on the repository"
    2004 ImageNotFound Undecided "the image is not there"
        "The registry answered that it has no such repository, tag or digest; a layout or archive does not have it."
        "check the spelling of the reference"
    2005 RegistryTimeout Undecided "the registry took too long"
        "Each request and each transfer has a time limit."
        "try again, or raise the limit with `--timeout`"
    2006 ResponseTooLarge Undecided "there is more than may be read"
        "Manifests, signatures and lists have limits; a registry, layout or archive that exceeds them is broken or hostile."
        "check what is stored there; the limits are listed in the reference"
    2007 DigestMismatch Undecided "other bytes came than were asked for"
        "Content is asked for by its digest, and what came has another. Nothing of it was used."
        "the registry, a proxy or the disk damages content; report it to its operator, or restore the file"
    2008 RegistryResponseMalformed Undecided "the registry's answer is malformed"
        "The answer does not follow the OCI distribution specification."
        "check that the address is a registry's; report it to its operator"
    2009 RegistryRateLimited Undecided "the registry asks to slow down"
        "The registry answered 429 to every try."
        "wait, log in, or use a mirror"
    2010 RedirectRefused Undecided "a redirect of the registry was refused"
        "Too many redirects, or one from HTTPS to HTTP or to an address that is no HTTP address."
        "report it to the registry's operator"
    2011 PlainHttpRefused Undecided "plain HTTP is allowed to loopback only"
        "Without TLS anybody on the way can read credentials and change answers."
        "give the registry a certificate, or name it with `--allow-http-registry=HOST`"
    2012 CredentialHelperFailed Undecided "a credential helper failed"
        "The helper program named in the docker configuration could not be run or gave no usable answer."
        "run the helper by hand, as `docker-credential-NAME get` with the registry's name on standard input"
    2013 TlsFailed Undecided "no trusted TLS connection with the registry"
        "The registry could not prove its name, or did not accept the client certificate. That says nothing about the image."
        "add its authority with `--registry-cacert`; a client certificate is given with `--registry-client-cert` and `--registry-client-key`"
    2014 ConcurrentUpdate Undecided "others keep changing the same list of signatures"
        "The registry has no referrers API, and the list of referrers changed at every try to add to it."
        "run the command again"
    2015 RegistryRefused Undecided "the registry refused the request"
        "The registry answered with an error that is none of the others."
        "its own message stands beside the code"
    2016 LayoutUnusable Undecided "the image layout or archive cannot be used"
        "The directory or file is not an OCI layout, OCI archive or docker archive, or is damaged."
        "check the path; `skopeo inspect` shows whether others can read it"
    2017 TagImmutable Undecided "the registry does not let the tag be moved"
        "The tag names another manifest, and the registry keeps tags as they are. Older signatures, and all where the registry has no referrers API, are found by a tag that each new one moves."
        "choose another tag; to add signatures, let tags that begin with `sha256-` be moved, or use a registry with the referrers API"
    2018 RegistryFailed Undecided "the registry failed"
        "The registry answered every try with an error of its own (5xx). That says nothing about the image."
        "try again later; its operator's logs tell why"
    2019 TokenRealmRefused Undecided "the registry's token server was refused"
        "Credentials go to a token server over HTTPS only, or over HTTP where it and the registry are on this machine, and never along its redirects. They were not sent."
        "report it to the registry's operator"

    // What the caller gave.
    3001 NoTrustGiven Usage "nothing says whom to trust"
        "Verifying means comparing with a key, an identity or a policy. Without one there is no answer."
        "give `--key KEY.pub`, or `--policy`, or `--certificate-identity` and `--certificate-oidc-issuer` with `--trusted-root` or a root pinned by `signet trust init`"
    3002 FileUnreadable Usage "a file cannot be read"
        "The file does not exist, may not be read, is too large, or does not hold what it should."
        "check the path, its permissions and its content"
    3003 KeyUnusable Usage "the key cannot be used"
        "The file is not a key of an accepted format and algorithm."
        "`signet keys inspect FILE` tells what it is"
    3004 PasswordWrong Usage "the password does not open the key"
        "The key file is encrypted, and this password is not its own."
        "set `SIGNET_PASSWORD` or `COSIGN_PASSWORD`, or answer the prompt"
    3005 WouldOverwrite Usage "a file exists already"
        "Keys and bundles are never overwritten silently."
        "choose another name, or remove the file"
    3006 PolicyInvalid Usage "the policy cannot be used"
        "Unknown fields, names that are not defined, and unanchored patterns are errors, because a policy must mean what it says."
        "the place and the reason stand beside the code; the schema is in the reference"
    3007 TrustRootInvalid Usage "the trust root cannot be used"
        "The file is not a Sigstore trusted root, or a key or certificate in it is malformed."
        "fetch the file again from the instance's operator"
    3008 ReferenceInvalid Usage "the image reference is malformed"
        "A reference is `[registry/]repository[:tag][@digest]`."
        "check the spelling"
    3009 AlgorithmNotInFormat Usage "this cannot be signed in this way"
        "The legacy format carries ECDSA P-256 or RSA PKCS#1 signatures by keys, over images named by their SHA-256 digest: its readers take no others. A key signs by the schemes of its algorithm, and logs take some of them."
        "sign with the default format, or with another key"
    3010 UsageInvalid Usage "the command line is not understood"
        "An option is missing, unknown or contradicts another."
        "see `signet help`"
    3011 FileUnwritable Usage "a file cannot be written"
        "The directory does not exist, is full, or may not be written."
        "check the path, its permissions and the free space"
    3012 CodeUnknown Usage "there is no such code"
        "Codes are written `SGN-nnnn`."
        "`signet explain` without an argument lists all"

    // Services and data directories.
    4001 DataDirLocked Undecided "another process uses the data directory"
        "A data directory has one writer at a time."
        "stop the other process, or choose another directory"
    4002 DataDirTooNew Undecided "the data directory was written by a newer Signet"
        "An older program cannot know what a newer format demands, and would damage it."
        "run the newer Signet"
    4003 DataDirForeign Undecided "the directory is not a data directory of this kind"
        "It is not empty and does not carry the mark of this service."
        "choose an empty directory"
    4004 DataCorrupt Denied "stored data is damaged"
        "Content does not have its digest, or something that is referred to is missing."
        "restore what `signet fsck` lists from another copy, or push it again"
    4005 ListenRefused Usage "will not listen there without authentication"
        "Beyond loopback anybody could push and pull."
        "give `--htpasswd FILE`, and TLS with `--tls-cert` and `--tls-key`"
    4006 PullDenied Undecided "the policy does not permit this pull"
        "The registry runs with `--require-signed`, and the image does not satisfy the policy."
        "have the image signed; `signet verify --policy` shows what is missing"
    4007 ServiceFailed Undecided "the service or its data directory could not be used"
        "The address is taken, a directory cannot be used, or the system refused a resource."
        "the system's own message stands beside the code"
    4008 ConfigInvalid Usage "the service's configuration cannot be used"
        "A file that the service needs is malformed."
        "the place and the reason stand beside the code"

    // Signing with trust services.
    5001 SigningUnconfigured Usage "nothing says how to sign"
        "Without a key Signet signs with a certificate for an identity, and has to be told which services issue, log and stamp, and which trust root they belong to."
        "give `--key KEY`, or `--signing-config FILE` and `--trusted-root FILE`, or pin a root that leads to both with `signet trust init`"
    5002 SigningConfigInvalid Usage "the signing config cannot be used"
        "The file is not a Sigstore signing config of version 0.2, or a service in it has no sound URL or validity."
        "fetch the file again from the instance's operator"
    5003 ServicesTooFew Undecided "the signing config has too few services for now"
        "Services have a time in which they are to be used and a version of their API, and the config says of how many operators one is wanted."
        "fetch a current signing config; check this machine's clock"
    5004 IdentityTokenMissing Usage "there is no identity token"
        "A certificate is issued for an identity that a token proves. None was given, none stands ready here, and there is no terminal at which to log in."
        "give `--identity-token FILE`, set `SIGSTORE_ID_TOKEN`, or log in with `--login browser` or `--login device`"
    5005 IdentityTokenUnusable Usage "the identity token cannot be used"
        "It is malformed, has expired, or lacks the claim that names its holder."
        "get a new token for the audience `sigstore`"
    5006 LoginFailed Undecided "the login was not completed"
        "Nobody logged in in time, the provider refused, or its answer was for another login."
        "run the command again"
    5007 TrustServiceUnreachable Undecided "a trust service could not be reached"
        "No connection, it broke, or there was no answer in time. Nothing was signed."
        "check the URL in the signing config, the network and the proxy settings, then try again"
    5008 TrustServiceUntrusted Undecided "no trusted TLS connection with a trust service"
        "The service could not prove its name, or would have to be asked over plain HTTP, or redirects to somewhere less safe. Nothing secret was sent."
        "add its authority with `--services-cacert`; plain HTTP is spoken with this machine only"
    5009 TrustServiceRefused Undecided "a trust service refused the request"
        "A certificate authority refuses tokens of issuers that it does not know or for another audience, and identities that may not have certificates."
        "its own words stand beside the code"
    5010 TrustServiceFailed Undecided "a trust service failed"
        "It answered every try with an error of its own, or limits the rate of requests."
        "try again later; its operator's logs tell why"
    5011 TrustServiceMalformed Undecided "a trust service's answer is malformed"
        "The answer is not what the service's API says, is too large, or is not for what was asked."
        "check that the URL in the signing config is the service's; report it to its operator"
    5012 LogFrozen Undecided "the log takes no more entries"
        "A log that is full or being replaced is frozen, and its successor is in a newer signing config."
        "fetch a current signing config"
    5013 OwnSignatureInvalid Denied "what was just signed would not verify"
        "Before a signature is stored it is verified as others will verify it, with the trust root that was given. This one was thrown away."
        "check that `--trusted-root` and `--signing-config` are of the same instance, and this machine's clock"
    5014 KeyOutOfReach Undecided "the key is out of reach"
        "A key that is named `NAME://ID` is held by the program `sigstore-kms-NAME`. It could not be run, gave no answer in time, or failed."
        "see that it is on the `PATH`, and that its environment leads it to the key; its own words stand beside the code"

    9001 Internal Internal "a defect of Signet"
        "Something that cannot happen did. Nothing was decided."
        "please report it, with the message"
}

impl Code {
    /// The code with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SGN-{:04}", self.number())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let digits = text.strip_prefix("SGN-").ok_or(UnknownCode)?;
        let number = digits.parse().map_err(|_| UnknownCode)?;
        Self::from_number(number).filter(|_| digits.len() == 4).ok_or(UnknownCode)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A stable code. `signet explain CODE` says what it means and what to do.",
            "type": "string",
            "enum": Self::ALL,
        })
    }
}

/// The text is not `SGN-` and the number of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such code")
    }
}

impl std::error::Error for UnknownCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_in_order() {
        let numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    }

    #[test]
    fn every_code_reads_back() {
        for code in Code::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
        }
        assert_eq!("SGN-1".parse::<Code>(), Err(UnknownCode));
        assert_eq!("SGN-01001".parse::<Code>(), Err(UnknownCode));
    }

    #[test]
    fn every_text_follows_the_style_of_messages() {
        for code in Code::ALL {
            assert!(!code.title().ends_with('.'), "{code}");
            assert!(!code.hint().ends_with('.'), "{code}");
            assert!(code.explanation().ends_with('.'), "{code}");
        }
    }
}
