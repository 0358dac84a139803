//! What becomes of the decrees in use when a list comes that is not signed as it must be.

use super::super::decrees::AcceptedDecrees;
use super::super::signed::{SignedDecrees, Unsigned};
use super::super::upstream::{FetchedDecrees, Position};
use crate::core::domain::decree::{Decree, DecreeSet, Effect, Services};
use crate::core::registry::RegistryUnavailable;
use crate::core::registry::signing::Step;

const REFUSED: RegistryUnavailable = RegistryUnavailable("a decree in its list is not signed by two officials");

fn decree(id: &str, rescinded: bool) -> Decree {
    let at = "2026-11-23T10:00:00Z".parse().unwrap();
    Decree {
        id: id.to_owned(),
        authority: "ministry-of-interior".to_owned(),
        effective_from: at,
        effective_until: None,
        recorded_at: at,
        rescinded_at: rescinded.then_some(at),
        select: vec![],
        services: Services::All,
        effect: Effect::Extend,
        supersedes: vec![],
        text_fa: "متن".to_owned(),
        text_en: "text".to_owned(),
    }
}

fn list(decrees: Vec<Decree>, unsigned: &[(&str, Step)]) -> Result<FetchedDecrees, RegistryUnavailable> {
    let version = decrees.iter().map(|decree| format!("{}{}", decree.id, decree.rescinded_at.is_some())).collect();
    let unsigned = unsigned.iter().map(|(id, step)| Unsigned { id: (*id).to_owned(), step: *step, why: "a test" }).collect();
    let set = DecreeSet { version, decrees, as_of: "2026-11-23T10:00:00Z".parse().unwrap() };
    Ok(FetchedDecrees {
        position: Position { cursor: 1, history: None },
        set,
        signed: SignedDecrees { unsigned, ..SignedDecrees::default() },
    })
}

async fn with_one() -> AcceptedDecrees {
    let accepted = AcceptedDecrees::new(None);
    accepted.accept(list(vec![decree("d1", false)], &[])).await.unwrap();
    accepted
}

fn in_use(accepted: &AcceptedDecrees) -> Option<Vec<String>> {
    accepted.current().map(|set| set.decrees.iter().map(|decree| decree.id.clone()).collect())
}

#[tokio::test]
async fn the_last_good_list_goes_on_where_nothing_but_unsigned_things_were_added() {
    let accepted = with_one().await;
    let before = accepted.current();
    let invented = list(vec![decree("d1", false), decree("d2", false)], &[("d2", Step::Approval)]);
    assert_eq!(accepted.accept(invented).await, Err(REFUSED));
    assert_eq!(accepted.current(), before, "and it is no younger than it was");
    assert_eq!(accepted.accept(list(vec![decree("d1", true)], &[("d1", Step::Rescission)])).await, Err(REFUSED));
    assert_eq!(accepted.current(), before);
    let both = [("d2", Step::Approval), ("d2", Step::Rescission)];
    assert_eq!(accepted.accept(list(vec![decree("d1", false), decree("d2", true)], &both)).await, Err(REFUSED));
    assert_eq!(accepted.current(), before);
    accepted.accept(list(vec![decree("d1", false), decree("d2", false)], &[])).await.unwrap();
    assert_eq!(in_use(&accepted), Some(vec!["d1".to_owned(), "d2".to_owned()]), "once it is signed it counts");
}

#[tokio::test]
async fn none_is_in_use_where_something_else_changed_too() {
    let invented = || ("d2", Step::Approval);
    for (changed, unsigned) in [
        (vec![decree("d1", true), decree("d2", false)], invented()),
        (vec![decree("d1", false), decree("d2", false), decree("d3", false)], invented()),
        (vec![decree("d2", false)], invented()),
        (vec![decree("d1", false)], ("d1", Step::Approval)),
    ] {
        let accepted = with_one().await;
        assert_eq!(accepted.accept(list(changed, &[unsigned])).await, Err(REFUSED));
        assert_eq!(in_use(&accepted), None, "a decree that was rescinded must not go on entitling");
    }
}

#[tokio::test]
async fn without_a_good_list_before_nothing_is_in_use() {
    let accepted = AcceptedDecrees::new(None);
    assert_eq!(accepted.accept(list(vec![decree("d2", false)], &[("d2", Step::Approval)])).await, Err(REFUSED));
    assert_eq!(in_use(&accepted), None);
}

#[test]
fn what_nobody_signed_is_named_as_a_decree_or_not_at_all() {
    let named = |id: &str| Unsigned { id: id.to_owned(), step: Step::Approval, why: "a test" }.tellable_id().to_owned();
    assert_eq!(named("d1-1402-04-07"), "d1-1402-04-07");
    assert_eq!((named("d1\nforged"), named(&"d".repeat(65))), ("(no good id)".to_owned(), "(no good id)".to_owned()));
}
