//! What ties retries across a crash is read back from the log, the newest first.

use super::*;

/// Entries every three of which are an answer under a key, one under none, and a refusal.
fn entries(count: u32) -> impl Iterator<Item = Entry> + Send {
    (0..count).map(|number| {
        let text = |what: &str| Some(format!("{what}-{number}"));
        let mut entry = entry(u128::from(number), i64::from(number));
        entry.content.basis = Some(format!(r#"{{"q":{{"t":{number},"g":19}},"b":{{"n":1}}}}"#));
        match number % 3 {
            0 => (entry.content.retry, entry.content.retry_body) = (text("key"), text("body")),
            1 => {}
            _ => {
                entry.kind = EntryKind::Refusal;
                entry.content.retry = text("refused");
            }
        }
        entry
    })
}

#[test]
fn every_answer_with_a_mark_since_an_instant_is_read_back_the_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(folder.path().join("ledger"));
    load(&config, signer().as_ref(), &mut entries(3000), &mut |_| ()).unwrap();
    let mut log = LogEntries::open(&config.dir, &config.content_kek).unwrap();
    let mut read = Vec::new();
    let mut pieces = 0;
    log.marks(Timestamp::from_second(300).unwrap(), &mut |marks| {
        read.extend(marks.into_iter().map(|mark| (mark.first.as_u128(), mark.key, mark.of_body)));
        pieces += 1;
        true
    })
    .unwrap();
    let wanted: Vec<_> = (100..1000_u128).rev().map(|third| third * 3).collect();
    assert_eq!(read.iter().map(|(first, ..)| *first).collect::<Vec<_>>(), wanted);
    assert_eq!((&read[0].1, read[0].2.as_deref(), pieces), (&"key-2997".to_owned(), Some("body-2997"), 3));
    // Whoever does not want to know any more ends it.
    let mut pieces = 0;
    log.marks(Timestamp::UNIX_EPOCH, &mut |_| {
        pieces += 1;
        false
    })
    .unwrap();
    assert_eq!(pieces, 1);
}
