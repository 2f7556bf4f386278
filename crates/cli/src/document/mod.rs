//! The JSON documents of `--output json`. Each names its schema and version; changes within one are additive.
//!
//! What is said here of a field is what the committed schemas say of it: tests make them of these types (`schema.rs`).

mod attached;
mod decision;
mod key;
mod log;
mod store;
mod tool;
mod trust;
mod up;

use serde::Serialize;

pub(crate) use attached::{
    ClaimsBody, InspectDocument, LogClaim, OtherBody, SignatureBody, SubjectClaim, TreeDocument, TreeNode,
    UnreadBody, Verified,
};
pub(crate) use decision::{ImageBody, SignAction, SignDocument, SignedBody, UnsignedBody, VerifyDocument};
pub(crate) use key::{KeyDocument, KeyPairDocument, PublicKeyDocument};
pub(crate) use log::{
    LogDocument, LogEntry, LogFinding, LogFindingKind, LogFsckDocument, LogMonitorDocument, LogProofDocument,
    LogRotateDocument, LogSearchDocument, LogShardReport, ServeLogDocument, ServeWitnessDocument,
};
pub(crate) use store::{CheckedLog, CopyDocument, FsckDocument, GcDocument, ServeDocument, ServedCtLog};
pub(crate) use tool::{
    CodeBody, DemoDocument, DemoStep, DoctorDocument, ErrorBody, ErrorDocument, ExplainDocument, Finding,
    Health,
};
pub(crate) use trust::{
    TrustAnchor, TrustDocument, TrustExportDocument, TrustMergeDocument, TrustPrevious, TrustRole,
    TrustRootDocument,
};
pub(crate) use up::{BackupDocument, DoubtDocument, RestoreDocument, UpDocument};

/// What `--output json` may print.
pub(crate) trait Document: Serialize {
    /// The name and version of its schema.
    const SCHEMA: &'static str;
}

/// A document with the name of its schema, as it is printed.
#[derive(Serialize)]
pub(crate) struct Named<'a, D> {
    schema: &'static str,
    #[serde(flatten)]
    document: &'a D,
}

impl<'a, D: Document> Named<'a, D> {
    /// Names the document's schema.
    pub(crate) fn new(document: &'a D) -> Self {
        Self { schema: D::SCHEMA, document }
    }
}

macro_rules! documents {
    ($($document:ty, $name:literal, $printed:literal;)*) => {
        $(impl Document for $document {
            const SCHEMA: &'static str = concat!("signet.dev/", $name, "/v1");
        })*

        /// Every document's schema, and which commands print it, in the order of their names.
        #[cfg(test)]
        pub(crate) fn schemas() -> Vec<crate::schema::PublishedSchema> {
            vec![$(crate::schema::PublishedSchema::printed::<$document>($printed)),*]
        }
    };
}

documents! {
    BackupDocument, "backup", "`signet backup`";
    ExplainDocument, "codes", "`signet explain`";
    CopyDocument, "copy", "`signet copy`";
    DemoDocument, "demo", "`signet demo`";
    DoctorDocument, "doctor", "`signet doctor`";
    ErrorDocument, "error", "every command that an error ends";
    FsckDocument, "fsck", "`signet fsck`";
    GcDocument, "gc", "`signet registry gc`";
    InspectDocument, "inspect", "`signet inspect`";
    KeyDocument, "key", "`signet keys inspect`";
    KeyPairDocument, "key-pair", "`signet keys generate`, `signet keys import`";
    PublicKeyDocument, "public-key", "`signet keys export-public`";
    RestoreDocument, "restore", "`signet restore`";
    ServeDocument, "serve", "`signet serve`";
    LogDocument, "log", "`signet log export`, `signet log freeze`";
    LogFsckDocument, "log-fsck", "`signet log fsck`";
    LogMonitorDocument, "log-monitor", "`signet log monitor`";
    LogProofDocument, "log-proof", "`signet log proof`";
    LogRotateDocument, "log-rotate", "`signet log rotate`";
    LogSearchDocument, "log-search", "`signet log search`";
    ServeLogDocument, "serve-log", "`signet serve log`";
    ServeWitnessDocument, "serve-witness", "`signet serve witness`";
    SignDocument, "sign", "`signet sign`, `signet sign-blob`";
    TrustDocument, "trust", "`signet trust init`, `status`, `update`, `import` and `publish`";
    TrustExportDocument, "trust-export", "`signet trust export`";
    TrustMergeDocument, "trust-merge", "`signet trust merge`";
    TrustRootDocument, "trust-root", "`signet trust create`, `rotate` and `sign`";
    TreeDocument, "tree", "`signet tree`";
    UpDocument, "up", "`signet up`";
    VerifyDocument<'_>, "verify", "`signet verify`, `signet verify-blob`";
}
