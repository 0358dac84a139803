//! Files that people sign, two at a time: legal holds, deferrals, purge orders. One thing is one file `ID.json` with two lists of signatures: that it
//! begins, and that it ends before its last day. It has effect only once the access log has that it began, and who signed.

mod kind;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::kind::{Kind, OutOfOffice, Subject, Words};

use super::StartError;
use super::acts::{Act, Acts, KnownSigned, OFFICIALS};
use super::authority::{OfficialsFile, version_of};
use super::people::{FOUR_EYES, People, Signature};
use crate::config::Config;
use crate::core::ledger::retention::{Step, day_of};
use crate::files;
use crate::registry::decrees::{OfficialKey, Officials};

/// One file of the folder. Aliases read what earlier builds wrote.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedFile<S> {
    #[serde(alias = "hold", alias = "deferral")]
    subject: S,
    /// Who signed that it begins.
    #[serde(default, alias = "held_by", alias = "deferred_by")]
    begun_by: Vec<Signature>,
    /// Who signed that it ends.
    #[serde(default, alias = "released_by", alias = "shown_by")]
    ended_by: Vec<Signature>,
}

/// Where a file stands by its signatures and days; the log says whether it had effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// One person signed; it has no effect yet.
    Pending,
    /// Two people signed.
    Signed,
    /// Two people ended it.
    Ended,
    /// Its last day is over.
    Over,
}

/// One line of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Listed<S> {
    /// What people signed.
    #[serde(flatten)]
    pub subject: S,
    /// Where it stands.
    pub standing: Standing,
    /// Who signed that it begins.
    pub begun_by: Vec<String>,
    /// Who signed that it ends.
    pub ended_by: Vec<String>,
}

/// The folder of a kind.
pub struct SignedFiles<K> {
    dir: PathBuf,
    people: People,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> SignedFiles<K> {
    /// Those of an installation: outside a demo the officials sign them.
    ///
    /// # Errors
    /// The installation has no such folder, a public key is not usable, or the officials' chain does not hold.
    pub fn of(config: &Config, now: Timestamp) -> Result<Self, StartError> {
        let dir = K::folder(config)?;
        Ok(Self { people: People::of(config, &dir, now)?, dir, kind: PhantomData })
    }

    /// Opens the folder of a demo, whose people are enrolled in it; no folder is none of the kind.
    ///
    /// # Errors
    /// A public key is not usable.
    pub fn open(dir: &Path) -> Result<Self, StartError> {
        Ok(Self { dir: dir.to_owned(), people: People::enrolled(dir)?, kind: PhantomData })
    }

    /// The files of an installation, held against officials whom somebody knows from elsewhere; none without a list of them.
    ///
    /// # Errors
    /// The installation has no such folder.
    pub(super) fn known_by(config: &Config, lists: Vec<OfficialsFile>) -> Result<Option<Self>, StartError> {
        let dir = K::folder(config)?;
        Ok(People::of_lists(lists).map(|people| Self { dir, people, kind: PhantomData }))
    }

    /// One that two people signed, both in office on the day on which it began; where that is not known, together on some day until `by`. Whether it
    /// had effect, and until when, the log says.
    ///
    /// # Errors
    /// The file is not there, a signature in it does not hold, or there are not two such signatures.
    pub(super) fn signed(&self, id: &str, began: Option<Date>, by: Date) -> Result<K::Subject, String> {
        let path = self.path(id).map_err(|error| error.to_string())?;
        let file = self.read(&path).map_err(|error| error.to_string())?;
        self.sound(&path, &file)?;
        let names: Vec<&str> = file.begun_by.iter().map(|signature| &*signature.by).collect();
        if !self.two_signed(&file, Step::Begin) {
            return Err(format!("`{}` is not signed by two officials", path.display()));
        }
        if !self.people.were_in_office(&names, began.unwrap_or(Date::MIN)..=began.unwrap_or(by)) {
            let when = began.map_or_else(|| format!("until {by}"), |began| format!("on {began}, when it began"));
            return Err(format!("no two of those who signed `{}` were in office together {when}", path.display()));
        }
        Ok(file.subject)
    }

    /// Lets somebody sign: in a demo. Elsewhere the officials do.
    ///
    /// # Errors
    /// This is no demo, or the public key cannot be kept.
    pub fn enrol(config: &Config, name: &str, key: &OfficialKey) -> Result<(), StartError> {
        if !config.demo {
            let one = K::WORDS.one;
            return Err(StartError(format!(
                "outside a demo the officials sign every {one}, and nobody is enrolled (`estelam officials show`)"
            )));
        }
        Officials::enrol(&K::folder(config)?, name, key).map_err(|error| StartError(error.to_string()))
    }

    /// Records what two people began or ended since the last time, and says what has begun and was not ended, over or not.
    ///
    /// # Errors
    /// A file cannot be read, was changed, or is gone before its last day; or the log does not take the entry. Then what the kind keeps closed
    /// stays closed.
    pub async fn take_up(&self, acts: &Acts, now: Timestamp) -> Result<Vec<K::Subject>, StartError> {
        let _alone = acts.reading().await;
        let (all, known) = (self.all()?, std::mem::take(K::known(&mut acts.known())));
        let (mut new, mut begun) = (Vec::new(), Vec::new());
        for file in all {
            let before = known.get(file.subject.id());
            if !self.has_begun(&file, before, now)? {
                continue;
            }
            let standing = KnownSigned { hash: hash_of::<K>(&file.subject), until: file.subject.until(), released: false };
            if before.is_none() {
                new.push((act::<K>(K::WORDS.begun, &file.subject, &standing.hash, &file.begun_by), standing.clone()));
            }
            let was_ended = before.is_some_and(|before| before.released);
            let ends = was_ended || self.two_signed(&file, Step::End) && self.people.may_act(&file.ended_by, now);
            if ends && !was_ended {
                let act = act::<K>(K::WORDS.ended, &file.subject, &standing.hash, &file.ended_by);
                new.push((act, KnownSigned { released: true, ..standing }));
            }
            if !ends {
                begun.push(file.subject);
            }
        }
        self.none_is_gone(&known, now)?;
        for (act, standing) in new {
            let id = act.reference().to_owned();
            let recorded = acts.record(act, move |known| drop(K::known(known).insert(id.clone(), standing.clone()))).await;
            let Words { one, closed, .. } = K::WORDS;
            recorded.map_err(|error| StartError(format!("a {one} that began or ended cannot be recorded: {error}; {closed}")))?;
        }
        Ok(begun)
    }

    /// Whether a file is on record as begun, or begins now.
    fn has_begun(&self, file: &SignedFile<K::Subject>, before: Option<&KnownSigned>, now: Timestamp) -> Result<bool, StartError> {
        let (one, two) = (K::WORDS.one, self.two_signed(file, Step::Begin));
        let wrong = |what: String| -> Result<bool, StartError> { Err(self.unusable(&self.path(file.subject.id())?, &what)) };
        match before {
            Some(before) if before.hash != hash_of::<K>(&file.subject) => {
                wrong(format!("it is not the {one} that was recorded; once it is signed a {one} is not changed"))
            }
            Some(_) if !two => wrong("signatures that were recorded are not in it any more; put the file back".to_owned()),
            Some(_) => Ok(true),
            None if !two => Ok(false),
            None if self.people.may_act(&file.begun_by, now) => Ok(true),
            None if K::OUT_OF_OFFICE == OutOfOffice::DoesNotBegin => Ok(false),
            None => wrong(
                "somebody who signed it is not in office, and it was not recorded while they were; remove it, or have it signed anew"
                    .to_owned(),
            ),
        }
    }

    fn none_is_gone(&self, known: &BTreeMap<String, KnownSigned>, now: Timestamp) -> Result<(), StartError> {
        for (id, standing) in known.iter().filter(|(_, standing)| !standing.released && standing.until >= day_of(now)) {
            let path = self.path(id)?;
            if !path.exists() {
                let Words { one, lasts, .. } = K::WORDS;
                return Err(self.unusable(&path, &format!("the {one} is gone, but {lasts} until {}", standing.until)));
            }
        }
        Ok(())
    }

    /// Every file and where it stands on the day of an instant.
    ///
    /// # Errors
    /// A file cannot be read, is not what it should be, or a signature in it does not hold.
    pub fn list(&self, now: Timestamp) -> Result<Vec<Listed<K::Subject>>, StartError> {
        let names = |list: &[Signature]| list.iter().map(|signature| signature.by.clone()).collect();
        let listed = |file: SignedFile<K::Subject>| {
            let standing = match (self.two_signed(&file, Step::Begin), self.two_signed(&file, Step::End)) {
                (_, true) => Standing::Ended,
                _ if file.subject.until() < day_of(now) => Standing::Over,
                (true, false) => Standing::Signed,
                (false, false) => Standing::Pending,
            };
            Listed { standing, begun_by: names(&file.begun_by), ended_by: names(&file.ended_by), subject: file.subject }
        };
        Ok(self.all()?.into_iter().map(listed).collect())
    }

    /// Every file, each signature in it checked.
    fn all(&self) -> Result<Vec<SignedFile<K::Subject>>, StartError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| self.unusable(&self.dir, &error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| self.unusable(&self.dir, &error))?.path();
            if path.extension().is_some_and(|end| end == "json") {
                let file = self.read(&path)?;
                self.sound(&path, &file).map_err(|what| self.unusable(&path, &what))?;
                found.push(file);
            }
        }
        found.sort_by(|one, other| one.subject.id().cmp(other.subject.id()));
        Ok(found)
    }

    fn sound(&self, path: &Path, file: &SignedFile<K::Subject>) -> Result<(), String> {
        let (id, one) = (file.subject.id(), K::WORDS.one);
        // A copy under another name, from before it ended, would have effect once more.
        if self.path(id).ok().as_deref() != Some(path) {
            return Err(format!("the name of the file is not that of the {one} in it, `{id}`; remove it, or give it that name"));
        }
        K::check(&file.subject)?;
        self.signers(file, Step::Begin)?;
        self.signers(file, Step::End).map(drop)
    }

    /// Begins one with the first of two signatures.
    ///
    /// # Errors
    /// There is one of that id, the id is no file name, its days are wrong or over, or the key is nobody's who may sign.
    pub fn add(&self, subject: K::Subject, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        let (one, path) = (K::WORDS.one, self.path(subject.id())?);
        if path.exists() {
            let id = subject.id();
            return Err(StartError(format!(
                "there is a {one} `{id}` already; a {one} is not changed: end it and add another under another name"
            )));
        }
        K::check(&subject).map_err(StartError)?;
        // It could be signed by two, and would have no effect all the same.
        let (until, today) = (subject.until(), day_of(now));
        if until < today {
            return Err(StartError(format!("the last day of this {one}, {until}, is over, today is {today} (UTC); give a later one")));
        }
        self.sign(SignedFile { subject, begun_by: Vec::new(), ended_by: Vec::new() }, Step::Begin, key, now)
    }

    /// Adds a signature.
    ///
    /// # Errors
    /// There is no such file, the key is nobody's who may sign, or this person signed already.
    pub fn approve(&self, id: &str, step: Step, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        let path = self.path(id)?;
        if !path.exists() {
            let Words { one, verb, .. } = K::WORDS;
            return Err(StartError(format!("there is no {one} `{id}`; see `{verb} list`")));
        }
        self.sign(self.read(&path)?, step, key, now)
    }

    fn sign(&self, mut file: SignedFile<K::Subject>, step: Step, key: &OfficialKey, now: Timestamp) -> Result<(), StartError> {
        let enrol = format!("{} enrol", K::WORDS.verb);
        let signature = self.people.sign(key, &K::signed_bytes(&file.subject, step), now, (K::WORDS.may, &enrol))?;
        let list = match step {
            Step::Begin => &mut file.begun_by,
            Step::End => &mut file.ended_by,
        };
        if list.iter().any(|other| other.by == signature.by) {
            return Err(StartError(format!("`{}` signed this already; another person must", signature.by)));
        }
        list.push(signature);
        let path = self.path(file.subject.id())?;
        // Outside a demo nobody is enrolled, which would have made it.
        std::fs::create_dir_all(&self.dir).map_err(|error| self.unusable(&self.dir, &error))?;
        let text = serde_json::to_string_pretty(&file).map_err(|error| self.unusable(&path, &error))?;
        files::write_durably(&path, text.as_bytes()).map_err(|error| self.unusable(&path, &error))
    }

    /// Whether two different people signed a step of a file that was read.
    fn two_signed(&self, file: &SignedFile<K::Subject>, step: Step) -> bool {
        self.signers(file, step).is_ok_and(|signers| signers >= FOUR_EYES)
    }

    fn signers(&self, file: &SignedFile<K::Subject>, step: Step) -> Result<usize, String> {
        let list = match step {
            Step::Begin => &file.begun_by,
            Step::End => &file.ended_by,
        };
        self.people.signers(list, &K::signed_bytes(&file.subject, step))
    }

    fn path(&self, id: &str) -> Result<PathBuf, StartError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(StartError(format!("`{id}` cannot name a {}; use letters, digits and hyphens", K::WORDS.one)));
        }
        Ok(self.dir.join(format!("{id}.json")))
    }

    fn read(&self, path: &Path) -> Result<SignedFile<K::Subject>, StartError> {
        let text = std::fs::read_to_string(path).map_err(|error| self.unusable(path, &error))?;
        serde_json::from_str(&text).map_err(|error| self.unusable(path, &error))
    }

    fn unusable(&self, path: &Path, why: &dyn std::fmt::Display) -> StartError {
        let Words { one, closed, .. } = K::WORDS;
        StartError(format!("`{}` is not usable: {why}; {closed} while a {one} cannot be read", path.display()))
    }
}

/// The hash under which a thing is on record.
pub(super) fn hash_of<K: Kind>(subject: &K::Subject) -> String {
    version_of(&K::signed_bytes(subject, Step::Begin))
}

/// The act of beginning or ending one. Its reason is people's words, so it stays in its file; the hash covers it.
fn act<K: Kind>(code: &'static str, subject: &K::Subject, hash: &str, signatures: &[Signature]) -> Act {
    let mut details = subject.details();
    details.insert("hash".to_owned(), json!(hash));
    details.insert("signers".to_owned(), signatures.iter().map(|signature| json!(signature.by)).collect());
    let act = Act::new(K::WORDS.route, code, OFFICIALS).about(subject.id()).details(&Value::Object(details));
    match subject.agency() {
        Some(agency) => act.of_agency(agency, None),
        None => act,
    }
}
