use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, ML_DSA_44_SIGNING, PqdsaKeyPair};
use serde_json::Value;
use signet_crypto::{KeyAlgorithm, PublicKey};
use signet_formats::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use signet_formats::cosignature::{self, Cosignature};
use signet_formats::merkle::{self, Hash, MerkleError};
use signet_formats::note::{KeyKind, Note, NoteError, NoteSignature, VerifierKey};

use crate::vectors::{self, Case};

fn checkpoint(entry: &Value) -> Option<Result<SignedCheckpoint, CheckpointError>> {
    let envelope = entry["inclusionProof"]["checkpoint"]["envelope"].as_str()?;
    Some(SignedCheckpoint::parse(envelope.as_bytes()))
}

/// The result of reading a case's checkpoint and checking it with the log of the trust root.
fn verdict(case: &Case) -> Option<Result<(), CheckpointError>> {
    let entry = case.log_entries().first()?;
    let signed = match checkpoint(entry)? {
        Ok(signed) => signed,
        Err(error) => return Some(Err(error)),
    };
    let id = vectors::bytes(&entry["logId"]["keyId"])?;
    let (name, key, _) = case.logs("tlogs").into_iter().find(|(_, _, log)| *log == id)?;
    let key = VerifierKey::log(&name, key).unwrap();
    assert_eq!(key.full_id().as_bytes(), id);
    Some(signed.note().verify(&key).map_err(CheckpointError::Note))
}

#[test]
fn checkpoints_of_the_conformance_suite_have_their_verdicts() {
    let Some(folder) = vectors::folder() else { return };
    let mut good = 0;
    for case in Case::all(&folder) {
        let expected = match case.name.as_str() {
            "rekor2-checkpoint-missing-log-signature_fail" => Err(CheckpointError::Note(NoteError::Unsigned)),
            "rekor2-checkpoint-missing-origin_fail" => Err(CheckpointError::Size),
            "rekor2-checkpoint-missing-size_fail" => Err(CheckpointError::Size),
            "rekor2-checkpoint-missing-root-hash_fail" => Err(CheckpointError::Root),
            "rekor2-checkpoint-no-matching-signature_fail" | "checkpoint-bad-keyhint_fail" => {
                Err(CheckpointError::Note(NoteError::NoSignatureByKey))
            }
            "invalid-checkpoint-signature_fail" => Err(CheckpointError::Note(NoteError::SignatureInvalid)),
            _ => Ok(()),
        };
        let Some(found) = verdict(&case) else { continue };
        assert_eq!(found, expected, "{}", case.name);
        good += usize::from(found.is_ok());
    }
    assert!(good >= 40, "only {good} checkpoints verified");
}

#[test]
fn inclusion_proofs_of_the_conformance_suite_lead_to_their_checkpoints() {
    let Some(folder) = vectors::folder() else { return };
    let (mut good, mut bad) = (0, Vec::new());
    for case in Case::all(&folder) {
        for entry in case.log_entries() {
            let number = |name: &str| entry["inclusionProof"][name].as_str().unwrap_or("0").parse::<u64>();
            let hashes = entry["inclusionProof"]["hashes"].as_array().into_iter().flatten();
            let proof: Vec<Hash> = hashes.filter_map(|hash| vectors::bytes(hash)?.try_into().ok()).collect();
            let leaf = merkle::leaf_hash(&vectors::bytes(&entry["canonicalizedBody"]).unwrap_or_default());
            let Some(root) = vectors::bytes(&entry["inclusionProof"]["rootHash"]) else { continue };
            let (Ok(index), Ok(size)) = (number("logIndex"), number("treeSize")) else { continue };
            let root: Hash = root.try_into().unwrap();
            if let Some(Ok(signed)) = checkpoint(entry)
                && case.name != "checkpoint-wrong-roothash_fail"
            {
                assert_eq!(
                    (signed.checkpoint().size, signed.checkpoint().root),
                    (size, root),
                    "{}",
                    case.name
                );
            }
            match merkle::verify_inclusion(index, size, &leaf, &proof, &root) {
                Ok(()) => good += 1,
                Err(_) => bad.push(case.name.clone()),
            }
        }
    }
    assert!(good >= 40, "only {good}");
    let refused = ["inclusion-proof-corrupted-hash_fail", "invalid-inclusion-proof_fail"];
    assert!(refused.iter().all(|name| bad.iter().any(|bad| bad == name)), "{bad:?}");
    assert!(bad.iter().all(|name| name.ends_with("_fail")), "{bad:?}");
}

#[test]
fn every_small_tree_proves_all_its_leaves_and_growths() {
    let leaves: Vec<Hash> = (0..33_u8).map(|entry| merkle::leaf_hash(&[entry])).collect();
    for size in 1..=leaves.len() {
        let root = merkle::root(&leaves[..size]);
        for index in 0..size {
            let proof = inclusion(&leaves[..size], index);
            let check = |index, size, proof: &[Hash]| {
                merkle::verify_inclusion(index as u64, size as u64, &leaves[index], proof, &root)
            };
            assert_eq!(check(index, size, &proof), Ok(()), "{index} in {size}");
            let longer = [proof.clone(), vec![root]].concat();
            assert_eq!(check(index, size, &longer), Err(MerkleError::ProofLength), "{index} in {size}");
            if let Some((_, shorter)) = proof.split_last() {
                assert_eq!(check(index, size, shorter), Err(MerkleError::ProofLength));
                let mut changed = proof.clone();
                changed[0][0] ^= 1;
                assert_eq!(check(index, size, &changed), Err(MerkleError::RootMismatch));
            }
        }
        for old in 0..=size {
            let proof = consistency(&leaves[..size], old);
            let old_root = merkle::root(&leaves[..old]);
            let check = |proof: &[Hash], old_root, new_root| {
                merkle::verify_consistency(old as u64, size as u64, old_root, new_root, proof)
            };
            assert_eq!(check(&proof, &old_root, &root), Ok(()), "{old} to {size}");
            let longer = [proof.clone(), vec![root]].concat();
            assert_eq!(check(&longer, &old_root, &root), Err(MerkleError::ProofLength), "{old} to {size}");
            assert_eq!(check(&proof, &[7; 32], &root), Err(MerkleError::RootMismatch), "{old} to {size}");
            let another = |old_root, new_root, proof: &[Hash]| {
                merkle::proves_another_tree(old as u64, size as u64, old_root, new_root, proof)
            };
            let is_told = 0 < old && old < size && !old.is_power_of_two();
            assert_eq!(another(&[7; 32], &root, &proof), is_told, "{old} to {size}");
            assert!(!another(&old_root, &root, &proof), "it is the tree of the root");
            assert!(!another(&[7; 32], &[8; 32], &proof), "it leads nowhere");
            assert!(!another(&[7; 32], &root, &longer), "it is no proof");
            if let Some((_, shorter)) = proof.split_last() {
                assert_eq!(
                    check(shorter, &old_root, &root),
                    Err(MerkleError::ProofLength),
                    "{old} to {size}"
                );
                assert_eq!(check(&proof, &old_root, &[7; 32]), Err(MerkleError::RootMismatch));
            }
        }
    }
    let out = merkle::inclusion_root(3, 3, &leaves[0], &[]);
    assert_eq!(out, Err(MerkleError::IndexOutOfRange { index: 3, size: 3 }));
    let shrunk = merkle::verify_consistency(3, 2, &leaves[0], &leaves[0], &[]);
    assert_eq!(shrunk, Err(MerkleError::Shrunk { old_size: 3, new_size: 2 }));
    assert!(merkle::inclusion_root(u64::MAX - 1, u64::MAX, &leaves[0], &[[0; 32]; 63]).is_ok());
}

/// PATH(index, leaves) of RFC 6962 §2.1.1, written from its recursive definition.
fn inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    match index < left.len() {
        true => [inclusion(left, index), vec![merkle::root(right)]].concat(),
        false => [inclusion(right, index - left.len()), vec![merkle::root(left)]].concat(),
    }
}

/// PROOF(old, leaves) of RFC 6962 §2.1.2, written from its recursive definition.
fn consistency(leaves: &[Hash], old: usize) -> Vec<Hash> {
    fn subproof(leaves: &[Hash], old: usize, complete: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if complete { Vec::new() } else { vec![merkle::root(leaves)] };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        match old <= left.len() {
            true => [subproof(left, old, complete), vec![merkle::root(right)]].concat(),
            false => [subproof(right, old - left.len(), false), vec![merkle::root(left)]].concat(),
        }
    }
    if old == 0 { Vec::new() } else { subproof(leaves, old, true) }
}

fn log() -> (Ed25519KeyPair, VerifierKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let key = PublicKey::from_bits(KeyAlgorithm::Ed25519, pair.public_key().as_ref()).unwrap();
    (pair, VerifierKey::log("log.example/1", key).unwrap())
}

fn example() -> Checkpoint {
    Checkpoint { origin: "log.example/1".to_owned(), size: 42, root: [9; 32], extensions: Vec::new() }
}

#[test]
fn witnesses_of_both_kinds_cosign() {
    let (pair, log) = log();
    let mut note = Note::new(&example().to_string()).unwrap();
    let signature = pair.sign(note.text().as_bytes());
    note.push(NoteSignature::new(&log, signature.as_ref().to_vec())).unwrap();

    let ed25519 = Ed25519KeyPair::from_seed_unchecked(&[2; 32]).unwrap();
    let key = PublicKey::from_bits(KeyAlgorithm::Ed25519, ed25519.public_key().as_ref()).unwrap();
    let old = VerifierKey::witness("witness.example/w1", key).unwrap();
    let message = cosignature::message(&example(), &old, 1_700_000_000).unwrap();
    assert!(message.starts_with(b"cosignature/v1\ntime 1700000000\nlog.example/1\n42\n"));
    note.push(cosignature::line(&old, 1_700_000_000, ed25519.sign(&message).as_ref())).unwrap();

    let ml_dsa = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, &[3; 32]).unwrap();
    let key = PublicKey::from_bits(KeyAlgorithm::MlDsa44, ml_dsa.public_key().as_ref()).unwrap();
    let new = VerifierKey::witness("witness.example/w2", key).unwrap();
    let message = cosignature::message(&example(), &new, 1_700_000_001).unwrap();
    assert_eq!(message.len(), 12 + 1 + 18 + 8 + 1 + 13 + 8 + 8 + 32);
    let mut signature = vec![0; 2420];
    ml_dsa.sign(&message, &mut signature).unwrap();
    note.push(cosignature::line(&new, 1_700_000_001, &signature)).unwrap();

    let signed = SignedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!((signed.note(), signed.checkpoint()), (&note, &example()));
    assert_eq!(signed.note().verify(&log), Ok(()));
    assert_eq!(cosignature::verify(&signed, &old), Ok(Cosignature { timestamp: 1_700_000_000 }));
    assert_eq!(cosignature::verify(&signed, &new), Ok(Cosignature { timestamp: 1_700_000_001 }));
    assert_eq!(cosignature::verify(&signed, &log), Err(NoteError::KeyUnsupported));
    assert_eq!(signed.note().verify(&old), Err(NoteError::SignatureInvalid));

    let forged = note.to_string().replacen("\n42\n", "\n43\n", 1);
    let forged = SignedCheckpoint::parse(forged.as_bytes()).unwrap();
    assert_eq!(forged.note().verify(&log), Err(NoteError::SignatureInvalid));
    assert_eq!(cosignature::verify(&forged, &old), Err(NoteError::SignatureInvalid));
    assert_eq!(cosignature::verify(&forged, &new), Err(NoteError::SignatureInvalid));
}

/// The signed-note specification rejects a note if any line of a known key is bad.
#[test]
fn a_good_line_does_not_hide_a_bad_one_of_the_same_key() {
    let (pair, log) = log();
    let mut note = Note::new(&example().to_string()).unwrap();
    let signature = pair.sign(note.text().as_bytes());
    note.push(NoteSignature::new(&log, vec![0; 64])).unwrap();
    note.push(NoteSignature::new(&log, signature.as_ref().to_vec())).unwrap();
    assert_eq!(note.verify(&log), Err(NoteError::SignatureInvalid));
}

#[test]
fn vkeys_round_trip() {
    let (_, log) = log();
    assert_eq!(log.to_string().parse(), Ok(log.clone()));
    assert_eq!(log.kind(), KeyKind::Ed25519);
    let other = log.to_string().replacen("log.example", "log.example2", 1);
    assert_eq!(other.parse::<VerifierKey>(), Err(NoteError::KeyIdMismatch));
    for bad in ["", "a+b", "a b+00000000+AQ==", "a+00000000+AQ=="] {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
    let ecdsa = concat!(
        "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb",
        "33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    );
    let key = PublicKey::from_spki_der(&hex::decode(ecdsa).unwrap()).unwrap();
    let rekor = VerifierKey::log("rekor.example", key.clone()).unwrap();
    assert_eq!(rekor.full_id(), key.id());
    assert_eq!(rekor.to_string().parse(), Ok(rekor));
}

#[test]
fn malformed_notes_and_checkpoints_are_refused_for_their_reason() {
    let line = "\u{2014} log.example/1 AAAAAAA=\n";
    let root = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
    let read = |text: &str| SignedCheckpoint::parse(format!("{text}\n{line}").as_bytes()).map(|_| ());
    assert_eq!(read(&format!("o\n1\n{root}\n")), Ok(()));
    assert_eq!(read(&format!("o\n1\n{root}\nmore\n")), Ok(()));
    assert_eq!(read(&format!("o\n01\n{root}\n")), Err(CheckpointError::Size));
    assert_eq!(read(&format!("o\n+1\n{root}\n")), Err(CheckpointError::Size));
    assert_eq!(read(&format!("o\n18446744073709551616\n{root}\n")), Err(CheckpointError::Size));
    assert_eq!(read(&format!("\n1\n{root}\n")), Err(CheckpointError::Origin));
    assert_eq!(read("o\n1\nCQkJ\n"), Err(CheckpointError::Root));
    assert_eq!(read(&format!("o\n1\n{root}\n\nmore\n")), Err(CheckpointError::Malformed));
    let note = |text: &str| Note::parse(text.as_bytes()).map(|_| ());
    assert_eq!(note(&format!("t\r\n\n{line}")), Err(NoteError::Malformed));
    assert_eq!(note(&format!("t\n{line}")), Err(NoteError::Malformed));
    assert_eq!(note("t\n\n- a AAAAAAA=\n"), Err(NoteError::MalformedSignature));
    assert_eq!(note("t\n\n\u{2014} a+b AAAAAAA=\n"), Err(NoteError::MalformedSignature));
    assert_eq!(note("t\n\n\u{2014} a AAAAAA==\n"), Err(NoteError::MalformedSignature));
    assert_eq!(note("t\n\n\u{2014} a AAAAAAA=!\n"), Err(NoteError::MalformedSignature));
    assert_eq!(note(&format!("t\n\n{}", line.repeat(64))), Ok(()));
    assert_eq!(note(&format!("t\n\n{}", line.repeat(65))), Err(NoteError::TooManySignatures));
}
