//! The words of the holder's own view (`holder.toml`): every kind of agency and every purpose in Persian, Dari and English.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::load_error::LoadError;
use super::permit_rules::PermitRules;
use crate::core::domain::document::coded_enum;

/// The file.
pub(super) const HOLDER_FILE: &str = "holder.toml";
/// The word for a purpose that was not stated, or not one.
const NO_PURPOSE: &str = "none";

coded_enum! {
    /// What happened.
    HolderLine {
        /// Somebody asked, and got an answer.
        Asked = "asked",
        /// Somebody asked, and was refused.
        Refused = "refused",
        /// Somebody opened this record, or began to.
        Opened = "opened",
    }
}

/// One text in each language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolderText {
    /// Persian.
    pub fa: String,
    /// Dari.
    pub prs: String,
    /// English.
    pub en: String,
}

/// All the words. A folder without the file has none, and says codes instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderWords {
    sentences: BTreeMap<String, HolderText>,
    kinds: BTreeMap<String, HolderText>,
    purposes: BTreeMap<String, HolderText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sentence: BTreeMap<String, Spanned<HolderText>>,
    kind: BTreeMap<String, Spanned<HolderText>>,
    purpose: BTreeMap<String, Spanned<HolderText>>,
}

impl HolderText {
    fn map(&self, change: impl Fn(&str, &dyn Fn(&Self) -> &str) -> String) -> Self {
        Self { fa: change(&self.fa, &|text| &text.fa), prs: change(&self.prs, &|text| &text.prs), en: change(&self.en, &|text| &text.en) }
    }

    fn of_code(code: &str) -> Self {
        Self { fa: code.to_owned(), prs: code.to_owned(), en: code.to_owned() }
    }
}

impl HolderWords {
    /// Reads the file; every kind and purpose must have its words.
    pub(super) fn read(files: &BTreeMap<String, String>, rules: &PermitRules, errors: &mut Vec<LoadError>) -> Self {
        let Some(text) = files.get(HOLDER_FILE) else { return Self::default() };
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => {
                errors.push(LoadError::toml(HOLDER_FILE, text, &error));
                return Self::default();
            }
        };
        let lines = HolderLine::ALL.iter().map(|line| line.code().to_owned()).collect();
        let mut purposes: BTreeSet<String> = rules.purposes().iter().map(ToString::to_string).collect();
        purposes.insert(NO_PURPOSE.to_owned());
        let kinds = rules.kinds().iter().map(ToString::to_string).collect();
        for sentence in file.sentence.values() {
            let HolderText { fa, prs, en } = sentence.get_ref();
            if [fa, prs, en].iter().any(|text| !text.contains("{kind}") || !text.contains("{day}")) {
                errors.push(LoadError::at(HOLDER_FILE, text, sentence.span().start, "a sentence needs {day} and {kind} in every language"));
            }
        }
        Self {
            sentences: complete(text, "sentence", file.sentence, &lines, errors),
            kinds: complete(text, "kind", file.kind, &kinds, errors),
            purposes: complete(text, "purpose", file.purpose, &purposes, errors),
        }
    }

    /// One line of the view: `jalali` for Persian and Dari, `gregorian` for English.
    pub fn line(&self, line: HolderLine, kind: &str, purpose: Option<&str>, jalali: &str, gregorian: &str) -> HolderText {
        let known =
            |words: &BTreeMap<String, HolderText>, code: &str| words.get(code).cloned().unwrap_or_else(|| HolderText::of_code(code));
        let (kind, purpose) = (known(&self.kinds, kind), known(&self.purposes, purpose.unwrap_or(NO_PURPOSE)));
        let day = HolderText { fa: jalali.to_owned(), prs: jalali.to_owned(), en: gregorian.to_owned() };
        let sentence = self.sentences.get(line.code()).cloned().unwrap_or_else(|| HolderText::of_code("{day}: {kind}, {purpose}"));
        sentence.map(|text, of| text.replace("{kind}", of(&kind)).replace("{purpose}", of(&purpose)).replace("{day}", of(&day)))
    }
}

fn complete(
    text: &str,
    table: &str,
    found: BTreeMap<String, Spanned<HolderText>>,
    wanted: &BTreeSet<String>,
    errors: &mut Vec<LoadError>,
) -> BTreeMap<String, HolderText> {
    for missing in wanted.iter().filter(|code| !found.contains_key(*code)) {
        errors.push(LoadError::of_file(HOLDER_FILE, format!("[{table}.{missing}] is missing; write its words in fa, prs and en")));
    }
    let mut words = BTreeMap::new();
    for (code, entry) in found {
        let at = entry.span().start;
        let HolderText { fa, prs, en } = entry.get_ref();
        if !wanted.contains(&code) {
            errors.push(LoadError::at(
                HOLDER_FILE,
                text,
                at,
                format!("[{table}.{code}] is of nothing that is known; remove it or correct its name"),
            ));
        } else if [fa, prs, en].iter().any(|text| text.trim().is_empty()) {
            errors.push(LoadError::at(
                HOLDER_FILE,
                text,
                at,
                format!("[{table}.{code}] says nothing in one of its languages; write the words"),
            ));
        }
        words.insert(code, entry.into_inner());
    }
    words
}
