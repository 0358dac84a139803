//! Random bytes for the many small needs of a request: one call of the cryptographic library serves many of them.

use std::cell::RefCell;

use aws_lc_rs::rand;
use zeroize::Zeroize;

/// Bytes drawn at once.
const DRAWN: usize = 4096;

/// What a thread has drawn and not given away yet. Given bytes are wiped here, so that no salt can be read back later.
struct Pool {
    bytes: [u8; DRAWN],
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; DRAWN], left: 0 }) };
}

/// Fresh random bytes, never given twice; `None` when the system has none to give. For salts, nonces and names; keys draw their own.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    POOL.with_borrow_mut(|pool| {
        if pool.left < N {
            rand::fill(&mut pool.bytes).ok()?;
            pool.left = DRAWN;
        }
        let at = pool.left.checked_sub(N)?;
        let given = pool.bytes.get_mut(at..pool.left)?;
        let mut out = [0; N];
        out.copy_from_slice(given);
        given.zeroize();
        pool.left = at;
        Some(out)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice_across_draws_and_threads() {
        let draw = || (0..10_000).map(|_| random::<16>().unwrap()).collect::<Vec<_>>();
        let other = std::thread::spawn(draw);
        let mut all = draw();
        all.extend(other.join().unwrap());
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 20_000);
    }

    #[test]
    fn what_was_given_is_wiped_from_the_pool() {
        let given = random::<32>().unwrap();
        POOL.with_borrow(|pool| assert!(!pool.bytes.windows(32).any(|bytes| bytes == given)));
    }

    #[test]
    fn more_than_a_draw_is_refused() {
        assert_eq!(random::<{ DRAWN + 1 }>(), None);
    }
}
