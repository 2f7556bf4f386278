//! The claims of Fulcio's certificates.

use serde::{Deserialize, Serialize};

macro_rules! claims {
    ($($number:literal $name:ident $doc:literal)*) => {
        /// A claim that Fulcio writes into certificates, under 1.3.6.1.4.1.57264.1 (fulcio docs, oid-info.md).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "camelCase")]
        pub enum Claim {
            $(#[doc = $doc] $name,)*
        }

        impl Claim {
            /// The last arc of the claim's object identifier.
            pub fn arc(self) -> u32 {
                match self { $(Self::$name => $number,)* }
            }
        }
    };
}

claims! {
    2 GithubWorkflowTrigger "Event that started the workflow (deprecated by the authority)."
    3 GithubWorkflowSha "Commit of the workflow (deprecated by the authority)."
    4 GithubWorkflowName "Name of the workflow (deprecated by the authority)."
    5 GithubWorkflowRepository "Repository of the workflow (deprecated by the authority)."
    6 GithubWorkflowRef "Git ref of the workflow (deprecated by the authority)."
    9 BuildSignerUri "The build instructions that signed."
    10 BuildSignerDigest "Digest of the build instructions."
    11 RunnerEnvironment "Whether the runner was hosted by the platform or by its user."
    12 SourceRepositoryUri "The repository the build was of."
    13 SourceRepositoryDigest "The commit the build was of."
    14 SourceRepositoryRef "The git ref the build was of."
    15 SourceRepositoryIdentifier "The repository's immutable identifier."
    16 SourceRepositoryOwnerUri "The repository's owner."
    17 SourceRepositoryOwnerIdentifier "The owner's immutable identifier."
    18 BuildConfigUri "The top-level build instructions."
    19 BuildConfigDigest "Digest of the top-level build instructions."
    20 BuildTrigger "What started the build."
    21 RunInvocationUri "The run that built."
    22 SourceRepositoryVisibilityAtSigning "Whether the repository was public."
    23 DeploymentEnvironment "The deployment environment of the run."
    24 TokenSubject "The subject of the identity token."
}
