//! The holder (دارنده) as the gateway knows one: documents and what eligibility rules read, never a name.

use super::date::PartialDate;
use super::document::{Document, DocumentKind};
use super::name::NameKey;

/// One person behind an identifier. It holds no number and no name, so that nothing downstream can leak one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Date of birth with its own precision and calendar.
    pub birth: Option<PartialDate>,
    /// ISO 3166 alpha-2 code.
    pub nationality: Option<String>,
    /// ISO 3166-2:IR code of the registered province.
    pub province: Option<String>,
    /// `head` or `member`, where the registry knows.
    pub household_role: Option<String>,
    /// A protected record or a honeypot: looks exactly like nobody.
    pub blocked: bool,
    /// Every document of the person.
    pub documents: Vec<Document>,
    /// What an asker's further words about the paper and its holder are compared with; it takes no part in any rule.
    pub marks: Marks,
}

impl Person {
    /// Bytes of memory behind this value, about.
    pub fn heap_bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, |text| ALLOCATION + text.capacity());
        let documents = ALLOCATION + self.documents.capacity() * size_of::<Document>();
        let papers = ALLOCATION + self.marks.papers.capacity() * size_of::<PaperMark>();
        let countries: usize = self.marks.papers.iter().map(|paper| text(&paper.country)).sum();
        let name = self.marks.name.as_ref().map_or(0, NameKey::heap_bytes);
        text(&self.nationality) + text(&self.province) + text(&self.household_role) + documents + papers + countries + name
    }
}

/// What an allocation takes beyond its bytes, about.
pub(super) const ALLOCATION: usize = 16;

/// What tells a person's papers apart beyond their facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The documents that bear the number asked for; none where the registry does not say.
    pub papers: Vec<PaperMark>,
    /// The name, for a hint alone; none where the registry holds no name.
    pub name: Option<NameKey>,
    /// The registry's keyed hash of the person, the same by whichever number; for counting in memory alone, never kept. None where it does not say.
    pub key: Option<u64>,
}

/// One document that bears the number asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaperMark {
    /// What it is, where the registry says so.
    pub kind: Option<DocumentKind>,
    /// Its printed last day, where the registry says so of this very document.
    pub expires: Option<PartialDate>,
    /// Its round or type.
    pub series: Option<u16>,
    /// Its issuing country, as [`super::scheme::country::canonical`] writes it.
    pub country: Option<String>,
}
