//! Tables in which the request path looks things up.

use std::collections::{HashMap, HashSet};

use foldhash::quality::RandomState;

/// A table that is filled from files of the operator. Whoever asks only looks up in it, so that its hash is a fast one; it is seeded all the same.
pub type Table<K, V> = HashMap<K, V, RandomState>;

/// The same of names alone.
pub type Names<K> = HashSet<K, RandomState>;
