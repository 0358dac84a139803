//! Check digits: national code (mod 11), ICAO 9303 (7-3-1), Luhn and IBAN (mod 97).

/// Whether ten digits carry the check digit of the Iranian national code: Σ dᵢ(10−i) for i = 0..8, r = Σ mod 11,
/// c = r if r < 2, else 11 − r.
pub(super) fn national_code(value: &str) -> bool {
    let Some(digits) = ten_digits(value) else { return false };
    let sum: u32 = digits.iter().take(9).zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
    let rest = sum % 11;
    let expected = if rest < 2 { rest } else { 11 - rest };
    digits.last() == Some(&expected)
}

/// Whether a digit string ends in its Luhn check digit (ISO/IEC 7812-1).
pub(super) fn luhn(value: &str) -> bool {
    let doubled = |(place, digit): (usize, u32)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit };
    let digits = value.chars().rev().enumerate();
    let sum: Option<u32> = digits.map(|(place, c)| c.to_digit(10).map(|digit| doubled((place, digit)))).sum();
    sum.is_some_and(|sum| sum.is_multiple_of(10))
}

/// Whether an IBAN's mod 97 is 1 (ISO 13616).
pub(super) fn iban(value: &str) -> bool {
    let Some((head, tail)) = value.split_at_checked(4) else { return false };
    let rest = tail.chars().chain(head.chars()).try_fold(0_u32, |rest, c| {
        let digit = c.to_digit(36)?;
        let shift = if digit < 10 { 10 } else { 100 };
        Some((rest * shift + digit) % 97)
    });
    rest == Some(1)
}

/// Whether line 2 of a passport's machine-readable zone names this number and all its check digits fit (ICAO 9303 part 4 §4.2.2):
/// number in places 1–9, birth 14–19, expiry 22–27, optional data 29–42, and the composite over all of them in place 44.
pub(super) fn mrz_names_passport(line: &str, number: &str) -> bool {
    let well_formed = line.len() == MRZ_LEN && line.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'<');
    let part = |from: usize, to: usize| line.get(from..to).unwrap_or_default();
    let checked = |from: usize, to: usize| fits(part(from, to), part(to, to + 1));
    // Without optional data, a filler may stand for its check digit.
    let optional = checked(28, 42) || (part(28, 43).bytes().all(|b| b == b'<'));
    let composite = [part(0, 10), part(13, 20), part(21, 43)].concat();
    well_formed
        && part(0, 9).trim_end_matches('<') == number
        && checked(0, 9)
        && checked(13, 19)
        && checked(21, 27)
        && optional
        && fits(&composite, part(43, 44))
}

/// Length of each line of a passport's machine-readable zone.
const MRZ_LEN: usize = 44;

fn fits(field: &str, check: &str) -> bool {
    let check = check.chars().next().and_then(|c| c.to_digit(10));
    check.is_some() && check == icao_9303(field)
}

/// The check digit of a field: weights 7, 3, 1, letters from A = 10, filler 0, mod 10 (ICAO 9303 part 3 §4.9).
fn icao_9303(field: &str) -> Option<u32> {
    let weighted = field.chars().zip([7, 3, 1].into_iter().cycle()).map(|(c, weight)| {
        let value = if c == '<' { Some(0) } else { c.to_digit(36) };
        value.map(|value| value * weight)
    });
    weighted.sum::<Option<u32>>().map(|sum| sum % 10)
}

/// The digits of a text that is exactly ten of them.
fn ten_digits(value: &str) -> Option<[u32; 10]> {
    let bytes: &[u8; 10] = value.as_bytes().try_into().ok()?;
    bytes.iter().all(u8::is_ascii_digit).then(|| bytes.map(|byte| u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixture_numbers_check() {
        for good in ["9990000018", "9990000026", "9990000034", "9990000042", "9990000050"] {
            assert!(national_code(good), "{good}");
        }
        assert!(!national_code("9990000019") && !national_code("999000001") && !national_code("99900000A8"));
        assert!(luhn("5892101234567895") && !luhn("5892101234567896"));
        assert!(iban("IR240150000000000000000001") && !iban("IR250150000000000000000001") && !iban("IR"));
    }

    #[test]
    fn machine_readable_line_names_its_passport() {
        let line = "P000000016AFG9001011M3001019<<<<<<<<<<<<<<04";
        assert!(mrz_names_passport(line, "P00000001"));
        assert!(!mrz_names_passport(line, "P00000002"));
        assert!(!mrz_names_passport("P000000017AFG9001011M3001019<<<<<<<<<<<<<<04", "P00000001"));
        assert!(!mrz_names_passport("", "P00000001") && !mrz_names_passport("P00000001", "P00000001"));
        // Birth, expiry, personal number and composite are checked as well.
        for wrong in [
            "P000000016AFG9001012M3001019<<<<<<<<<<<<<<04",
            "P000000016AFG9001011M3001018<<<<<<<<<<<<<<04",
            "P000000016AFG9001011M3001019<<<<<<<<<<<<<<14",
            "P000000016AFG9001011M3001019<<<<<<<<<<<<<<05",
            "P000000016AFG9001011M3001019<<<<<<<<<<<<<<0",
        ] {
            assert!(!mrz_names_passport(wrong, "P00000001"), "{wrong}");
        }
        // The specimen passport of ICAO 9303.
        assert!(mrz_names_passport("L898902C36UTO7408122F1204159ZE184226B<<<<<10", "L898902C3"));
    }

    proptest::proptest! {
        #[test]
        fn exactly_one_check_digit_fits(body in "[0-9]{9}") {
            let fitting: Vec<_> = (0..10).filter(|digit| national_code(&format!("{body}{digit}"))).collect();
            proptest::prop_assert_eq!(fitting.len(), 1);
            let cards = (0..10).filter(|digit| luhn(&format!("{body}{digit}"))).count();
            proptest::prop_assert_eq!(cards, 1);
        }
    }
}
