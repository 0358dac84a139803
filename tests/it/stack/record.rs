//! An entry of the access log as it lies on the disk, opened with the keys of the installation.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use estelam::adapters::keys::KeyRing;
use estelam::adapters::store::open_offline;
use estelam::core::ledger::RetentionClass;
use estelam::core::ledger::leaf::Header;
use serde_json::Value;
use uuid::Uuid;

use super::harness::System;

/// Length of the salt before the content.
const SALT_LEN: usize = 32;

/// The content of the latest entry.
pub fn latest(system: &System) -> Value {
    let store = open_offline(&system.config.ledger.dir).unwrap();
    let id: Vec<u8> = store.query_row("SELECT id FROM entry ORDER BY idx DESC LIMIT 1", [], |row| row.get(0)).unwrap();
    content(system, &Uuid::from_slice(&id).unwrap().to_string())
}

/// How long the latest entry is kept, as its header says.
pub fn latest_class(system: &System) -> RetentionClass {
    let store = open_offline(&system.config.ledger.dir).unwrap();
    let header: Vec<u8> = store.query_row("SELECT header FROM entry ORDER BY idx DESC LIMIT 1", [], |row| row.get(0)).unwrap();
    Header::decode(&header).unwrap().class
}

/// The contents of all entries, in order.
pub fn all(system: &System) -> Vec<Value> {
    let store = open_offline(&system.config.ledger.dir).unwrap();
    let mut ids = store.prepare("SELECT id FROM entry ORDER BY idx").unwrap();
    let ids: Vec<Vec<u8>> = ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    ids.iter().map(|id| content(system, &Uuid::from_slice(id).unwrap().to_string())).collect()
}

/// The content of the entry with this id.
pub fn content(system: &System, id: &str) -> Value {
    let store = open_offline(&system.config.ledger.dir).unwrap();
    let id = Uuid::parse_str(id).unwrap().into_bytes();
    let query = "SELECT sealed, day, class, wrapped FROM entry JOIN content_key ON content_key.seq = entry.content_key WHERE id = ?1";
    let (sealed, day, class, wrapped): (Vec<u8>, i64, u8, Vec<u8>) =
        store.query_row(query, [id.as_slice()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    let kek = *KeyRing::open(&system.config.keys).unwrap().content().expose();
    let aad = [b"estelam content key v1".as_slice(), day.to_be_bytes().as_slice(), &[class]].concat();
    let plain = open(&open(&kek, &aad, &wrapped), &id, &sealed);
    serde_json::from_slice(&plain[SALT_LEN..]).unwrap()
}

fn open(key: &[u8], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let (nonce, rest) = sealed.split_at(NONCE_LEN);
    let mut rest = rest.to_vec();
    key.open_in_place(Nonce::try_assume_unique_for_key(nonce).unwrap(), Aad::from(aad), &mut rest).unwrap().to_vec()
}
