//! Country codes: passports print three letters, exports write two; one spelling makes them comparable.

/// ISO 3166-1: alpha-3 and alpha-2 in turn.
const CODES: &str = include_str!("countries.txt");

/// The alpha-2 code of a country named in either form. What ISO 3166 does not have (`XXB`, a refugee; `UTO`, a specimen) stays.
pub fn canonical(code: &str) -> String {
    let code = code.trim().to_ascii_uppercase();
    let mut words = CODES.split_ascii_whitespace();
    while let (Some(three), Some(two)) = (words.next(), words.next()) {
        if three == code {
            return two.to_owned();
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn two_and_three_letters_name_one_country() {
        for (written, code) in [("AFG", "AF"), ("irq", "IQ"), ("AF", "AF"), ("XXB", "XXB"), ("PAK", "PK"), ("", "")] {
            assert_eq!(canonical(written), code);
        }
        assert_eq!(super::CODES.split_ascii_whitespace().count(), 249 * 2);
    }
}
