use proptest::prelude::*;

use super::*;
use crate::checkpoint::SignedCheckpoint;
use crate::merkle::{self, Hash, MerkleError, leaf_hash, verify_consistency, verify_inclusion};

/// A tree that keeps its leaves only.
struct Leaves(Vec<Hash>);

impl Leaves {
    fn new(count: u64) -> Self {
        Self((0..count).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect())
    }
}

impl Nodes for Leaves {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MerkleError> {
        let (start, end) = (index << level, (index + 1) << level);
        let leaves = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
        Ok(merkle::root(&self.0[leaves]))
    }
}

#[test]
fn every_inclusion_proof_of_small_trees_verifies() {
    for size in 1..=70 {
        let leaves = Leaves::new(size);
        let root = tree_root(&leaves, size).unwrap();
        assert_eq!(root, merkle::root(&leaves.0));
        for index in 0..size {
            let proof = inclusion_proof(&leaves, index, size).unwrap();
            let leaf = leaves.0[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()), "{index} of {size}");
        }
        assert!(inclusion_proof(&leaves, size, size).is_err());
    }
}

#[test]
fn every_consistency_proof_of_small_trees_verifies() {
    for new in 0..=40 {
        let leaves = Leaves::new(new);
        let new_root = tree_root(&leaves, new).unwrap();
        for old in 0..=new {
            let old_root = tree_root(&leaves, old).unwrap();
            let proof = consistency_proof(&leaves, old, new).unwrap();
            assert_eq!(verify_consistency(old, new, &old_root, &new_root, &proof), Ok(()), "{old} to {new}");
        }
        assert!(consistency_proof(&leaves, new + 1, new).is_err());
    }
}

/// The tiles of a tree of 70,000 leaves, as the specification's reader counts them.
#[test]
fn a_tree_has_the_tiles_of_its_size() {
    let widths = |level, size| -> Vec<u16> {
        (0..).map_while(|index| Tile::of_tree(level, index, size)).map(|tile| tile.width()).collect()
    };
    let (full, last) = (widths(0, 70_000), *widths(0, 70_000).last().unwrap());
    assert_eq!((full.len(), last), (274, 112));
    assert_eq!(widths(1, 70_000), [256, 17]);
    assert_eq!(widths(2, 70_000), [1]);
    assert_eq!(widths(3, 70_000), [0_u16; 0]);
    assert_eq!((widths(0, 256), widths(1, 256)), (vec![256], vec![1]));
    assert!(widths(0, 0).is_empty());
}

#[test]
fn paths_are_those_of_the_specification() {
    let tile = Tile::of_tree(3, 1_234_067, u64::MAX).unwrap();
    assert_eq!(tile.to_string(), "tile/3/x001/x234/067");
    let partial = Tile::of_tree(0, 273, 70_000).unwrap();
    assert_eq!(partial.to_string(), "tile/0/273.p/112");
    // Rekor v2's entry 5,035,492 (docker/actions-toolkit#1176).
    let bundle = EntryBundle::of_log(5_035_492 / 256, u64::MAX).unwrap();
    assert_eq!(
        (bundle.to_string().as_str(), 5_035_492 - bundle.first_entry()),
        ("tile/entries/x019/669", 228)
    );
    for path in
        ["checkpoint", "tile/3/x001/x234/067", "tile/0/273.p/112", "tile/entries/x019/669", "tile/63/000.p/1"]
    {
        assert_eq!(path.parse::<Resource>().unwrap().to_string(), path);
    }
}

#[test]
fn no_resource_has_a_second_name() {
    for path in [
        "",
        "/checkpoint",
        "checkpoint/",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x000/001",
        "tile/0/x001/x002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/+01",
        "tile/0/000/",
        "tile/entries/",
        "tile/entries/00a",
        "tile/0/X001/000",
        "tile/0/../000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(path.parse::<Resource>(), Err(PathError), "{path}");
    }
}

#[test]
fn a_resource_is_served_only_if_the_log_has_all_of_it() {
    let parse = |path: &str| match path.parse().unwrap() {
        Resource::Tile(tile) => tile.is_in(70_000),
        Resource::Entries(bundle) => bundle.is_in(70_000),
        Resource::Checkpoint => true,
    };
    for path in
        ["tile/0/272", "tile/0/273.p/112", "tile/0/273.p/1", "tile/1/001.p/17", "tile/entries/273.p/112"]
    {
        assert!(parse(path), "{path}");
    }
    for path in [
        "tile/0/273",
        "tile/0/273.p/113",
        "tile/0/274.p/1",
        "tile/2/000.p/2",
        "tile/9/000",
        "tile/entries/273",
    ] {
        assert!(!parse(path), "{path}");
    }
}

#[test]
fn bundles_are_read_as_they_were_written() {
    let entries: [&[u8]; 3] = [b"one", b"", &[7; MAX_ENTRY_BYTES]];
    let mut bundle = Vec::new();
    entries.iter().for_each(|entry| push_entry(&mut bundle, entry).unwrap());
    assert_eq!(Entries::new(&bundle).collect::<Result<Vec<_>, _>>().unwrap(), entries);
    let refused = push_entry(&mut bundle, &[0; MAX_ENTRY_BYTES + 1]);
    assert_eq!(refused, Err(BundleError::EntryTooLong { bytes: MAX_ENTRY_BYTES + 1 }));
    let cut: Vec<_> = Entries::new(&bundle[..6]).collect();
    assert_eq!(cut, [Ok(b"one".as_slice()), Err(BundleError::Truncated)]);
}

#[test]
fn a_proof_is_one_file() {
    let leaves = Leaves::new(7);
    let root = tree_root(&leaves, 7).unwrap();
    let note =
        format!("example.org/log\n7\n{}\n\n\u{2014} example.org/log AAAAAAA=\n", crate::base64::encode(root));
    let checkpoint = SignedCheckpoint::parse(note.as_bytes()).unwrap();
    let proof = EntryProof { index: 4, hashes: inclusion_proof(&leaves, 4, 7).unwrap(), checkpoint };
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 4\n"), "{text}");
    assert!(text.ends_with(&format!("\n\n{note}")), "{text}");
    assert_eq!(text.parse(), Ok(proof.clone()));
    assert_eq!(text.replace("v1\n", "v1\nextra AAAA\n").parse(), Ok(proof.clone()));
    assert_eq!(
        (proof.verify(&4_u64.to_be_bytes()), proof.verify(b"other")),
        (Ok(()), Err(MerkleError::RootMismatch))
    );
    for (from, to) in
        [("@v1", "@v2"), ("index 4", "index 04"), ("index 4", "index"), ("v1\n", "v1\nextra !\n")]
    {
        assert_eq!(text.replace(from, to).parse::<EntryProof>(), Err(EntryProofError), "{to}");
    }
    let many = text.replace(
        "index 4\n",
        &format!("index 4\n{}", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".repeat(63)),
    );
    assert_eq!(many.parse::<EntryProof>(), Err(EntryProofError));
}

proptest! {
    #[test]
    fn any_text_is_a_path_of_one_spelling_or_refused(path in "(tile/)?[0-9a-zx./]{0,40}") {
        if let Ok(resource) = path.parse::<Resource>() {
            prop_assert_eq!(resource.to_string(), path);
        }
    }

    #[test]
    fn any_bytes_are_entries_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut again = Vec::new();
        let mut whole = true;
        for entry in Entries::new(&bytes) {
            match entry {
                Ok(entry) => push_entry(&mut again, entry).unwrap(),
                Err(_) => whole = false,
            }
        }
        prop_assert_eq!(whole, again == bytes);
    }

    #[test]
    fn indices_survive_their_spelling(index in 0_u64..(u64::MAX >> 8), size in 1_u64..256) {
        let bundle = EntryBundle::of_log(index, index * 256 + size).unwrap();
        prop_assert_eq!(bundle.to_string().parse::<Resource>(), Ok(Resource::Entries(bundle)));
    }
}
