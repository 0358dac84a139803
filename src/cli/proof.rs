//! What a client can check about an answer: the signature, and the place in the log under a signed checkpoint.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::client::{Answered, Client};
use super::{CliError, Failure};
use crate::core::ledger::ProofBundle;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::note::NoteKey;

/// Facts that stand both in the JSON and in the statement.
const SHARED_FACTS: [&str; 7] = ["decision", "document", "as_of", "freshness", "valid_until", "policy_version", "may_deny"];

/// Where an answer was found in the log.
pub(super) struct Proved {
    pub(super) index: u64,
    pub(super) tree_size: u64,
}

/// Checks that the answer's statement is signed by the gateway's published key, is for us, is about this very query, and
/// says the same as the JSON.
pub(super) async fn check_statement(client: &Client, answered: &Answered) -> Result<(), CliError> {
    let statement = string(&answered.body, "statement")?;
    let keys: JwkSet = serde_json::from_str(&client.public("/.well-known/jwks.json").await?).doing("the published keys are not a JWKS")?;
    let claims = verified(statement, &keys, client)?;
    if claims.get("jti") != answered.body.get("answer_id") {
        return Err(CliError::failed("the statement is about another answer"));
    }
    // Where nobody need be named, nothing is derived from a query that names somebody: then there is no `req`.
    let sent = URL_SAFE_NO_PAD.encode(digest(&SHA256, &answered.sent));
    let free = answered.body.get("decision").and_then(Value::as_str) == Some("no-document-required");
    if claims.get("req").map_or(!free, |req| req.as_str() != Some(sent.as_str())) {
        return Err(CliError::failed("the statement is about another query"));
    }
    if claims.get("reason") != answered.body.pointer("/reason/code") {
        return Err(CliError::failed("the statement gives another reason than the answer"));
    }
    match SHARED_FACTS.iter().find(|fact| claims.get(**fact) != answered.body.get(**fact)) {
        Some(fact) => Err(CliError::failed(format_args!("the statement and the answer differ in `{fact}`"))),
        None => Ok(()),
    }
}

fn verified(statement: &str, keys: &JwkSet, client: &Client) -> Result<Value, CliError> {
    let header = jsonwebtoken::decode_header(statement).doing("the statement is not a JWS")?;
    if header.typ.as_deref() != Some("estelam-answer+jwt") {
        return Err(CliError::failed("the statement is of another kind"));
    }
    let key =
        header.kid.as_deref().and_then(|kid| keys.find(kid)).ok_or_else(|| CliError::failed("no published key signed the statement"))?;
    if !matches!(header.alg, Algorithm::EdDSA | Algorithm::ES256) {
        return Err(CliError::failed("the statement names an algorithm that is not ours"));
    }
    let mut rules = Validation::new(header.alg);
    rules.set_audience(&[client.agency()]);
    rules.set_issuer(&[client.gateway()]);
    rules.set_required_spec_claims(&["exp", "aud", "iss"]);
    let key = DecodingKey::from_jwk(key).doing("the published key is not usable")?;
    let decoded = jsonwebtoken::decode::<Value>(statement, &key, &rules).doing("the statement's signature does not hold")?;
    Ok(decoded.claims)
}

#[derive(Deserialize)]
struct Proof {
    #[serde(flatten)]
    bundle: ProofBundle,
}

/// Checks that the answer's entry is in the log under a checkpoint signed by the log's public key.
pub(super) async fn check_inclusion(client: &Client, token: &str, answered: &Answered) -> Result<Proved, CliError> {
    let id = string(&answered.body, "answer_id")?;
    let proof: Proof = serde_json::from_value(client.read(token, &format!("/v1/log/proof/{id}")).await?).doing("the proof is malformed")?;
    let key = NoteKey::parse(client.public("/checkpoint.key").await?.trim()).doing("the log's public key is malformed")?;
    let keys = [key];
    proof.bundle.check(string(&answered.body, "statement")?, &keys).doing("the record is not proved")?;
    let checkpoint = Checkpoint::open(&proof.bundle.checkpoint, &keys).doing("the checkpoint does not hold")?;
    Ok(Proved { index: proof.bundle.index, tree_size: checkpoint.size })
}

fn string<'a>(body: &'a Value, field: &str) -> Result<&'a str, CliError> {
    body.get(field).and_then(Value::as_str).ok_or_else(|| CliError::failed(format_args!("the answer has no `{field}`")))
}
