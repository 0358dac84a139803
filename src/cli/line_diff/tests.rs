//! Claims about what an official is shown of a change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::core::policy::shipped;

fn shipped_files() -> BTreeMap<String, String> {
    shipped().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// What is shown when one file of the shipped folder is edited.
fn shown(path: &str, edit: impl Fn(&str) -> String) -> Vec<String> {
    let (old, mut new) = (shipped_files(), shipped_files());
    let edited = edit(&old[path]);
    assert_ne!(edited, old[path], "the edit changes nothing");
    new.insert(path.to_owned(), edited);
    changes(&old, &new)
}

fn line_of(path: &str, text: &str) -> usize {
    1 + shipped_files()[path].lines().position(|line| line.starts_with(text)).unwrap()
}

#[test]
fn a_line_that_stands_elsewhere_already_is_shown_with_its_place() {
    let treatment = line_of("services.toml", "code = \"treatment\"");
    let said = shown("services.toml", |text| text.replace("code = \"treatment\"\n", "code = \"treatment\"\nno_document = true\n"));
    let line = format!("  + {}: no_document = true", treatment + 1);
    assert_eq!(said, ["changed: services.toml", "  in [[service]] code = \"treatment\"", &line]);
}

#[test]
fn one_of_two_like_lines_is_shown_when_it_goes() {
    let card = line_of("services.toml", "code = \"bank-card\"");
    let said = shown("services.toml", |text| {
        let at = text.find("code = \"bank-card\"").unwrap();
        let (before, after) = text.split_at(at);
        before.to_owned() + &after.replacen("facet = \"bank\"\n", "", 1)
    });
    assert_eq!(said[..2], ["changed: services.toml", "  in [[service]] code = \"bank-card\""]);
    let [line] = &said[2..] else { panic!("{said:?}") };
    let number: usize = line.strip_prefix("  - ").unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(line.ends_with("facet = \"bank\"") && (card..card + 5).contains(&number), "{line}");
}

#[test]
fn lines_that_change_places_between_grants_are_shown_under_each() {
    let grants = |first: &str, second: &str| {
        format!("[[grant]]\nservices = [\"a\"]\nmust_give = [{first}]\n\n[[grant]]\nservices = [\"b\"]\nmust_give = [{second}]\n")
    };
    let file = |text| BTreeMap::from([("agencies/x.toml".to_owned(), text)]);
    let said = changes(&file(grants("", "\"check\"")), &file(grants("\"check\"", "")));
    assert_eq!(
        said,
        [
            "changed: agencies/x.toml",
            "  in [[grant]] services = [\"a\"]",
            "  - 3: must_give = []",
            "  + 3: must_give = [\"check\"]",
            "  in [[grant]] services = [\"b\"]",
            "  - 7: must_give = [\"check\"]",
            "  + 7: must_give = []",
        ]
    );
}

#[test]
fn a_new_file_is_shown_whole_and_a_first_version_by_its_files() {
    let (mut old, new) = (shipped_files(), shipped_files());
    let gone = old.remove("agencies/dpo.toml").unwrap();
    old.insert("agencies/old.toml".to_owned(), "id = \"old\"\n".to_owned());
    let said = changes(&old, &new);
    assert_eq!((said[0].as_str(), said.last().unwrap().as_str()), ("new: agencies/dpo.toml", "removed: agencies/old.toml"));
    assert!(gone.lines().all(|line| said.iter().any(|said| said.ends_with(line))));
    let first = changes(&BTreeMap::new(), &new);
    assert_eq!(first.len(), new.len());
    assert!(first.iter().all(|line| line.starts_with("new: ") && line.ends_with(" lines")));
}

#[test]
fn what_ends_a_line_is_shown_and_what_could_hide_one_is_spelled_out() {
    let file = |text: &str| BTreeMap::from([("x.cedar".to_owned(), text.to_owned())]);
    assert_eq!(changes(&file("a\nb\n"), &file("a\r\nb\n")), ["changed: x.cedar", "  - 1: a", "  + 1: a\\u{d}"]);
    assert_eq!(changes(&file("a\n"), &file("a")), ["changed: x.cedar", "  - 2: "]);
    let said = changes(&file("// x\n"), &file("// \u{1b}[2K\u{202e}ی\u{200c}ه\n"));
    assert_eq!(said[2], "  + 1: // \\u{1b}[2K\\u{202e}ی\u{200c}ه");
}

proptest! {
    /// Whoever takes the lines away that go, and puts those in that come, has the new text: nothing is left out.
    #[test]
    fn what_is_shown_makes_the_new_text_of_the_old(
        old in prop::collection::vec("[abc]", 0..12), new in prop::collection::vec("[abc]", 0..12), too_long in any::<bool>(),
    ) {
        // The same with texts that are too long to be compared.
        let many = vec!["x"; if too_long { 3_000 } else { 0 }];
        let (one, other) = (many.iter().map(|_| "y"), many.iter().map(|_| "z"));
        let old: Vec<&str> = old.iter().map(String::as_str).chain(one).collect();
        let new: Vec<&str> = new.iter().map(String::as_str).chain(other).collect();
        let (mut gone, mut come) = (BTreeSet::new(), BTreeMap::new());
        for change in changed_lines(&old, &new) {
            match change {
                Change::Gone(number, line) => {
                    prop_assert_eq!(old[number - 1], line);
                    gone.insert(number);
                }
                Change::Come(number, line) => drop(come.insert(number, line)),
            }
        }
        let mut stays = old.iter().zip(1..).filter(|(_, number)| !gone.contains(number)).map(|(line, _)| *line);
        let made: Vec<&str> = (1..=new.len()).map_while(|number| come.remove(&number).or_else(|| stays.next())).collect();
        prop_assert_eq!(&made, &new);
        prop_assert!(come.is_empty() && stays.next().is_none());
    }
}
