//! One table of people and papers against services, through the whole stack: kinds, states, printed dates, several papers at once.

use super::fixtures::query;
use super::harness::{System, TODAY};
use super::people::{Holder, Paper};

/// A number that says nothing of its kind: the row's, and the paper's in it.
fn number(row: usize, paper: usize) -> String {
    // Far from each other: neighbours would look like a search (domain §8).
    format!("TBL{:08}", (row * 10 + paper) * 7919)
}

/// `kind[/series][>status][!state][@expires]`, several joined by ` + `; without `@` valid to 1408/01/01, with a bare `@` undated.
fn paper(row: usize, index: usize, text: &str) -> Paper {
    let (text, expires) = text.split_once('@').unwrap_or((text, "1408/01/01"));
    let (text, state) = text.split_once('!').unwrap_or((text, "active"));
    let (text, status) = text.split_once('>').unwrap_or((text, ""));
    let (kind, series) = text.split_once('/').map_or((text, None), |(kind, series)| (kind, Some(series.parse().unwrap())));
    let paper = Paper::numbered(kind, &number(row, index), expires).state(state).carries(status);
    series.map_or(paper.clone(), |series| paper.series(series))
}

fn holder(row: usize, papers: &str) -> Holder {
    Holder::new(&format!("row-{row}"), papers.split(" + ").enumerate().map(|(index, text)| paper(row, index, text)))
}

const VALID: &str = "entitled valid";
const BY_DECREE: &str = "entitled valid-by-decree";
const LAPSED: &str = "not-entitled document-lapsed";
const RENEWABLE: &str = "indeterminate lapsed-renewable";
const SUSPENDED: &str = "not-entitled document-suspended";
const REVOKED: &str = "not-entitled document-revoked";
const LOST: &str = "indeterminate document-lost";
const ENDED: &str = "not-entitled ended-by-decree";
const WAITING: &str = "indeterminate card-not-delivered";
const REPLACED: &str = "indeterminate document-replaced";
const INCOMPLETE: &str = "indeterminate record-incomplete";
const NOT_COVERED: &str = "not-entitled service-not-covered";

/// Papers, then what each of treatment (any paper), insurance-health (Amayesh, Hoviat) and education-school says of them.
/// The decrees are the shipped ones; the day is 1405/09/02, when D1 is in force, D3 and D4 are over and D2 has ended the slips.
const ROWS: &[(&str, [&str; 3])] = &[
    // Printed dates: through the last day, and none at all.
    ("amayesh/19@1405/09/02", [VALID, VALID, VALID]),
    ("amayesh/19@1405/09/01", [RENEWABLE, RENEWABLE, RENEWABLE]),
    ("amayesh/19@", [VALID, VALID, VALID]),
    ("passport-residence@1405/09/01", [LAPSED, LAPSED, LAPSED]),
    ("passport-residence@1405/09", [VALID, NOT_COVERED, VALID]),
    ("passport-residence@1405", [VALID, NOT_COVERED, VALID]),
    // Decrees by series.
    ("amayesh/17@1402/03/31", [BY_DECREE, BY_DECREE, BY_DECREE]),
    ("amayesh/17@1406/03/31", [VALID, VALID, VALID]),
    ("amayesh/18@1402/03/31", [RENEWABLE, RENEWABLE, RENEWABLE]),
    ("amayesh/16@1402/03/31", [LAPSED, LAPSED, LAPSED]),
    ("amayesh/15@1402/03/31", [LAPSED, LAPSED, LAPSED]),
    ("amayesh/14@1402/03/31", [RENEWABLE, RENEWABLE, RENEWABLE]),
    ("amayesh@1402/03/31", [RENEWABLE, RENEWABLE, RENEWABLE]),
    ("hoviat/16@1402/03/31", [BY_DECREE, BY_DECREE, BY_DECREE]),
    ("hoviat/17@1402/03/31", [RENEWABLE, RENEWABLE, RENEWABLE]),
    ("hoviat/14@1402/03/31", [LAPSED, LAPSED, LAPSED]),
    ("temporary-card/3@1405/03/31", [RENEWABLE, RENEWABLE, RENEWABLE]),
    ("temporary-card/3", [VALID, NOT_COVERED, VALID]),
    ("census-slip", [ENDED, ENDED, ENDED]),
    ("census-slip@1401/07/30", [ENDED, ENDED, ENDED]),
    // A smart card carries a status; kind is not status, and D1 names Amayesh cards.
    ("smart-card>amayesh", [VALID, VALID, VALID]),
    ("smart-card>hoviat", [VALID, VALID, VALID]),
    ("smart-card>census-slip", [VALID, NOT_COVERED, VALID]),
    ("smart-card", [VALID, INCOMPLETE, VALID]),
    ("smart-card>amayesh@1404/01/01", [LAPSED, LAPSED, LAPSED]),
    ("passport-visa>amayesh", [VALID, NOT_COVERED, NOT_COVERED]),
    // Kinds at school.
    ("household-visa-electronic", [VALID, NOT_COVERED, VALID]),
    ("household-visa-manual", [VALID, NOT_COVERED, NOT_COVERED]),
    ("residence-booklet", [VALID, NOT_COVERED, VALID]),
    ("special-booklet", [VALID, NOT_COVERED, VALID]),
    ("refugee-booklet", [VALID, NOT_COVERED, VALID]),
    ("student-pass", [VALID, NOT_COVERED, NOT_COVERED]),
    ("pupil-card", [VALID, NOT_COVERED, VALID]),
    ("education-support-slip", [VALID, NOT_COVERED, VALID]),
    ("work-permit", [VALID, NOT_COVERED, NOT_COVERED]),
    ("exit-laissez-passer", [VALID, NOT_COVERED, NOT_COVERED]),
    ("laissez-passer", [VALID, NOT_COVERED, NOT_COVERED]),
    // States; no decree overrides one.
    ("amayesh/17!delivered@1402/03/31", [BY_DECREE, BY_DECREE, BY_DECREE]),
    ("amayesh/17!suspended@1402/03/31", [SUSPENDED; 3]),
    ("amayesh/17!revoked@1402/03/31", [REVOKED; 3]),
    ("amayesh/17!lost@1402/03/31", [LOST; 3]),
    ("amayesh/17!stolen@1402/03/31", [LOST; 3]),
    ("amayesh/17!damaged@1402/03/31", [LOST; 3]),
    ("amayesh/17!replaced@1402/03/31", [REPLACED; 3]),
    ("amayesh/17!superseded@1402/03/31", [REPLACED; 3]),
    ("amayesh/17!holder-deceased@1402/03/31", [REVOKED; 3]),
    ("amayesh/17!holder-departed@1402/03/31", [REVOKED; 3]),
    ("amayesh/18!expired", [RENEWABLE; 3]),
    ("smart-card>amayesh!requested", [WAITING; 3]),
    ("smart-card>amayesh!produced", [WAITING; 3]),
    ("smart-card>amayesh!at-office", [WAITING; 3]),
    ("smart-card>amayesh!delivered", [VALID; 3]),
    ("smart-card>amayesh!expired", [LAPSED; 3]),
    // Several papers of one person: any valid one carries the answer.
    ("smart-card>amayesh!produced + amayesh/17@1402/03/31", [BY_DECREE; 3]),
    ("smart-card>amayesh!delivered + amayesh/17!superseded@1402/03/31", [VALID; 3]),
    ("smart-card>amayesh + amayesh/17@1402/03/31", [VALID; 3]),
    ("smart-card>amayesh!revoked + amayesh/17@1402/03/31", [BY_DECREE; 3]),
    // That the card which was there before has ended is for the register to write (`superseded`); until it does, that card is good.
    ("smart-card>amayesh!suspended + amayesh/17@1402/03/31", [BY_DECREE; 3]),
    ("smart-card>amayesh!suspended + amayesh/17!superseded@1402/03/31", [SUSPENDED; 3]),
    ("smart-card>amayesh!lost + amayesh/17@1402/03/31", [BY_DECREE; 3]),
    ("smart-card>amayesh!lost + amayesh/17!superseded@1402/03/31", [LOST; 3]),
    ("smart-card>amayesh!produced + amayesh/17!superseded@1402/03/31", [WAITING; 3]),
    ("amayesh/19!suspended + amayesh/17@1402/03/31", [BY_DECREE; 3]),
    ("amayesh/19!suspended + amayesh/17!replaced@1402/03/31", [SUSPENDED; 3]),
    ("smart-card>amayesh!suspended + passport-residence", [VALID, NOT_COVERED, VALID]),
    ("household-visa-manual + amayesh/17@1402/03/31", [VALID, BY_DECREE, BY_DECREE]),
    ("census-slip + passport-residence", [VALID, NOT_COVERED, VALID]),
    // None valid: the first in the domain's order.
    ("smart-card!revoked + amayesh/19!suspended", [REVOKED; 3]),
    ("amayesh/19!suspended + smart-card!lost", [SUSPENDED; 3]),
    ("smart-card!lost + census-slip", [LOST; 3]),
    ("census-slip + amayesh/18@1402/03/31", [ENDED; 3]),
    ("amayesh/18@1402/03/31 + passport-residence@1402/03/31", [RENEWABLE; 3]),
    ("passport-residence@1402/03/31 + smart-card!produced", [LAPSED; 3]),
    ("smart-card!produced + smart-card!replaced", [WAITING; 3]),
    // Stand-ins.
    ("smart-card>amayesh!lost + laissez-passer", [VALID; 3]),
    ("amayesh/17!lost@1402/03/31 + laissez-passer", [VALID; 3]),
    ("amayesh/17!stolen@1402/03/31 + laissez-passer", [VALID; 3]),
    ("amayesh/18!lost@1402/03/31 + laissez-passer", [VALID, RENEWABLE, RENEWABLE]),
    ("smart-card>amayesh!lost + laissez-passer!suspended", [SUSPENDED; 3]),
    ("smart-card>amayesh!lost + laissez-passer@1402/03/31", [LOST; 3]),
    ("smart-card>amayesh!suspended + laissez-passer", [VALID, NOT_COVERED, NOT_COVERED]),
    ("smart-card>amayesh!lost + exit-laissez-passer", [VALID, LOST, LOST]),
    ("amayesh/19!lost + work-permit", [VALID, LOST, LOST]),
    ("smart-card>amayesh!produced + household-visa-manual", [VALID, WAITING, WAITING]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_the_table_is_answered_by_every_paper_of_its_holder() {
    let people: String = ROWS.iter().enumerate().map(|(row, (papers, _))| holder(row, papers).line()).collect();
    let system = System::at(TODAY, &people).await;
    let asked = [("clinic", "treatment"), ("clinic", "insurance-health"), ("school", "education-school")];
    let mut wrong = Vec::new();
    for (row, (papers, expected)) in ROWS.iter().enumerate() {
        for paper in 0..papers.split(" + ").count() {
            for ((agency, service), expected) in asked.into_iter().zip(expected) {
                let reply = system.ask(agency, &query(agency, "amayesh-no", &number(row, paper), service)).await;
                if (reply.status, reply.outcome().as_str()) != (200, expected) {
                    wrong.push(format!("{service} for `{papers}`: {} instead of {expected}", reply.outcome()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    system.stop().await;
}

/// Every service of the catalogue takes a valid Amayesh card; only one asks for an age and two for a kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_agency_of_the_demo_is_answered_for_every_service_that_it_may_ask() {
    let system = System::at(TODAY, &holder(0, "amayesh/19").line()).await;
    for (agency, services) in [
        ("school", &["education-school"][..]),
        ("clinic", &["treatment", "insurance-health"]),
        ("insurer", &["insurance-health", "insurance-social"]),
        ("bank", &["bank-account", "bank-card"]),
        ("telecom", &["sim"]),
        ("kefalat", &["identity", "residence-renewal"]),
    ] {
        for service in services {
            let reply = system.ask(agency, &query(agency, "amayesh-no", &number(0, 0), service)).await;
            assert_eq!(reply.outcome(), VALID, "{agency} {service}");
        }
    }
    system.stop().await;
}
