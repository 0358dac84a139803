//! A checkpoint that somebody kept beside those of an export: one tree must be the beginning of the other.

use std::collections::BTreeMap;
use std::path::Path;

use super::check::{Checked, Stretch, Trusted};
use crate::cli::client::Client;
use crate::cli::{CliError, Failure};
use crate::core::ledger::checkpoint::Checkpoint;
use crate::core::ledger::succession::renamed;
use crate::core::ledger::tile::TilePath;
use crate::core::ledger::witness::{judge, tiles_needed};

/// Holds the checkpoint in a file against the export, and says what was found. Where the sizes differ the public listener's tiles show whether one tree
/// continues the other; nothing that it says is believed.
pub(super) async fn compared(
    path: &Path,
    (checked, trusted): (&Checked, &Trusted),
    open: impl Fn() -> Result<Client, CliError>,
) -> Result<String, CliError> {
    let text = std::fs::read_to_string(path).doing(format_args!("cannot read `{}`", path.display()))?;
    let claimed = Checkpoint::claimed_origin(&text).unwrap_or_default();
    let kept = Checkpoint::open(&text, &renamed(&trusted.keys, claimed)).doing(format_args!("`{}`", path.display()))?;
    let of_log = |stretch: &&Stretch| stretch.origin == kept.origin || stretch.checkpoint.origin == kept.origin;
    let stretches: Vec<&Stretch> = checked.stretches.iter().filter(of_log).collect();
    let same_size = stretches.iter().find(|stretch| stretch.checkpoint.size == kept.size);
    let shown = |what: &str| Ok(format!("the checkpoint in `{}` {what}", path.display()));
    match (same_size, stretches.first()) {
        (Some(stretch), _) if stretch.checkpoint.root == kept.root => shown("is of the same tree"),
        (Some(_), _) => Err(CliError::failed(format_args!("`{}` is of another tree: the log forked", path.display()))),
        (None, None) => Err(CliError::failed(format_args!(
            "`{}` is a checkpoint of the log `{}`, of which the export has nothing",
            path.display(),
            kept.origin
        ))),
        (None, Some(stretch)) => {
            let client = open().map_err(|error| other_size(path, &kept, stretch, &error))?;
            let prefix = prefix_of(&trusted.origins, &stretch.origin);
            let (small, large) = ordered(&kept, &stretch.checkpoint);
            continues(&client, &prefix, small, large).await.map_err(|error| other_size(path, &kept, stretch, &error))?;
            shown(if kept.size > stretch.checkpoint.size { "continues the tree of the export" } else { "is of the beginning of its tree" })
        }
    }
}

fn other_size(path: &Path, kept: &Checkpoint, stretch: &Stretch, error: &CliError) -> CliError {
    CliError::failed(format_args!(
        "`{}` has {} entries and the export's checkpoint of `{}` {}; that one continues the other was not shown: {error}",
        path.display(),
        kept.size,
        stretch.origin,
        stretch.checkpoint.size
    ))
}

fn ordered<'c>(one: &'c Checkpoint, other: &'c Checkpoint) -> (&'c Checkpoint, &'c Checkpoint) {
    if one.size < other.size { (one, other) } else { (other, one) }
}

/// Where the public listener has a log: the present one at its root, a sealed one below its number.
fn prefix_of(origins: &[String], origin: &str) -> String {
    let place = origins.iter().position(|known| known == origin).filter(|place| place + 1 < origins.len());
    place.map_or_else(String::new, |place| format!("/log/{}", place + 1))
}

async fn continues(client: &Client, prefix: &str, small: &Checkpoint, large: &Checkpoint) -> Result<(), CliError> {
    let mut tiles = BTreeMap::new();
    for (level, index, width) in tiles_needed(small, large) {
        let path = TilePath::Hashes { level, index, width };
        tiles.insert((level, index, width), client.public_bytes(&format!("{prefix}/{path}")).await?);
    }
    // A seal has a name of its own; it is of the same tree.
    let large = Checkpoint { origin: small.origin.clone(), ..large.clone() };
    judge(small, &large, &tiles).map_err(CliError::failed)
}

#[cfg(test)]
mod tests {
    use super::prefix_of;

    #[test]
    fn sealed_logs_lie_below_their_numbers() {
        let origins = ["log".to_owned(), "log/2".to_owned(), "log/3".to_owned()];
        assert_eq!(prefix_of(&origins, "log/2"), "/log/2");
        assert_eq!(prefix_of(&origins, "log/3"), "", "the present one");
        assert_eq!(prefix_of(&[], "log"), "", "of a log that is asked without a list");
    }
}
