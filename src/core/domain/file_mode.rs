//! Which permission bits a file with a secret may have.

/// Whether others than the owner and its group could read a file of this mode, or others than the owner change it: no place for a secret. A
/// group may read, as services are often given their keys that way.
pub const fn exposes_a_secret(mode: u32) -> bool {
    mode & 0o027 != 0
}
