//! Each way in which a document can fail to be genuine, and that exactly the genuine ones pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::core::domain::jws::{encoded_header, finish, signing_input};
use crate::core::ledger::RetentionClass;
use crate::core::ledger::leaf::{header_commitment, leaf};
use crate::core::ledger::succession::seal_origin;
use crate::core::ledger::tree::{leaf_hash, node_hash};
use crate::core::signing::{Algorithm, Signer, SignerFailed};

const ISSUER: &str = "https://gate.example";
const ORIGIN: &str = "gate.example/log";
const IAT: i64 = 1_795_000_000;
const ANSWER: &str = "estelam-answer+jwt";

enum Pair {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
}

impl Pair {
    fn ed(seed: u8) -> Self {
        Self::Ed(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }
    fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }
    fn public(&self) -> &[u8] {
        match self {
            Self::Ed(pair) => pair.public_key().as_ref(),
            Self::Ec(pair) => pair.public_key().as_ref(),
        }
    }
    fn alg(&self) -> &'static str {
        if matches!(self, Self::Ed(_)) { "EdDSA" } else { "ES256" }
    }
    fn raw(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Ec(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
        }
    }
    fn jws(&self, typ: &str, kid: &str, payload: &[u8]) -> String {
        let input = signing_input(&encoded_header(self.alg(), typ, kid).unwrap(), payload);
        let signature = self.raw(input.as_bytes());
        finish(input, &signature)
    }
    fn key(&self, kid: &str, life: Life) -> SigningKey {
        SigningKey::new(kid.to_owned(), self.public(), life).unwrap()
    }
    fn log(&self, compromised: Option<Limit>) -> LogKey {
        LogKey { key: NoteKey::new(ORIGIN, self.public().try_into().unwrap()).unwrap(), compromised }
    }
}

impl Signer for Pair {
    fn key_id(&self) -> &str {
        "log"
    }
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailed> {
        Ok(self.raw(message))
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

const fn good(from: Option<Timestamp>, until: Option<Timestamp>) -> Life {
    Life::Signs { from, until, compromised: None }
}

fn trusted(signing: Vec<SigningKey>, log: Vec<LogKey>) -> TrustedKeys {
    TrustedKeys { issuer: ISSUER.to_owned(), signing, log, origins: vec![ORIGIN.to_owned()] }
}

fn answer() -> Value {
    json!({"iss": ISSUER, "aud": "bank", "iat": IAT, "exp": IAT + 300, "jti": "a-1", "service": "sim", "purpose": "p",
           "reason": "valid", "decision": "entitled"})
}

fn alone(document: &str) -> Given<'_> {
    Given { document, statement: None, proof: None, checkpoint: None }
}

/// A log of two entries of which the statement is the second.
fn proof(statement: &str, log: &Pair, kind: EntryKind, time: i64) -> ProofBundle {
    let header = Header { time: at(time), class: RetentionClass::Detail, kind, statement_digest: sha256(statement.as_bytes()) }.encode();
    let (salt, content, first) = ([3; 32], [4; 32], [9; 32]);
    let own = leaf_hash(&leaf(&header_commitment(&salt, &header), &content));
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 2, root: node_hash(&first, &own) };
    let checkpoint = checkpoint.sign(&log.log(None).key, log).unwrap();
    ProofBundle { agency: None, index: 1, salt, header, content_commitment: content, inclusion_path: vec![first], checkpoint }
}

#[test]
fn answers_refusals_and_receipts_of_both_algorithms_are_genuine() {
    for pair in [Pair::ed(1), Pair::ec()] {
        for life in [Life::Unknown, good(Some(at(IAT)), None)] {
            let keys = trusted(vec![pair.key("k", life.clone())], Vec::new());
            let refusal = json!({"iss": ISSUER, "iat": IAT, "jti": "r-1", "status": 403, "code": "scope-missing"});
            let receipt = json!({"iss": ISSUER, "iat": IAT, "jti": "x"});
            for (typ, claims) in [(ANSWER, answer()), ("estelam-refusal+jwt", refusal), ("estelam-receipt+jwt", receipt)] {
                let genuine = check(&alone(&pair.jws(typ, "k", claims.to_string().as_bytes())), &keys).unwrap();
                assert_eq!((genuine.kind.typ(), genuine.key_life_checked), (typ, life != Life::Unknown));
                assert_eq!(genuine.code.is_some(), typ == "estelam-receipt+jwt");
            }
        }
    }
}

#[test]
fn every_other_document_is_refused_for_its_own_reason() {
    let (pair, other) = (Pair::ed(1), Pair::ed(2));
    let keys = trusted(
        vec![pair.key("k", good(Some(at(IAT)), None)), other.key("t", Life::OtherUse), Pair::ec().key("e", Life::Unknown)],
        Vec::new(),
    );
    let payload = answer().to_string().into_bytes();
    let fine = pair.jws(ANSWER, "k", &payload);
    assert!(check(&alone(&fine), &keys).is_ok());
    let changed = |member: &str, value: Value| {
        let mut claims = answer();
        claims[member] = value;
        pair.jws(ANSWER, "k", claims.to_string().as_bytes())
    };
    let twice = format!(r#"{{"decision":"not-entitled",{}"#, &answer().to_string()[1..]);
    let flipped = if fine.ends_with('A') { format!("{}Q", &fine[..fine.len() - 1]) } else { format!("{}A", &fine[..fine.len() - 1]) };
    for (document, expected) in [
        (String::new(), Doubt::NothingGiven),
        ("hello".to_owned(), Doubt::Unreadable("the token is not three parts joined by dots")),
        (format!("{fine}="), Doubt::Unreadable("a part of the token is not canonical base64url")),
        ("A".repeat(MAX_DOCUMENT + 1), Doubt::TooLarge),
        (pair.jws("at+jwt", "k", &payload), Doubt::OtherKind),
        (pair.jws("JWT", "k", &payload), Doubt::OtherKind),
        (pair.jws(ANSWER, "unknown", &payload), Doubt::UnknownKey),
        (pair.jws(ANSWER, "e", &payload), Doubt::OtherAlgorithm),
        (other.jws(ANSWER, "k", &payload), Doubt::WrongSignature),
        (other.jws(ANSWER, "t", &payload), Doubt::OtherUse),
        (pair.jws(ANSWER, "k", twice.as_bytes()), Doubt::Claims),
        (pair.jws(ANSWER, "k", b"[]"), Doubt::Claims),
        (changed("decision", Value::Null), Doubt::Claims),
        (changed("iat", json!("1")), Doubt::Claims),
        (changed("iat", json!(i64::MAX)), Doubt::Claims),
        (changed("iss", json!("https://gate.example/")), Doubt::OtherIssuer),
        (changed("iat", json!(IAT - 1)), Doubt::OutsideKeyLife),
    ] {
        assert_eq!(check(&alone(&document), &keys).unwrap_err(), expected, "{document}");
    }
    let doubt = check(&alone(&flipped), &keys).unwrap_err();
    assert!(matches!(doubt, Doubt::WrongSignature | Doubt::Unreadable(_)), "{doubt}");
}

#[test]
fn a_key_is_believed_from_when_it_began_to_when_it_stopped() {
    let pair = Pair::ed(1);
    let outcome = |life: Life, iat: i64| {
        let mut claims = answer();
        claims["iat"] = json!(iat);
        check(&alone(&pair.jws(ANSWER, "k", claims.to_string().as_bytes())), &trusted(vec![pair.key("k", life)], Vec::new())).map(drop)
    };
    let half = Timestamp::from_millisecond(IAT * 1000 + 500).unwrap();
    assert_eq!(outcome(good(Some(half), None), IAT), Ok(()), "claims have whole seconds");
    assert_eq!(outcome(good(Some(half), None), IAT - 1), Err(Doubt::OutsideKeyLife));
    assert_eq!(outcome(good(None, None), IAT), Err(Doubt::OutsideKeyLife), "a standby key signs nothing");
    assert_eq!(outcome(good(Some(at(0)), Some(at(IAT))), IAT + 120), Ok(()), "a running gateway reads the change a moment later");
    assert_eq!(outcome(good(Some(at(0)), Some(at(IAT))), IAT + 121), Err(Doubt::OutsideKeyLife));
}

#[test]
fn a_receipt_is_judged_by_its_day() {
    let pair = Pair::ed(1);
    let day = json!({"iss": ISSUER, "iat": IAT, "jti": "x"}).to_string();
    let receipt = pair.jws("estelam-receipt+jwt", "k", day.as_bytes());
    let outcome = |from: i64| check(&alone(&receipt), &trusted(vec![pair.key("k", good(Some(at(from)), None))], Vec::new())).map(drop);
    assert_eq!((outcome(IAT + 86_399), outcome(IAT + 86_400)), (Ok(()), Err(Doubt::OutsideKeyLife)));
}

#[test]
fn proofs_lead_from_the_statement_to_a_checkpoint_of_the_log_and_nothing_else_does() {
    let (pair, log, stranger) = (Pair::ed(1), Pair::ed(7), Pair::ed(8));
    let keys = trusted(vec![pair.key("k", Life::Unknown)], vec![log.log(None)]);
    let statement = pair.jws(ANSWER, "k", answer().to_string().as_bytes());
    let outcome = |bundle: &ProofBundle, keys: &TrustedKeys| {
        check(&Given { document: &statement, statement: None, proof: Some(bundle), checkpoint: None }, keys)
            .map(|genuine| genuine.proven.unwrap().index)
    };
    let fine = proof(&statement, &log, EntryKind::Answer, IAT);
    assert_eq!(outcome(&fine, &keys), Ok(1));
    assert_eq!(outcome(&fine, &trusted(vec![pair.key("k", Life::Unknown)], Vec::new())), Err(Doubt::NoLogKey));
    for (bundle, expected) in [
        (proof("another", &log, EntryKind::Answer, IAT), Doubt::ProofOfOther),
        (proof(&statement, &stranger, EntryKind::Answer, IAT), Doubt::CheckpointUnsigned),
        (proof(&statement, &log, EntryKind::Token, IAT), Doubt::ProofBroken),
        (proof(&statement, &log, EntryKind::Answer, IAT - 1), Doubt::ProofBroken),
        (ProofBundle { index: 0, ..fine.clone() }, Doubt::ProofBroken),
        (ProofBundle { index: 2, ..fine.clone() }, Doubt::ProofBroken),
        (ProofBundle { salt: [0; 32], ..fine.clone() }, Doubt::ProofBroken),
        (ProofBundle { inclusion_path: vec![[0; 32]; 65], ..fine.clone() }, Doubt::ProofBroken),
        (ProofBundle { checkpoint: fine.checkpoint.replace("\n2\n", "\n3\n"), ..fine.clone() }, Doubt::CheckpointUnsigned),
    ] {
        assert_eq!(outcome(&bundle, &keys), Err(expected));
    }
}

#[test]
fn a_checkpoint_kept_from_elsewhere_must_be_of_the_same_tree() {
    let (pair, log) = (Pair::ed(1), Pair::ed(7));
    let keys = trusted(vec![pair.key("k", Life::Unknown)], vec![log.log(None)]);
    let statement = pair.jws(ANSWER, "k", answer().to_string().as_bytes());
    let bundle = proof(&statement, &log, EntryKind::Answer, IAT);
    let kept = |size, root| Checkpoint { origin: ORIGIN.to_owned(), size, root }.sign(&log.log(None).key, &log).unwrap();
    let outcome = |checkpoint: &str| {
        check(&Given { document: &statement, statement: None, proof: Some(&bundle), checkpoint: Some(checkpoint) }, &keys).map(drop)
    };
    assert_eq!(outcome(&bundle.checkpoint), Ok(()));
    assert_eq!(outcome(&kept(3, [1; 32])), Err(Doubt::OtherCheckpoint));
    assert_eq!(outcome(&kept(2, [1; 32])), Err(Doubt::Fork));
    assert_eq!(outcome("nothing"), Err(Doubt::CheckpointUnsigned));
}

#[test]
fn after_a_compromise_only_what_was_in_the_log_before_it_is_genuine() {
    let (pair, log) = (Pair::ed(1), Pair::ed(7));
    let lost = |tree_size| Life::Signs { from: Some(at(IAT)), until: None, compromised: Some(limit(tree_size)) };
    let statement = pair.jws(ANSWER, "k", answer().to_string().as_bytes());
    let bundle = proof(&statement, &log, EntryKind::Answer, IAT);
    let outcome = |tree_size, proof| {
        let keys = trusted(vec![pair.key("k", lost(tree_size))], vec![log.log(None)]);
        check(&Given { document: &statement, statement: None, proof, checkpoint: None }, &keys).map(drop)
    };
    assert_eq!(outcome(2, None), Err(Doubt::KeyCompromised));
    assert_eq!(outcome(2, Some(&bundle)), Ok(()), "entry 1 is one of the first two");
    assert_eq!(outcome(1, Some(&bundle)), Err(Doubt::AfterCompromise));
    // Whoever has the log's key too can make any tree: only the one published before counts.
    let with_log = |checkpoint: &str, tree_size| {
        let limit = Limit { tree_size, checkpoint: checkpoint.to_owned() };
        let keys = trusted(vec![pair.key("k", lost(2))], vec![log.log(Some(limit))]);
        check(&Given { document: &statement, statement: None, proof: Some(&bundle), checkpoint: None }, &keys).map(drop)
    };
    assert_eq!(with_log(&bundle.checkpoint, 2), Ok(()));
    let other = Checkpoint { origin: ORIGIN.to_owned(), size: 2, root: [1; 32] }.sign(&log.log(None).key, &log).unwrap();
    assert_eq!(with_log(&other, 2), Err(Doubt::LogKeyCompromised));
    assert_eq!(with_log("", 2), Err(Doubt::LogKeyCompromised));
}

/// What a compromise under a checkpoint of the log leaves.
fn limit(tree_size: u64) -> Limit {
    Limit { tree_size, checkpoint: format!("{ORIGIN}\n{tree_size}\n") }
}

#[test]
fn a_proof_from_a_log_that_ended_holds_and_is_older_than_all_of_the_next() {
    let (pair, log, next) = (Pair::ed(1), Pair::ed(7), format!("{ORIGIN}/2026-11-28.01234567"));
    let statement = pair.jws(ANSWER, "k", answer().to_string().as_bytes());
    let of = |origin: &str| {
        let mut bundle = proof(&statement, &log, EntryKind::Answer, IAT);
        let key = NoteKey::new(origin, log.public().try_into().unwrap()).unwrap();
        let root = Checkpoint::open(&bundle.checkpoint, &[log.log(None).key]).unwrap().root;
        bundle.checkpoint = Checkpoint { origin: origin.to_owned(), size: 2, root }.sign(&key, &log).unwrap();
        bundle
    };
    let outcome = |origin: &str, limit: Option<Limit>| {
        let life = Life::Signs { from: Some(at(IAT)), until: None, compromised: limit };
        let names = [ORIGIN.to_owned(), next.clone(), seal_origin(&next)];
        let key = |name: &String| LogKey { key: NoteKey::new(name, log.public().try_into().unwrap()).unwrap(), compromised: None };
        let mut keys = trusted(vec![pair.key("k", life)], names.iter().map(key).collect());
        keys.origins = vec![ORIGIN.to_owned(), next.clone()];
        let given = Given { document: &statement, statement: None, proof: Some(&of(origin)), checkpoint: None };
        check(&given, &keys).map(|genuine| genuine.proven.unwrap().origin)
    };
    let under = |origin: &str, tree_size| Some(Limit { tree_size, checkpoint: format!("{origin}\n{tree_size}\n") });
    let seal = seal_origin(&next);
    for origin in [ORIGIN, &seal] {
        assert_eq!(outcome(origin, None), Ok(ORIGIN.to_owned()));
        assert_eq!(outcome(origin, under(&next, 0)), Ok(ORIGIN.to_owned()), "in the log before the later one began");
        assert_eq!(outcome(origin, under(ORIGIN, 2)), Ok(ORIGIN.to_owned()));
        assert_eq!(outcome(origin, under(ORIGIN, 1)), Err(Doubt::AfterCompromise));
        assert_eq!(outcome(origin, under("another.example/log", 9)), Err(Doubt::KeyCompromised));
    }
    assert_eq!(outcome(&next, under(ORIGIN, 9)), Err(Doubt::AfterCompromise), "whatever its index");
    assert_eq!(outcome("another.example/log", None), Err(Doubt::CheckpointUnsigned));
}

#[test]
fn nothing_too_much_and_something_else_are_not_called_false() {
    let pair = Pair::ed(1);
    let keys = trusted(vec![pair.key("k", Life::Unknown)], Vec::new());
    let doubt = |text: &str| check(&alone(text), &keys).unwrap_err();
    assert_eq!((doubt(""), doubt(&"a".repeat(MAX_DOCUMENT + 1))), (Doubt::NothingGiven, Doubt::TooLarge));
    assert_eq!(doubt("hello").code(), "unreadable");
    assert!(["", "hello", &"a".repeat(MAX_DOCUMENT + 1)].iter().all(|text| !doubt(text).is_false()));
}

#[test]
fn a_printed_receipt_belongs_to_the_statement_that_names_it() {
    let (pair, log) = (Pair::ed(1), Pair::ed(7));
    let receipt = pair.jws("estelam-receipt+jwt", "k", json!({"iss": ISSUER, "iat": IAT, "jti": "x"}).to_string().as_bytes());
    let naming = |named: Option<String>| {
        let mut claims = answer();
        claims["receipt"] = json!(named);
        pair.jws(ANSWER, "k", claims.to_string().as_bytes())
    };
    let statement = naming(Some(URL_SAFE_NO_PAD.encode(sha256(receipt.as_bytes()))));
    let bundle = proof(&statement, &log, EntryKind::Answer, IAT);
    let life = |tree_size: Option<u64>| Life::Signs { from: Some(at(IAT)), until: None, compromised: tree_size.map(limit) };
    let outcome = |limit, statement: Option<&str>, proof| {
        let keys = trusted(vec![pair.key("k", life(limit))], vec![log.log(None)]);
        check(&Given { document: &receipt, statement, proof, checkpoint: None }, &keys).map(|genuine| genuine.matched)
    };
    assert_eq!(outcome(None, None, None), Ok(false));
    assert_eq!(outcome(None, Some(&statement), None), Ok(true));
    assert_eq!(outcome(None, Some(&statement), Some(&bundle)), Ok(true));
    assert_eq!(outcome(None, None, Some(&bundle)), Err(Doubt::StatementNeeded));
    for wrong in [naming(None), naming(Some(URL_SAFE_NO_PAD.encode([0; 32]))), receipt.clone()] {
        assert_eq!(outcome(None, Some(&wrong), None), Err(Doubt::StatementOfOther));
    }
    assert_eq!(outcome(Some(2), None, None), Err(Doubt::StatementNeeded));
    assert_eq!(outcome(Some(2), Some(&statement), None), Err(Doubt::KeyCompromised));
    assert_eq!(outcome(Some(2), Some(&statement), Some(&bundle)), Ok(true));
    assert_eq!(outcome(Some(1), Some(&statement), Some(&bundle)), Err(Doubt::AfterCompromise));
    let keys = trusted(vec![pair.key("k", life(None))], Vec::new());
    let beside = Given { document: &statement, statement: Some(&statement), proof: None, checkpoint: None };
    assert_eq!(check(&beside, &keys).unwrap_err(), Doubt::StatementOfNoReceipt);
}
