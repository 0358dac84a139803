//! What the scripted registry does, address by address: with look-ups and whoever connects, with the change feed, with the list of decrees.

use std::time::Duration;

/// All of it at one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Script {
    pub doing: Doing,
    pub feed: Feed,
    pub list: List,
}

/// With look-ups, or with whoever connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Doing {
    /// Says what the real one says.
    #[default]
    Pass,
    /// The same, but late by so much.
    Slow(Duration),
    /// Takes the request and never answers.
    Hang,
    /// Takes the request and closes.
    Close,
    /// 500.
    Fail,
    /// To another place.
    Redirect,
    /// 304, to a question that did not say what was known.
    NotModified,
    /// Half of an answer.
    Truncated,
    /// Megabytes.
    Huge,
    /// Ten thousand header fields.
    HeaderFlood,
    /// The answer, a byte at a time.
    Trickle,
    /// A page of a proxy.
    NotJson,
    /// Somebody else's record under the right subject, version and ETag.
    WrongPerson,
    /// The answer to another question, as a proxy gives that has mixed up two.
    Swapped,
    /// The answer, and the same once more, unasked.
    Twice,
    /// The answer of HTTP/1.0, as long as the connection.
    Http10,
    /// The answer; then its half of the connection is closed.
    HalfCloses,
    /// A thousand times 100, and then the answer.
    Continues,
    /// The answer byte by byte in chunks, each with a kilobyte of extensions.
    ChunkExtensions,
    /// The answer, and megabytes of trailers.
    Trailers,
    /// What is said to be gzip of gigabytes.
    Gzip,
    /// An answer of another version of the contract.
    OtherSchema,
    /// The answer with members that nobody knows.
    NewMembers,
    /// An answer from before every change.
    Old,
    /// An answer from a change that never was.
    Ahead,
    /// An answer whose instant is so many seconds off.
    Clock(i64),
    /// The same person twice.
    Duplicate,
    /// Everything closes, every other tenth of a second.
    Flapping,
    /// Bears a certificate of another server.
    WrongCertificate,
    /// Takes connections and says nothing at all, not even in the handshake.
    Partitioned,
    /// Begins a handshake and goes no further.
    HalfHandshake,
    /// Nobody listens: connections are refused.
    Refused,
    /// Packets are lost: connections come to nothing.
    BlackHole,
}

/// With the change feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feed {
    /// Says what the real one says.
    #[default]
    Pass,
    /// Takes the poll and never answers.
    Stuck,
    /// An answer without an end.
    Endless,
    /// A page of a proxy.
    Page,
    /// 500.
    Fail,
    /// Always from the same place: nothing has changed.
    Repeats,
    /// A cursor far beyond, and nothing of what is between.
    Jumps,
    /// A cursor from long ago.
    GoesBack,
    /// The right cursor, and nothing of what changed.
    LeavesOut,
    /// Everything has changed, again and again, without a pause.
    Everything,
    /// The same people have changed, again and again, from the same place and without a pause.
    Again,
    /// Changes of kinds that nobody knows.
    Kinds,
    /// Somebody has changed whose name is megabytes long, without a pause.
    LongNames,
    /// The decrees have changed, and nothing else.
    Decrees,
}

/// With the list of decrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum List {
    /// Says what the real one says.
    #[default]
    Pass,
    /// One of them is gone, and the version fits.
    Shrunk,
    /// One of them has other words, and the version fits.
    Altered,
    /// Who approved a decree is said to have entered it too, by the signature of the approval.
    Forged,
    /// The version is of another list.
    NotOfItsVersion,
    /// Never answers.
    Hang,
    /// Fifty megabytes.
    Huge,
}
