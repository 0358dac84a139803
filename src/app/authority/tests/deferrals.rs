//! The claims about deferrals outside a demo.

use super::*;
use crate::app::deferrals::Deferrals;

fn deferral() -> Hold {
    serde_json::from_str(r#"{"id":"order-1","reason":"order 1","from":"2026-11-01","to":"2026-11-30","until":"2026-12-20"}"#).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_a_demo_officials_in_office_defer_and_show_and_each_is_on_record() {
    let home = home();
    let now = FixedClock.now();
    let dir = home.config.holder.as_ref().unwrap().deferrals.clone();
    // An operator enrols two keys of its own beside the deferrals and signs twice.
    let enrolled = [new_key(), new_key()];
    for (name, key) in ["one", "two"].iter().zip(&enrolled) {
        crate::registry::decrees::Officials::enrol(&dir, name, key).unwrap();
    }
    let deferrals = Deferrals::of(&home.config, now).unwrap();
    for stranger in [&enrolled[0], &home.keys[2]] {
        assert!(deferrals.add(deferral(), stranger, now).unwrap_err().to_string().contains("officials who are in office"));
    }
    let operators = Deferrals::open(&dir).unwrap();
    operators.add(deferral(), &enrolled[0], now).unwrap();
    operators.approve("order-1", Step::Begin, &enrolled[1], now).unwrap();
    let book = Arc::new(Book::default());
    let acts = home.acts(book.clone()).unwrap();
    assert!(deferrals.take_up(&acts, now).await.unwrap_err().to_string().contains("does not hold"));
    std::fs::remove_file(dir.join("order-1.json")).unwrap();

    deferrals.add(deferral(), &home.keys[0], now).unwrap();
    assert_eq!(deferrals.take_up(&acts, now).await.unwrap(), [], "one official alone defers nothing");
    deferrals.approve("order-1", Step::Begin, &home.keys[1], now).unwrap();
    let later = "2027-06-01T00:00:00Z".parse().unwrap();
    assert_eq!(deferrals.take_up(&acts, later).await.unwrap(), [], "who is out of office begins none");
    let broken = home.acts(Arc::new(Book { broken: true, ..Book::default() })).unwrap();
    assert!(deferrals.take_up(&broken, now).await.unwrap_err().to_string().contains("no view is opened"));
    assert_eq!(deferrals.take_up(&acts, now).await.unwrap(), [deferral()]);
    assert_eq!(deferrals.take_up(&acts, later).await.unwrap(), [deferral()], "what began stays, and is told once it is over");
    std::fs::rename(dir.join("order-1.json"), dir.join("aside")).unwrap();
    assert!(deferrals.take_up(&acts, now).await.unwrap_err().to_string().contains("the deferral is gone"));
    std::fs::rename(dir.join("aside"), dir.join("order-1.json")).unwrap();
    for key in &home.keys[..2] {
        deferrals.approve("order-1", Step::End, key, now).unwrap();
    }
    assert_eq!(deferrals.take_up(&acts, now).await.unwrap(), []);
    assert_eq!(*book.codes.lock().unwrap(), ["deferral-begun", "deferral-ended"]);
}
