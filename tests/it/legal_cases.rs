//! What is legally true, as somebody derived it from the domain page alone: `tests/data/legal-cases.toml` under the shipped policies.

use estelam::core::decision::cases;

use crate::policy_support::{files, lines};

#[test]
fn answers_derived_from_the_domain_page_alone_are_the_ones_that_come() {
    let shipped = cases::run(&files()).unwrap_or_else(|faults| panic!("{}", lines(&faults)));
    let mut with_more = files();
    with_more.insert("cases/legal.toml".to_owned(), include_str!("../data/legal-cases.toml").to_owned());
    let more = cases::run(&with_more).unwrap_or_else(|faults| panic!("{}", lines(&faults)));
    assert_eq!(more.answers - shipped.answers, 125);
}
