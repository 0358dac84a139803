//! The short code of a printed receipt: what a clerk types to find the case that it belongs to.

/// Crockford's base 32: no letter that is taken for a digit or for another letter.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a code, in groups of [`GROUP`].
const LENGTH: usize = 12;
const GROUP: usize = 4;

/// The code of the receipt with this SHA-256: its first 60 bits, as `XXXX-XXXX-XXXX`. It follows from the receipt, so it needs no
/// place in it, and it opens nothing.
pub fn receipt_code(digest: &[u8; 32]) -> String {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    let bits = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let mut code = String::with_capacity(LENGTH + LENGTH / GROUP - 1);
    for place in 0..LENGTH {
        if place > 0 && place % GROUP == 0 {
            code.push('-');
        }
        let five = (bits >> (59 - 5 * place)) & 31;
        code.push(usize::try_from(five).ok().and_then(|five| ALPHABET.get(five)).map_or('0', |letter| char::from(*letter)));
    }
    code
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn code_is_the_first_sixty_bits() {
        let mut digest = [0; 32];
        assert_eq!(receipt_code(&digest), "0000-0000-0000");
        digest[..8].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF0]);
        assert_eq!(receipt_code(&digest), "ZZZZ-ZZZZ-ZZZZ");
        digest[..8].copy_from_slice(&[0b0000_1000, 0b1000_0110, 0, 0, 0, 0, 0, 0x1F]);
        assert_eq!(receipt_code(&digest), "1230-0000-0001");
    }
}
