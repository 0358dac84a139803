//! Tile coordinates and paths of C2SP tlog-tiles: how the log is published as static resources.

use std::fmt;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Levels of the tree in one tile.
pub const TILE_HEIGHT: u8 = 8;
/// Highest tile level: 8 × 8 levels reach beyond any 64-bit size.
const MAX_TILE_LEVEL: u8 = 7;

/// What a path below `tile/` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TilePath {
    /// `tile/L/N[.p/W]`: hashes of tree level 8·L.
    Hashes {
        /// Tile level L.
        level: u8,
        /// Tile index N within the level.
        index: u64,
        /// Number of hashes W, 1 to 256.
        width: u16,
    },
    /// `tile/entries/N[.p/W]`: log entries.
    Entries {
        /// Bundle index N.
        index: u64,
        /// Number of entries W, 1 to 256.
        width: u16,
    },
}

impl TilePath {
    /// Reads a path such as `tile/0/x001/234.p/5`, with or without a leading slash. Only the one canonical spelling is accepted.
    pub fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (parse_index(index)?, width.parse().ok()?),
            None => (parse_index(rest)?, TILE_WIDTH),
        };
        let parsed = match level {
            "entries" => Self::Entries { index, width },
            level => Self::Hashes { level: level.parse().ok().filter(|level| *level <= MAX_TILE_LEVEL)?, index, width },
        };
        ((1..=TILE_WIDTH).contains(&width) && parsed.to_string() == path).then_some(parsed)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match *self {
            Self::Hashes { level, index, width } => {
                write!(f, "tile/{level}/")?;
                (index, width)
            }
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                (index, width)
            }
        };
        write_index(f, index)?;
        if width == TILE_WIDTH { Ok(()) } else { write!(f, ".p/{width}") }
    }
}

/// How many hashes tile (`level`, `index`) has in a tree of `size` entries, 0 to 256.
pub fn width_in(size: u64, level: u8, index: u64) -> u16 {
    let hashes = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
    let before = index.saturating_mul(u64::from(TILE_WIDTH));
    u16::try_from(hashes.saturating_sub(before).min(u64::from(TILE_WIDTH))).unwrap_or(TILE_WIDTH)
}

/// Appends one entry to a bundle: its length as 16 bits, big-endian, then its bytes.
pub fn push_bundle_entry(bundle: &mut Vec<u8>, entry: &[u8; 32]) {
    bundle.extend_from_slice(&32_u16.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// `1234067` is `x001/x234/067`.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    if index >= 1000 {
        write_leading_groups(f, index / 1000)?;
    }
    write!(f, "{:03}", index % 1000)
}

fn write_leading_groups(f: &mut fmt::Formatter<'_>, groups: u64) -> fmt::Result {
    if groups >= 1000 {
        write_leading_groups(f, groups / 1000)?;
    }
    write!(f, "x{:03}/", groups % 1000)
}

fn parse_index(text: &str) -> Option<u64> {
    let mut index: u64 = 0;
    for group in text.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn paths_follow_the_specification() {
        let check = |path: &str, tile: TilePath| {
            assert_eq!(tile.to_string(), path);
            assert_eq!(TilePath::parse(path).unwrap(), tile);
        };
        check("tile/0/000", TilePath::Hashes { level: 0, index: 0, width: 256 });
        check("tile/1/x001/234", TilePath::Hashes { level: 1, index: 1234, width: 256 });
        check("tile/0/x001/x234/067.p/8", TilePath::Hashes { level: 0, index: 1_234_067, width: 8 });
        check("tile/entries/000.p/1", TilePath::Entries { index: 0, width: 1 });
        check("tile/entries/x273/063", TilePath::Entries { index: 273_063, width: 256 });
    }

    #[test]
    fn other_spellings_are_refused() {
        for path in [
            "tile/00/000",
            "tile/0/0",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/8/000",
            "tile/0/x001",
            "tile/0/+01",
            "entries/000",
            "tile/0/000.p/01",
        ] {
            assert_eq!(TilePath::parse(path), None, "{path}");
        }
    }

    #[test]
    fn width_counts_what_the_size_covers() {
        assert_eq!(width_in(0, 0, 0), 0);
        assert_eq!(width_in(257, 0, 0), 256);
        assert_eq!(width_in(257, 0, 1), 1);
        assert_eq!(width_in(257, 1, 0), 1);
        assert_eq!(width_in(70_000, 1, 1), 17);
        assert_eq!(width_in(u64::MAX, 7, 0), 255);
    }
}
