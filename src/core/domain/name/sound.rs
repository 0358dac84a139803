//! How a word sounds: consonants in order, and between them the vowels as far as the script writes them.
//!
//! Persian writes long vowels alone, Latin spellings write all of them in any way; so vowels are classes (a, i, u) and a vowel that
//! Persian leaves out agrees with any short one of Latin.

use serde::{Deserialize, Serialize};

/// A word as units, packed: consonant, then the vowels after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Sound(Vec<(char, u8)>);

impl Sound {
    pub(super) const fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(char, u8)>()
    }
}

/// An a of whatever length was written.
const A: u8 = 1;
/// An i, e (as in «ی») was written.
const I: u8 = 2;
/// An u, o (as in «و») was written.
const U: u8 = 4;
/// The i must be a long one: ee, ai, y.
const LONG_I: u8 = 8;
/// The u must be a long one: oo, ou, w, v.
const LONG_U: u8 = 16;
/// An a that belongs to a diphthong and may stand for «ا» as well: ai, aw.
const SOFT_A: u8 = 32;
/// The word is of Arabic script, which leaves short vowels out.
const WRITTEN_LONG: u8 = 64;

/// The readings of one word of folded letters; one, or two where letters can be read in two ways.
pub(super) fn of(word: &str) -> Vec<Sound> {
    let mut sounds = if word.chars().any(|c| ('\u{600}'..'\u{700}').contains(&c)) {
        vec![arabic_script(word), arabic_script(&without_solar_l(word))]
    } else {
        let plain = latin_letters(word);
        vec![latin(&plain), latin(&plain.replace("th", "s").replace("dh", "z"))]
    };
    sounds.dedup();
    sounds.retain(|sound| !sound.0.is_empty());
    sounds
}

/// Whether two words can be one name.
pub(super) fn alike(one: &[Sound], other: &[Sound]) -> bool {
    one.iter().any(|one| other.iter().any(|other| distance(&one.0, &other.0) <= allowed(one.0.len().max(other.0.len()))))
}

/// Distance up to which words of so many units are alike.
const fn allowed(units: usize) -> u32 {
    match units {
        0..=4 => 1,
        5 => 2,
        6..=9 => 3,
        _ => 4,
    }
}

/// Cost of a consonant too many or too few, or of another one.
const OTHER: u32 = 3;

/// Edit distance over units (Wagner and Fischer), with costs by what writers of these names exchange.
fn distance(one: &[(char, u8)], other: &[(char, u8)]) -> u32 {
    let mut before = vec![0];
    let mut sum = 0;
    before.extend((0..other.len()).map(|place| {
        sum += missing(other, place);
        sum
    }));
    for (row, left) in one.iter().enumerate() {
        let mut diagonal = before.first().copied().unwrap_or(0);
        let mut last = diagonal + missing(one, row);
        let mut current = vec![last];
        for ((column, right), above) in other.iter().enumerate().zip(before.iter().skip(1)) {
            let ends = row + 1 == one.len() && column + 1 == other.len();
            let changed = diagonal + consonants(left.0, right.0) + vowels(left.1, right.1, ends);
            last = changed.min(last + missing(other, column)).min(above + missing(one, row));
            diagonal = *above;
            current.push(last);
        }
        before = current;
    }
    before.last().copied().unwrap_or(0)
}

/// The l of the article, in the middle of a word, is swallowed before many letters.
fn missing(units: &[(char, u8)], place: usize) -> u32 {
    let is_article = place > 0 && place + 1 < units.len() && units.get(place).is_some_and(|unit| unit.0 == 'l');
    if is_article { 2 } else { OTHER }
}

const fn consonants(one: char, other: char) -> u32 {
    match (one, other) {
        ('q', 'k' | 'g') | ('k' | 'g', 'q') | ('x', 'k') | ('k', 'x') => 1,
        _ if one as u32 == other as u32 => 0,
        _ => OTHER,
    }
}

fn vowels(one: u8, other: u8, ends: bool) -> u32 {
    match (one & WRITTEN_LONG != 0, other & WRITTEN_LONG != 0) {
        _ if ends => endings(one, other),
        (true, true) if (one ^ other) & (I | U) != 0 => 2,
        (true, true) => u32::from((one ^ other) & A),
        (true, false) => written_and_spelt(one, other),
        (false, true) => written_and_spelt(other, one),
        (false, false) => both_spelt(one, other),
    }
}

/// At the end of a word every i and u is written in both scripts, and a final a may be «ا», «ه» or «ی» (Musa, موسی).
fn endings(one: u8, other: u8) -> u32 {
    let differ = (one ^ other) & (I | U);
    let maqsura =
        |persian: u8, latin: u8| persian & WRITTEN_LONG != 0 && persian & I != 0 && latin & (WRITTEN_LONG | I | U) == 0 && latin & A != 0;
    if differ == 0 || (differ == I && (maqsura(one, other) || maqsura(other, one))) { 0 } else { 2 }
}

/// What Persian writes must be spelt, and what is spelt long must be written.
fn written_and_spelt(written: u8, spelt: u8) -> u32 {
    let spelt_a = if spelt & SOFT_A != 0 { A } else { 0 };
    let unspelt = written & (A | I | U) & !(spelt | spelt_a);
    let unwritten = (spelt & LONG_I != 0 && written & I == 0) || (spelt & LONG_U != 0 && written & U == 0);
    if unspelt != 0 || unwritten { 2 } else { 0 }
}

fn both_spelt(one: u8, other: u8) -> u32 {
    let (one_class, other_class) = (one & (A | I | U), other & (A | I | U));
    let long = (one | other) & (LONG_I | LONG_U) != 0;
    match () {
        () if one_class & other_class != 0 || one_class == other_class => 0,
        () if one_class == 0 || other_class == 0 => {
            if long {
                2
            } else {
                0
            }
        }
        () if !long && (one_class | other_class) & (A | U) == A | U => 1,
        () => 2,
    }
}

/// Builds a sound unit by unit.
struct Builder {
    units: Vec<(char, u8)>,
    script: u8,
}

impl Builder {
    fn consonant(&mut self, consonant: char) {
        self.units.push((consonant, self.script));
    }

    /// A vowel; at the start of a word it is a unit of its own.
    fn vowel(&mut self, class: u8) {
        if self.units.is_empty() {
            self.consonant('a');
        }
        if let Some((_, vowels)) = self.units.last_mut() {
            *vowels |= class;
        }
    }
}

/// The l of the article before a solar letter is not spoken: «ضیاءالدین» is Ziauddin.
fn without_solar_l(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let silent = |place: usize| {
        let at = |place: usize| letters.get(place).copied().unwrap_or_default();
        place >= 2 && at(place) == 'ل' && at(place - 1) == 'ا' && "تثدذرزسشصضطظن".contains(at(place + 1)) && place + 1 < letters.len()
    };
    let spoken = |place: usize| !(silent(place) || silent(place + 1) && place > 1);
    letters.iter().enumerate().filter(|(place, _)| spoken(*place)).map(|(_, letter)| *letter).collect()
}

fn arabic_script(word: &str) -> Sound {
    let letters: Vec<char> = word.chars().collect();
    let mut sound = Builder { units: Vec::new(), script: WRITTEN_LONG };
    for (place, letter) in letters.iter().enumerate() {
        let (first, next) = (place == 0, letters.get(place + 1).copied());
        match letter {
            'ا' if first => sound.vowel(0),
            // The alef of the article is not spoken by itself.
            'ا' if next == Some('ل') && place + 2 < letters.len() => {}
            'ا' => sound.vowel(A),
            'ع' => {
                if first {
                    sound.vowel(0)
                }
            }
            'و' => {
                if first {
                    sound.consonant('v')
                } else {
                    sound.vowel(U)
                }
            }
            'ی' => {
                if first {
                    sound.consonant('y')
                } else {
                    sound.vowel(I)
                }
            }
            'ه' if next.is_none() && !first => {}
            'ل' if next == Some('ل') => {}
            _ => persian_consonant(*letter).chars().for_each(|c| sound.consonant(c)),
        }
    }
    Sound(sound.units)
}

/// The consonants for a letter, in the spelling that Latin uses.
const fn persian_consonant(letter: char) -> &'static str {
    match letter {
        'ب' => "b",
        'پ' => "p",
        'ت' | 'ط' => "t",
        'ث' | 'س' | 'ص' => "s",
        'ج' => "j",
        'چ' => "c",
        'ح' | 'ه' => "h",
        'خ' => "x",
        'د' => "d",
        'ذ' | 'ز' | 'ض' | 'ظ' => "z",
        'ر' => "r",
        'ژ' => "zh",
        'ش' => "sh",
        'غ' | 'ق' => "q",
        'ف' => "f",
        'ک' => "k",
        'گ' => "g",
        'ل' => "l",
        'م' => "m",
        'ن' => "n",
        _ => "",
    }
}

/// ASCII letters without their marks.
fn latin_letters(word: &str) -> String {
    let marks_apart = icu_normalizer::DecomposingNormalizerBorrowed::new_nfkd().normalize(word).into_owned();
    marks_apart.chars().filter(char::is_ascii_lowercase).collect()
}

/// Letters and digraphs of Latin spellings, longest first: what they are as a consonant, or which vowels they stand for.
const SPELLINGS: &[(&str, &str, u8)] = &[
    ("kh", "x", 0),
    ("gh", "q", 0),
    ("ch", "c", 0),
    ("ph", "f", 0),
    ("ck", "k", 0),
    ("dj", "j", 0),
    ("ai", "", I | LONG_I | SOFT_A),
    ("ay", "", I | LONG_I | SOFT_A),
    ("ei", "", I | LONG_I | SOFT_A),
    ("ey", "", I | LONG_I | SOFT_A),
    ("ee", "", I | LONG_I),
    ("ie", "", I | LONG_I),
    ("oo", "", U | LONG_U),
    ("ou", "", U | LONG_U),
    ("ow", "", U | LONG_U),
    ("au", "", U | SOFT_A),
    ("aw", "", U | LONG_U | SOFT_A),
    ("av", "", A | U | LONG_U),
    ("a", "", A),
    ("e", "", A | I),
    ("i", "", I),
    ("y", "", I | LONG_I),
    ("o", "", U),
    ("u", "", U),
    ("w", "", U | LONG_U),
    ("v", "", U | LONG_U),
    ("x", "ks", 0),
    ("c", "k", 0),
];

fn latin(word: &str) -> Sound {
    let mut sound = Builder { units: Vec::new(), script: 0 };
    let (mut rest, mut doubled) = (word, None);
    while let Some(letter) = rest.chars().next() {
        let first = rest.len() == word.len();
        let vowel_follows = rest.get(1..).is_some_and(|rest| rest.starts_with(['a', 'e', 'i', 'o', 'u']));
        let spelling = SPELLINGS.iter().find(|(letters, ..)| rest.starts_with(letters));
        let length = spelling.map_or(1, |(letters, ..)| letters.len());
        rest = rest.get(length..).unwrap_or_default();
        match spelling {
            _ if first && matches!(letter, 'v' | 'w') => sound.consonant('v'),
            _ if first && letter == 'y' && vowel_follows => sound.consonant('y'),
            Some((_, "", class)) => sound.vowel(*class),
            Some((_, consonants, _)) if doubled != Some(*consonants) => consonants.chars().for_each(|c| sound.consonant(c)),
            Some(_) => {}
            // A final h only lengthens the vowel before it.
            None if letter == 'h' && rest.is_empty() && !first => {}
            None if sound.units.last() == Some(&(letter, 0)) => {}
            None => sound.consonant(letter),
        }
        doubled = spelling.map(|(_, consonants, _)| *consonants).filter(|consonants| !consonants.is_empty());
    }
    // A final e is the «ه» of Persian: an a.
    let silent = word.ends_with('e') || word.ends_with("eh");
    if let Some((_, vowels)) = sound.units.last_mut().filter(|(_, vowels)| silent && *vowels & (LONG_I | U) == 0) {
        *vowels &= !I;
    }
    Sound(sound.units)
}
