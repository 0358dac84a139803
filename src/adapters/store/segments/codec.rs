//! Columns as bytes, all big-endian.
//!
//! ```text
//! dictionary  for each value: length (u16) ‖ UTF-8
//! codes       width (u8: 1, 2 or 4) ‖ one code each
//! indices     u64 each         times  i64 each         latencies  u32 each
//! tags        prefix (8) ‖ place (u32), sorted; in pages of TAGS_PER_PAGE, and before them the first prefix of every page
//! ```

use super::columns::TagPrefix;

/// Tags in one page: all pages are alike, so that their lengths tell nothing of who was asked about how often.
pub(super) const TAGS_PER_PAGE: usize = 256;
/// Bytes of a tag with its place.
const TAG_LEN: usize = 12;

pub(super) fn dictionary(values: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value.as_bytes().get(..usize::from(length)).unwrap_or_default());
    }
    out
}

pub(super) fn read_dictionary(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        values.push(std::str::from_utf8(value).ok()?.to_owned());
        bytes = rest;
    }
    Some(values)
}

/// The code of a value, found without taking the dictionary apart: its place, counted from 1, or 0 where it is not there.
pub(super) fn code_in(mut bytes: &[u8], wanted: &[u8]) -> Option<u32> {
    let mut code = 0;
    while !bytes.is_empty() {
        code += 1;
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if value == wanted {
            return Some(code);
        }
        bytes = rest;
    }
    Some(0)
}

/// Keeps of `fits` what has this code; none when the bytes are no codes.
pub(super) fn keep_code(bytes: &[u8], code: u32, fits: &mut [bool]) -> Option<()> {
    fn all<T: Copy>(fits: &mut [bool], values: &[T], has: impl Fn(T) -> bool) {
        fits.iter_mut().zip(values).for_each(|(fits, value)| *fits &= has(*value));
    }
    let (width, rest) = bytes.split_first()?;
    let bytes_of_code = code.to_be_bytes();
    let (high, low) = bytes_of_code.split_at_checked(4_usize.checked_sub(usize::from(*width))?)?;
    if rest.len() != fits.len().checked_mul(usize::from(*width))? {
        return None;
    }
    if high.iter().any(|byte| *byte != 0) {
        // A code that no entry here can have.
        fits.fill(false);
        return Some(());
    }
    match low {
        [code] => all(fits, rest, |other| other == *code),
        [first, second] => all(fits, rest.as_chunks::<2>().0, |other| other == [*first, *second]),
        [_, _, _, _] => all(fits, rest.as_chunks::<4>().0, |other| other == bytes_of_code),
        _ => return None,
    }
    Some(())
}

pub(super) fn codes(codes: &[u32]) -> Vec<u8> {
    let largest = codes.iter().copied().max().unwrap_or(0);
    let width: u8 = if largest <= u32::from(u8::MAX) {
        1
    } else if largest <= u32::from(u16::MAX) {
        2
    } else {
        4
    };
    let mut out = Vec::with_capacity(1 + codes.len() * usize::from(width));
    out.push(width);
    for code in codes {
        let bytes = code.to_be_bytes();
        out.extend_from_slice(bytes.split_at(4 - usize::from(width)).1);
    }
    out
}

pub(super) fn read_codes(bytes: &[u8]) -> Option<Vec<u32>> {
    let (width, rest) = bytes.split_first()?;
    match width {
        1 => Some(rest.iter().map(|byte| u32::from(*byte)).collect()),
        2 => Some(rest.as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).collect()),
        4 => Some(rest.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four)).collect()),
        _ => None,
    }
}

pub(super) fn indices(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

pub(super) fn read_indices(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|eight| u64::from_be_bytes(*eight)).collect()
}

pub(super) fn times(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

pub(super) fn read_times(bytes: &[u8]) -> Vec<i64> {
    bytes.as_chunks::<8>().0.iter().map(|eight| i64::from_be_bytes(*eight)).collect()
}

pub(super) fn latencies(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

pub(super) fn read_latencies(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four)).collect()
}

/// The first prefixes of the pages, and the pages.
pub(super) fn tags(tags: &[(TagPrefix, u32)]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut sorted = tags.to_vec();
    sorted.sort_unstable();
    let pages = sorted.chunks(TAGS_PER_PAGE);
    let firsts = pages.clone().filter_map(|page| page.first()).flat_map(|(prefix, _)| *prefix).collect();
    let page = |page: &[(TagPrefix, u32)]| {
        let mut bytes: Vec<u8> = page.iter().flat_map(|(prefix, place)| prefix.iter().copied().chain(place.to_be_bytes())).collect();
        // The last page is as long as the others.
        bytes.resize(TAGS_PER_PAGE * TAG_LEN, u8::MAX);
        bytes
    };
    (firsts, pages.map(page).collect())
}

/// Which pages may hold some of these tags, given in order, and which of them each may hold.
pub(super) fn pages_with<'w, T>(firsts: &[u8], wanted: &'w [(TagPrefix, T)]) -> Vec<(usize, &'w [(TagPrefix, T)])> {
    let firsts = firsts.as_chunks::<8>().0;
    let of_page = |(page, first): (usize, &TagPrefix)| {
        let begin = wanted.partition_point(|(tag, _)| tag < first);
        // A tag that spans pages begins in the one before.
        let end = firsts.get(page + 1).map_or(wanted.len(), |next| wanted.partition_point(|(tag, _)| tag <= next));
        wanted.get(begin..end).filter(|some| !some.is_empty()).map(|some| (page, some))
    };
    firsts.iter().enumerate().filter_map(of_page).collect()
}

/// Places of a prefix in a page.
pub(super) fn places(page: &[u8], wanted: &TagPrefix) -> Vec<u32> {
    let tags = page.as_chunks::<TAG_LEN>().0;
    // In order; what fills the last page up comes after every tag.
    let first = tags.partition_point(|tag| tag.split_at(8).0 < wanted.as_slice());
    let found = tags.iter().skip(first).map(|tag| tag.split_at(8)).take_while(|(prefix, _)| *prefix == wanted.as_slice());
    found.map(|(_, place)| place.try_into().map_or(u32::MAX, u32::from_be_bytes)).filter(|place| *place != u32::MAX).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn columns_read_back_at_every_width() {
        for largest in [0, 255, 256, 65_535, 65_536] {
            let given = vec![0, 1, largest];
            let bytes = codes(&given);
            for code in [0, 1, 2, largest, largest + 1] {
                let mut fits = [true; 3];
                keep_code(&bytes, code, &mut fits).unwrap();
                assert_eq!(fits.to_vec(), given.iter().map(|other| *other == code).collect::<Vec<_>>(), "{code} of {given:?}");
            }
            assert_eq!(keep_code(&bytes, 1, &mut [true; 4]), None, "of another length");
            assert_eq!(read_codes(&bytes), Some(given));
        }
        let words = vec![String::new(), "teller-17".to_owned(), "بانک".to_owned()];
        let bytes = dictionary(&words);
        assert_eq!(
            ["", "teller-17", "بانک", "teller-1"].map(|word| code_in(&bytes, word.as_bytes())),
            [Some(1), Some(2), Some(3), Some(0)]
        );
        assert_eq!(code_in(&bytes[1..], b"teller-17"), None);
        assert_eq!(read_dictionary(&bytes), Some(words));
    }

    #[test]
    fn every_tag_is_found_in_its_pages_and_all_pages_are_alike() {
        let tag = |number: u64| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_be_bytes();
        // The first 600 places have one tag, so that it spans pages.
        let given: Vec<(TagPrefix, u32)> = (0..2000_u32).map(|place| (tag(u64::from(place.max(600))), place)).collect();
        let (firsts, pages) = tags(&given);
        assert!(pages.iter().all(|page| page.len() == TAGS_PER_PAGE * TAG_LEN));
        let find = |wanted: &TagPrefix| {
            let wanted = [(*wanted, ())];
            let with = pages_with(&firsts, &wanted);
            with.iter().flat_map(|(page, tags)| tags.iter().flat_map(|(tag, ())| places(&pages[*page], tag))).collect::<Vec<_>>()
        };
        assert_eq!(find(&tag(600)), (0..=600).collect::<Vec<_>>());
        for place in 601..2000 {
            assert_eq!(find(&tag(u64::from(place))), [place]);
        }
        assert!(find(&[7; 8]).is_empty());
        // All at once, each page is looked at once.
        let mut all: Vec<(TagPrefix, ())> = (600..2000).map(|place| (tag(place), ())).collect();
        all.sort_unstable();
        let with = pages_with(&firsts, &all);
        assert!(with.len() == pages.len() && with.is_sorted_by_key(|(page, _)| *page));
        let found = with.iter().flat_map(|(page, tags)| tags.iter().flat_map(|(tag, ())| places(&pages[*page], tag)));
        let mut found: Vec<u32> = found.collect();
        found.sort_unstable();
        assert_eq!(found, (0..2000).collect::<Vec<_>>());
    }
}
