//! Names of the months of the Solar Hijri calendar, in Iran and in Afghanistan, and dates written with them.

use crate::core::domain::text;

/// Iran's and Afghanistan's name of each month, in order.
const MONTHS: [[&str; 2]; 12] = [
    ["فروردین", "حمل"],
    ["اردیبهشت", "ثور"],
    ["خرداد", "جوزا"],
    ["تیر", "سرطان"],
    ["مرداد", "اسد"],
    ["شهریور", "سنبله"],
    ["مهر", "میزان"],
    ["آبان", "عقرب"],
    ["آذر", "قوس"],
    ["دی", "جدی"],
    ["بهمن", "دلو"],
    ["اسفند", "حوت"],
];

/// A date with a month's name, in numbers: `YYYY/M/D` or `YYYY/M`. `None` where no part is the name of a month.
pub(super) fn numbered(written: &str) -> Option<String> {
    let words: Vec<String> = written.split(['/', '-', ' ', '\u{A0}', '،']).map(text::match_key).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        [month, year] if is_year(year) => Some(format!("{year}/{}", number(month)?)),
        [year, month] if is_year(year) => Some(format!("{year}/{}", number(month)?)),
        [day, month, year] if is_year(year) => Some(format!("{year}/{}/{day}", number(month)?)),
        [year, month, day] if is_year(year) => Some(format!("{year}/{}/{day}", number(month)?)),
        _ => None,
    }
}

/// Four digits are a year: no day has so many, so that neither order has to be guessed.
fn is_year(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(word: &str) -> Option<usize> {
    let place = MONTHS.iter().position(|names| names.iter().any(|name| text::match_key(name) == word))?;
    Some(place + 1)
}
