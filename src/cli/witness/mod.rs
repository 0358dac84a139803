//! `estelam log witness`: what an auditor runs elsewhere. It needs no installation: the log's public listener, and its public key.

mod follow;
mod keys;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use self::keys::LogKeys;
use super::place::write_atomically;
use super::{CliError, Failure, block_on};
use crate::adapters::clock::SystemClock;
use crate::adapters::keys::FileSigner;
use crate::adapters::tls::config::anonymous_client_config;
use crate::core::domain::clock::Clock;
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::cosignature::WitnessKey;
use crate::core::ledger::note::NoteError;
use crate::core::ledger::succession::suffix_of;
use crate::core::ledger::tile::TilePath;
use crate::core::ledger::witness::{TileName, judge, tiles_needed};
use crate::core::signing::Algorithm;

/// The last checkpoint that was cosigned.
const SEEN: &str = "checkpoint";
/// The witness's own key.
const KEY: &str = "witness.pem";
/// Its verifier key, from the first cosignature on.
const VERIFIER: &str = "witness.key";
/// What PEM calls a PKCS#8 key (RFC 7468 §10).
const KEY_TAG: &str = "PRIVATE KEY";
/// Of a checkpoint that the log may have signed with a key that the auditor does not have yet.
const UNKNOWN_KEY: &str = "the checkpoint is signed by no key of `--log-key`; if the log's key was rotated, get the new one by another way and give it beside the one \
                           before it";
/// The longest tile, in bytes.
const TILE_BYTES: usize = 256 * 32;

/// Watch a log from outside: cosign its checkpoint if it continues the last one seen, refuse and report a fork
#[derive(Debug, Args)]
pub(super) struct Witness {
    /// URL of the log's public listener
    #[arg(long)]
    url: String,
    /// Root certificate of that listener
    #[arg(long)]
    ca: PathBuf,
    /// File with the log's verifier key (`/checkpoint.key`, got and compared by another way); after a rotation the keys before it too, one a line or
    /// each in a file of its own
    #[arg(long, required = true)]
    log_key: Vec<PathBuf>,
    /// The witness's name, in its cosignatures
    #[arg(long)]
    name: String,
    /// Folder of the witness: its key, made at the first run, and the last checkpoint that it cosigned
    #[arg(long)]
    state: PathBuf,
    /// Look again every so many seconds, until ended or until a checkpoint must be refused; once if left out
    #[arg(long)]
    every: Option<u64>,
}

/// Why a look found nothing to cosign.
enum Trouble {
    /// What the log signs, or what is kept of it, does not hold: somebody has to look into it.
    Refusal(CliError),
    /// Anything else: the next look may find it gone.
    Fault(CliError),
}

impl From<CliError> for Trouble {
    fn from(error: CliError) -> Self {
        Self::Fault(error)
    }
}

impl Witness {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        std::fs::create_dir_all(&self.state).doing(format_args!("cannot make `{}`", self.state.display()))?;
        let log = LogKeys::read(&self.log_key)?;
        let signer = self.signer()?;
        let public = <[u8; 32]>::try_from(signer.public_key_bytes()).doing("the witness's key must be an Ed25519 key")?;
        let key = WitnessKey::new(&self.name, public).doing("the witness's name")?;
        block_on(async {
            let tls = anonymous_client_config(&self.ca, Arc::new(SystemClock)).doing("the root certificate")?;
            let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(Duration::from_secs(30));
            let http = http.build().doing("cannot build the HTTP client")?;
            loop {
                match (self.look(&http, &log, &key, &signer).await, self.every) {
                    (Ok(found), _) => println!("{found}"),
                    // An outage is no reason to stop watching.
                    (Err(Trouble::Fault(fault)), Some(_)) => eprintln!("not cosigned: {fault}; it is looked at again"),
                    (Err(Trouble::Fault(error) | Trouble::Refusal(error)), _) => return Err(error),
                }
                let Some(every) = self.every else { return Ok(ExitCode::SUCCESS) };
                tokio::time::sleep(Duration::from_secs(every.max(1))).await;
            }
        })
    }

    /// One look: one line that says what was found.
    async fn look(&self, http: &reqwest::Client, log: &LogKeys, key: &WitnessKey, signer: &FileSigner) -> Result<String, Trouble> {
        let note = String::from_utf8(self.get(http, "checkpoint", 64 * 1024).await?).doing("the checkpoint is not text")?;
        let new = match log.open(&note) {
            Ok(new) => new,
            Err(NoteError::Malformed) => return Err(CliError::failed("what is served as the checkpoint is none").into()),
            Err(NoteError::Unsigned) => return Err(self.refusal(&note, &UNKNOWN_KEY)),
            Err(error) => return Err(self.refusal(&note, &error)),
        };
        let place = self.state.join(SEEN);
        let Some(kept) = read_if_there(&place)? else {
            self.never_cosigned(&place)?;
            self.cosign((key, signer), &note, &place)?;
            return Ok(format!("{} entries: the first checkpoint seen, cosigned", new.size));
        };
        let seen = self.kept((log, key), &kept, &place)?;
        let judged = match seen.origin == new.origin {
            true => self.judged(http, "", &seen, &new).await.map(|()| format!("continues the {} seen before", seen.size)),
            false => self.followed(http, log, &seen, &new).await,
        };
        let found = judged.map_err(|trouble| match trouble {
            Trouble::Refusal(why) => self.refusal(&note, &why),
            fault @ Trouble::Fault(_) => fault,
        })?;
        if seen.origin != new.origin {
            let ended = suffix_of(&seen.origin).map_or("first", |(_, suffix)| suffix);
            write_atomically(&self.state.join(format!("ended-{ended}")), kept.as_bytes())?;
        }
        self.cosign((key, signer), &note, &place)?;
        Ok(format!("{} entries: {found}, cosigned", new.size))
    }

    fn cosign(&self, (key, signer): (&WitnessKey, &FileSigner), note: &str, place: &Path) -> Result<(), CliError> {
        write_atomically(place, key.cosign(note, signer, SystemClock.now()).doing("cannot cosign")?.as_bytes())?;
        write_atomically(&self.state.join(VERIFIER), format!("{key}\n").as_bytes())
    }

    /// A witness that lost its memory would cosign a fork like a first checkpoint.
    fn never_cosigned(&self, place: &Path) -> Result<(), Trouble> {
        if read_if_there(&self.state.join(VERIFIER))?.is_none() {
            return Ok(());
        }
        Err(Trouble::Refusal(CliError::failed(format_args!(
            "`{}`, the last checkpoint that this witness cosigned, is gone: put it back (a gateway that it was brought to has it). Where nobody has it, \
             begin a new witness in an empty `--state`, and tell those who rely on this one",
            place.display()
        ))))
    }

    /// The checkpoint that was cosigned last, by this very witness.
    fn kept(&self, (log, key): (&LogKeys, &WitnessKey), note: &str, place: &Path) -> Result<Checkpoint, Trouble> {
        if let Err(error) = key.cosigned_at(note) {
            return Err(Trouble::Refusal(CliError::failed(format_args!(
                "`{}` is not what this witness cosigned under the name `{}` ({error}); do not delete it, find out who changed it",
                place.display(),
                self.name
            ))));
        }
        log.open(note).map_err(|error| {
            let place = place.display();
            Trouble::Refusal(match error {
                NoteError::Unsigned => CliError::failed(format_args!(
                    "`{place}` is signed by no key of `--log-key`: after a rotation of the log's key give the key before it too. If it is given, do not \
                     delete the file, find out who changed it"
                )),
                error => CliError::failed(format_args!("`{place}` does not hold ({error}); do not delete it, find out who changed it")),
            })
        })
    }

    /// Refuses a checkpoint and keeps it as proof: it and the one that was cosigned last are signed by the log.
    fn refusal(&self, note: &str, why: &dyn fmt::Display) -> Trouble {
        let state = self.state.display();
        Trouble::Refusal(match write_atomically(&self.state.join("refused"), note.as_bytes()) {
            Ok(()) => CliError::failed(format_args!("not cosigned: {why}; both signed checkpoints are kept in `{state}`")),
            Err(error) => {
                CliError::failed(format_args!("not cosigned: {why}; and the checkpoint that was refused cannot be kept: {error}"))
            }
        })
    }

    /// Whether one checkpoint continues another of the same log, by the tiles below a path.
    async fn judged(&self, http: &reqwest::Client, prefix: &str, seen: &Checkpoint, new: &Checkpoint) -> Result<(), Trouble> {
        let mut tiles = BTreeMap::new();
        for name in tiles_needed(seen, new) {
            tiles.insert(name, self.get(http, &format!("{prefix}{}", path_of(name)), TILE_BYTES).await?);
        }
        judge(seen, new, &tiles).map_err(|refusal| Trouble::Refusal(CliError::failed(refusal)))
    }

    async fn get(&self, http: &reqwest::Client, path: &str, most: usize) -> Result<Vec<u8>, CliError> {
        let url = format!("{}/{path}", self.url.trim_end_matches('/'));
        let response = http.get(&url).send().await.doing(format_args!("`{url}` cannot be reached"))?;
        let status = response.status();
        if !status.is_success() {
            return Err(CliError::failed(format_args!("`{url}` answered {status}")));
        }
        let bytes = response.bytes().await.doing(format_args!("`{url}` broke off"))?;
        if bytes.len() > most { Err(CliError::failed(format_args!("`{url}` is too long"))) } else { Ok(bytes.to_vec()) }
    }

    fn signer(&self) -> Result<FileSigner, CliError> {
        let path = self.state.join(KEY);
        if !path.exists() {
            let key = FileSigner::generate(Algorithm::EdDsa);
            let key = key.ok_or_else(|| CliError::failed("the system gave no random numbers for a key"))?;
            let pem = zeroize::Zeroizing::new(pem::encode(&pem::Pem::new(KEY_TAG, key.to_vec())));
            super::place::write_private(&path, pem.as_bytes())?;
        }
        let pem = std::fs::read(&path).map(zeroize::Zeroizing::new).doing(format_args!("cannot read `{}`", path.display()))?;
        let key = pem::parse(&*pem).ok().filter(|pem| pem.tag() == KEY_TAG).and_then(|pem| FileSigner::from_pkcs8(pem.contents()));
        key.ok_or_else(|| CliError::failed(format_args!("`{}` is no private key in PEM", path.display())))
    }
}

fn path_of((level, index, width): TileName) -> String {
    TilePath::Hashes { level, index, width }.to_string()
}

fn read_if_there(path: &Path) -> Result<Option<String>, CliError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::failed(format_args!("cannot read `{}`: {error}", path.display()))),
    }
}
