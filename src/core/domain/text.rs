//! Normalising text as offices write it: digits, letters, joiners and direction marks (domain §9).

use icu_normalizer::ComposingNormalizerBorrowed;

/// Normalises an identifier value: strips bidi marks, joiners, tatweel and no-break spaces, trims, folds digits and
/// letters, upper-cases Latin letters.
pub fn identifier_value(text: &str) -> String {
    let mut value = without_marks(text, |c| fold(c).to_ascii_uppercase());
    trim(&mut value);
    value
}

/// The letters and digits of [`identifier_value`], without what stands between them and without making a text of them.
pub fn letters_and_digits(text: &str) -> impl Iterator<Item = char> + Clone {
    text.chars().filter(|c| c.is_alphanumeric() && !is_mark(*c) && !is_haraka(*c)).map(|c| fold(c).to_ascii_uppercase())
}

/// Folds Persian and Arabic-Indic digits to ASCII and strips marks; for numbers, dates and codes.
pub fn digits(text: &str) -> String {
    let mut value = without_marks(text, fold_digit);
    trim(&mut value);
    value
}

/// The other way: Persian digits in the place of ASCII ones, for people who read Persian.
pub fn persian_digits(text: &str) -> String {
    let persian = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(u32::from('۰') + digit)).unwrap_or(c);
    text.chars().map(persian).collect()
}

/// Text for storage: marks stripped, white space trimmed and collapsed, digits and letters folded, NFC.
pub fn stored(text: &str) -> String {
    let bare: String = text.chars().filter(|c| !is_mark(*c)).collect();
    let words: Vec<&str> = bare.split_whitespace().collect();
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&words.join(" ")).into_owned();
    composed.chars().map(fold).collect()
}

/// A source's own key of a record: the stored form without harakat.
pub fn record_key(text: &str) -> String {
    let stored_form = stored(text);
    // A letter may join the next accent once a point between them is gone.
    if stored_form.contains(is_haraka) { stored(&without_harakat(&stored_form)) } else { stored_form }
}

/// A text without the short vowels and other points above and below its letters.
pub fn without_harakat(text: &str) -> String {
    text.chars().filter(|c| !is_haraka(*c)).collect()
}

/// A key for comparing names: the stored form without harakat, spaces and hyphens, one letter for the shapes that writers of Persian,
/// Dari, Pashto and Arabic exchange, Latin letters in lower case.
pub fn match_key(text: &str) -> String {
    let joined: String = matched(text).chars().filter(|c| !c.is_whitespace()).collect();
    // A letter and an accent that a space kept apart are one letter now.
    ComposingNormalizerBorrowed::new_nfc().normalize(&joined).into_owned()
}

/// The words of a name, each in the form of [`match_key`].
pub fn match_words(text: &str) -> Vec<String> {
    matched(text).split_whitespace().map(str::to_owned).collect()
}

fn matched(text: &str) -> String {
    // Compatibility forms are what copies from PDF files and old programs hold.
    let plain = ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned();
    let letters = stored(&plain).chars().filter(|c| !is_haraka(*c) && !is_joint(*c)).map(fold_shape).collect::<String>();
    letters.replace(['-', '\u{2010}', '\u{2011}', '.', ','], " ").to_lowercase()
}

fn without_marks(text: &str, fold: impl Fn(char) -> char) -> String {
    let mut value = String::with_capacity(text.len());
    value.extend(text.chars().filter(|c| !is_mark(*c) && !is_haraka(*c) && *c != NO_BREAK_SPACE).map(fold));
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
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{AD}' | '\u{061C}' | '\u{0640}' | '\u{FEFF}'
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

/// Apostrophes and the hamza that stands alone: written or left out at will.
const fn is_joint(c: char) -> bool {
    matches!(c, '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{02BC}' | '\u{02BF}' | 'ء')
}

/// One letter for shapes that stand for the same one in names.
const fn fold_shape(c: char) -> char {
    match c {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ؤ' => 'و',
        'ئ' | 'ې' | 'ۍ' | 'ێ' => 'ی',
        'ۀ' | 'ہ' | 'ھ' | 'ە' | 'ۂ' => 'ه',
        'ګ' => 'گ',
        'ڼ' => 'ن',
        'ړ' => 'ر',
        'ډ' => 'د',
        'ټ' => 'ت',
        'ښ' => 'ش',
        'ږ' => 'ژ',
        'ځ' | 'څ' => 'ز',
        _ => c,
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
    fn shapes_that_writers_exchange_are_one_letter() {
        for (one, other) in [("فؤاد", "فواد"), ("رئیس", "رییس"), ("آرش", "ارش"), ("ګل", "گل"), ("زهرۀ", "زهره"), ("ﻋﻠﻲ", "علی")]
        {
            assert_eq!(match_key(one), match_key(other), "{one}");
        }
        assert_eq!(match_words("Abd-ul Karim"), ["abd", "ul", "karim"]);
    }

    #[test]
    fn points_above_letters_do_not_change_a_number() {
        assert_eq!(identifier_value("A۱۷\u{064E}0"), "A170");
    }

    #[test]
    fn key_of_a_record_has_no_points_and_keeps_its_letters() {
        assert_eq!(record_key("مُحَمَّد ي\u{200C}1"), "محمد ی1");
        assert_eq!(record_key("آ"), "آ");
        assert_eq!(record_key("ا\u{0653}"), "آ");
    }

    #[test]
    fn storage_is_composed() {
        assert_eq!(stored("ا\u{0653}"), "آ");
    }

    #[test]
    fn repro_accent_behind_a_space_joins_its_letter_at_once() {
        assert_eq!(match_key("I´"), "í");
        assert_eq!(match_key(&match_key("I´")), match_key("I´"));
    }

    proptest::proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,20}") {
            proptest::prop_assert_eq!(identifier_value(&identifier_value(&text)), identifier_value(&text));
            proptest::prop_assert_eq!(digits(&digits(&text)), digits(&text));
            let bare: String = identifier_value(&text).chars().filter(|c| c.is_alphanumeric()).collect();
            proptest::prop_assert_eq!(letters_and_digits(&text).collect::<String>(), bare);
            proptest::prop_assert_eq!(stored(&stored(&text)), stored(&text));
            proptest::prop_assert_eq!(record_key(&record_key(&text)), record_key(&text));
            proptest::prop_assert_eq!(match_key(&match_key(&text)), match_key(&text));
        }
    }
}
