//! Normalising text as offices write it: digits, letters, joiners and direction marks (domain §9).

use icu_normalizer::ComposingNormalizerBorrowed;

/// Normalises an identifier value: strips bidi marks, joiners, tatweel and no-break spaces, trims, folds digits and
/// letters, upper-cases Latin letters.
pub fn identifier_value(text: &str) -> String {
    let mut value = without_marks(text, |c| fold(c).to_ascii_uppercase());
    trim(&mut value);
    value
}

/// Folds Persian and Arabic-Indic digits to ASCII and strips marks; for numbers, dates and codes.
pub fn digits(text: &str) -> String {
    let mut value = without_marks(text, fold_digit);
    trim(&mut value);
    value
}

/// Text for storage: marks stripped, white space trimmed and collapsed, digits and letters folded, NFC.
pub fn stored(text: &str) -> String {
    let bare: String = text.chars().filter(|c| !is_mark(*c)).collect();
    let words: Vec<&str> = bare.split_whitespace().collect();
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&words.join(" ")).into_owned();
    composed.chars().map(fold).collect()
}

/// A key for comparing names: the stored form without harakat and spaces, Latin letters in lower case.
pub fn match_key(text: &str) -> String {
    stored(text).chars().filter(|c| !is_haraka(*c) && !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

fn without_marks(text: &str, fold: impl Fn(char) -> char) -> String {
    let mut value = String::with_capacity(text.len());
    value.extend(text.chars().filter(|c| !is_mark(*c) && *c != NO_BREAK_SPACE).map(fold));
    value
}

fn trim(value: &mut String) {
    value.truncate(value.trim_end().len());
    let start = value.len() - value.trim_start().len();
    value.drain(..start);
}

const NO_BREAK_SPACE: char = '\u{A0}';

/// Characters that change how text looks, never what it says: direction marks, joiners, tatweel, byte order mark.
const fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{061C}' | '\u{0640}' | '\u{FEFF}'
    )
}

/// Short vowels and other points above and below Arabic letters.
const fn is_haraka(c: char) -> bool {
    matches!(c, '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{06D6}'..='\u{06ED}')
}

const fn fold(c: char) -> char {
    match c {
        'ي' | 'ى' => 'ی',
        'ك' => 'ک',
        'ة' => 'ه',
        _ => fold_digit(c),
    }
}

const fn fold_digit(c: char) -> char {
    let base = match c {
        '۰'..='۹' => '۰' as u32,
        '٠'..='٩' => '٠' as u32,
        _ => return c,
    };
    // At most 9, so the cast loses nothing.
    (b'0' + (c as u32 - base) as u8) as char
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn one_number_however_it_is_typed() {
        for written in
            ["9990000018", "۹۹۹۰۰۰۰۰۱۸", "٩٩٩٠٠٠٠٠١٨", " \u{200F}999\u{200C}0000018\u{200E}\u{A0}", "\u{FEFF}999\u{0640}0000\u{2068}018"]
        {
            assert_eq!(identifier_value(written), "9990000018");
        }
        assert_eq!(identifier_value(" a17۰٠00001"), "A170000001");
    }

    #[test]
    fn space_hidden_by_a_mark_is_still_trimmed() {
        assert_eq!(digits("\u{200F} ۱۴۰۲/۳/۱ \u{200E}"), "1402/3/1");
    }

    #[test]
    fn arabic_and_persian_letters_are_one_name() {
        assert_eq!(stored("عبدالكريم  حسيني"), "عبدالکریم حسینی");
        assert_eq!(match_key("فاطمة"), match_key("فاطمه"));
        assert_eq!(match_key("نجیب‌الله"), match_key("نجيب الله"));
        assert_eq!(match_key("مُحَمَّد"), match_key("محمد"));
    }

    #[test]
    fn storage_is_composed() {
        assert_eq!(stored("ا\u{0653}"), "آ");
    }

    proptest::proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,20}") {
            proptest::prop_assert_eq!(identifier_value(&identifier_value(&text)), identifier_value(&text));
            proptest::prop_assert_eq!(digits(&digits(&text)), digits(&text));
            proptest::prop_assert_eq!(stored(&stored(&text)), stored(&text));
            proptest::prop_assert_eq!(match_key(&match_key(&text)), match_key(&text));
        }
    }
}
