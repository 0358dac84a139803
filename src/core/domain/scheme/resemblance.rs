//! Whether a free text (an actor, a reference) is a number of somebody's paper in disguise.

/// Characters of a UUID in groups.
const UUID_LEN: usize = 36;

/// Judges a normalised text by the shape of its parts. The thresholds follow the schemes: the shortest number that
/// names a person has eight digits, or one letter and seven digits.
pub(super) fn document_number(text: &str) -> bool {
    let text = before_uuid(text);
    let joined: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    is_digits_with_prefix(&joined, 2) || text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_number)
}

/// Whether a free text may hold a number of somebody's: seven digits of any script or more with nothing between them but signs and blanks.
pub(super) fn number_within(text: &str) -> bool {
    let mut run = 0;
    for c in text.chars() {
        run = if c.is_numeric() {
            run + 1
        } else if c.is_alphabetic() {
            0
        } else {
            run
        };
        if run >= 7 {
            return true;
        }
    }
    false
}

/// Eight digits or more that make up most of the word, or up to three letters before seven digits.
fn is_number(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    (digits >= 8 && digits * 4 >= word.len() * 3 && !is_random(word)) || is_digits_with_prefix(word, 3)
}

/// Random bytes in hex, which by chance have the digits of a number up to one time in five: as long as ids are, and with letters between the digits, as
/// no paper's number has them. Whoever would dress a number up as one has to add about as many characters as let it pass anyway, with letters alone.
fn is_random(word: &str) -> bool {
    let hex = word.len() >= 16 && word.len().is_multiple_of(8) && word.bytes().all(|b| b.is_ascii_hexdigit());
    let runs = word.split(|c: char| c.is_ascii_alphabetic()).filter(|run| !run.is_empty());
    hex && runs.count() >= 2
}

fn is_digits_with_prefix(word: &str, longest_prefix: usize) -> bool {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let prefix = word.len() - digits.len();
    let shortest = if prefix == 0 { 8 } else { 7 };
    prefix <= longest_prefix && digits.len() >= shortest && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A text without the random UUID at its end, which often has a group of mostly digits: as a reference it is just what agencies should send.
fn before_uuid(text: &str) -> &str {
    match text.len().checked_sub(UUID_LEN).and_then(|at| text.split_at_checked(at)) {
        Some((before, end)) if is_uuid(end) && !before.ends_with(|c: char| c.is_ascii_alphanumeric()) => before,
        _ => text,
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    lengths && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') && text.bytes().any(|b| b.is_ascii_alphabetic())
}
