use std::collections::BTreeMap;

use serde_json::Map;
use signet_formats::tuf::{
    self as tuf, Body, DelegatedRole, Delegations, Draft, MetaFile, Metadata, PathPattern, Paths, RoleKeys,
    Root, Signature, Snapshot, TargetFile, Targets, Timestamp, target_url, versioned,
};

use super::Key;

/// A repository of trust (TUF) under test keys. Tests change what it says, publish, and serve [`Self::files`].
pub struct TrustRepository {
    /// What root says.
    pub root: Root,
    /// What each targets role says, by its name.
    pub roles: BTreeMap<String, Targets>,
    /// Who signs each role.
    pub signers: BTreeMap<String, Vec<Key>>,
    /// The version that each role was last published in.
    pub versions: BTreeMap<String, u64>,
    /// Until when each role may be used, where that is not [`Self::EXPIRES`].
    pub expires: BTreeMap<String, i64>,
    /// What the snapshot states.
    pub snapshot: Snapshot,
    /// What the timestamp states.
    pub timestamp: MetaFile,
    /// Members of the timestamp that TUF does not define.
    pub extensions: Map<String, serde_json::Value>,
    /// Whether hashes and lengths are stated of metadata.
    pub hashes: bool,
    /// What is served, by its name below the metadata's URL.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl TrustRepository {
    /// Until when metadata may be used.
    pub const EXPIRES: i64 = 2_000_000_000;

    /// A repository with one key a role, published.
    pub fn new() -> Self {
        let file = MetaFile { version: 1, length: None, hashes: None };
        let empty = Targets { targets: BTreeMap::new(), delegations: None };
        let mut repository = Self {
            root: Root { consistent_snapshot: true, keys: BTreeMap::new(), roles: BTreeMap::new() },
            roles: BTreeMap::from([(TARGETS.to_owned(), empty)]),
            signers: BTreeMap::new(),
            versions: BTreeMap::new(),
            expires: BTreeMap::new(),
            snapshot: Snapshot { meta: BTreeMap::new() },
            timestamp: file,
            extensions: Map::new(),
            hashes: true,
            files: BTreeMap::new(),
        };
        for role in tuf::Role::ALL {
            repository.rotate(role.name());
        }
        repository.publish(&["root", TARGETS, "snapshot", "timestamp"]);
        repository
    }

    /// Gives a top-level role one new key in the place of those it had. Root keeps signing with the old ones too.
    pub fn rotate(&mut self, role: &str) {
        self.root.roles.insert(role.to_owned(), RoleKeys { keyids: Vec::new(), threshold: 1 });
        if role != "root" {
            self.signers.remove(role);
        }
        self.add_key(role, Key::p256());
    }

    /// Gives a top-level role one key more; its id.
    pub fn add_key(&mut self, role: &str, key: Key) -> String {
        let named = tuf::Key::of(key.public()).expect("TUF has a name for the key");
        let id = named.id().expect("the key has an id");
        self.root.keys.insert(id.clone(), named);
        self.root.roles.get_mut(role).expect("the role is there").keyids.push(id.clone());
        self.signers.entry(role.to_owned()).or_default().push(key);
        id
    }

    /// Lets a role delegate target paths to another one, which signs with this key.
    pub fn delegate(&mut self, from: &str, to: &str, paths: &[&str], terminating: bool, key: Key) {
        let named = tuf::Key::of(key.public()).expect("TUF has a name for the key");
        let id = named.id().expect("the key has an id");
        let empty = || Targets { targets: BTreeMap::new(), delegations: None };
        let from = self.roles.entry(from.to_owned()).or_insert_with(empty);
        let none = || Delegations { keys: BTreeMap::new(), roles: Some(Vec::new()), succinct_roles: None };
        let delegations = from.delegations.get_or_insert_with(none);
        delegations.keys.insert(id.clone(), named);
        let pattern = |path: &&str| PathPattern::new(path).expect("it is a pattern");
        let paths = Paths { paths: Some(paths.iter().map(pattern).collect()), path_hash_prefixes: None };
        let keys = RoleKeys { keyids: vec![id], threshold: 1 };
        let role = DelegatedRole { name: to.to_owned(), keys, terminating, paths };
        delegations.roles.get_or_insert_default().push(role);
        self.roles.entry(to.to_owned()).or_insert_with(empty);
        self.signers.entry(to.to_owned()).or_default().push(key);
    }

    /// Names a target in a role.
    pub fn add_target(&mut self, role: &str, path: &str, bytes: &[u8]) {
        let file = TargetFile::of(bytes);
        let hash = file.hashes.known().into_iter().next();
        if let Ok(url) = target_url(path, hash.as_ref()) {
            self.files.insert(format!("targets/{url}"), bytes.to_vec());
        }
        self.roles.get_mut(role).expect("the role is there").targets.insert(path.to_owned(), file);
    }

    /// Signs these roles in their next versions, in this order, and states them where they are to be stated.
    pub fn publish(&mut self, roles: &[&str]) {
        for role in roles {
            let version = self.versions.get(*role).map_or(1, |version| version + 1);
            self.publish_as(role, version);
        }
    }

    /// Signs a role in this version.
    pub fn publish_as(&mut self, role: &str, version: u64) {
        self.versions.insert(role.to_owned(), version);
        let bytes = match role {
            "root" => self.signed(role, version, self.root.clone()),
            "timestamp" => self.signed(role, version, Timestamp::of(self.timestamp.clone())),
            "snapshot" => self.signed(role, version, self.snapshot.clone()),
            _ => self.signed(role, version, self.roles.get(role).expect("the role is there").clone()),
        };
        let stated = match self.hashes {
            true => MetaFile::of(version, &bytes),
            false => MetaFile { version, length: None, hashes: None },
        };
        match role {
            "root" | "timestamp" => {}
            "snapshot" => self.timestamp = stated,
            _ => drop(self.snapshot.meta.insert(format!("{role}.json"), stated)),
        }
        let in_name = (role != "timestamp").then_some(version);
        self.files.insert(versioned(role, in_name).expect("the role can be a file"), bytes);
    }

    fn signed<B: Body>(&self, role: &str, version: u64, body: B) -> Vec<u8> {
        let expires = self.expires.get(role).copied().unwrap_or(Self::EXPIRES);
        let extensions = if role == "timestamp" { self.extensions.clone() } else { Map::new() };
        let draft = Draft { body, version, expires, extensions };
        let mut metadata = draft.unsigned().expect("the draft can be read");
        self.sign(role, &mut metadata);
        metadata.to_json().into_bytes()
    }

    /// Puts the signatures of a role's signers under it.
    pub fn sign<B: Body>(&self, role: &str, metadata: &mut Metadata<B>) {
        for key in self.signers.get(role).into_iter().flatten() {
            let id = tuf::Key::of(key.public()).and_then(|key| key.id().ok()).expect("the key has an id");
            metadata.signatures.push(Signature::new(id, &key.sign(metadata.canonical())));
        }
    }
}

impl Default for TrustRepository {
    fn default() -> Self {
        Self::new()
    }
}

const TARGETS: &str = "targets";
