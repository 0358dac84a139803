//! The claims about what was signed for another gateway.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_for_another_gateway_or_for_none_takes_no_effect_here() {
    let home = home();
    let signed_for = |issuer: Option<&str>, kind, hash: String, previous| {
        let mut approval = home.proposal(kind, hash, previous);
        approval.proposal.issuer = issuer.map(str::to_owned);
        home.signed(approval, &[0, 1])
    };
    let elsewhere = [(Some("https://trial.example"), "signed for the gateway `https://trial.example`"), (None, "names no gateway")];
    for (issuer, why) in elsewhere {
        home.folder().put_policies(&signed_for(issuer, Kind::Policies, home.version(), None)).unwrap();
        let book = Arc::new(Book::default());
        let said = home.start(book.clone()).await.map(drop).unwrap_err().to_string();
        assert!(said.contains(why) && book.codes.lock().unwrap().is_empty(), "{said}");
    }
    home.approve(&[0, 1]);
    home.start(Arc::default()).await.unwrap();
    // What is in force here stays so, whatever an earlier version had signed.
    let last = home.folder().in_force().unwrap().unwrap();
    home.folder().put_policies(&signed_for(None, Kind::Policies, home.version(), last.policies)).unwrap();
    home.start(Arc::default()).await.unwrap();
    let text = format!("previous = \"{}\"\n{}# second\n", last.officials, first_officials(&home.keys));
    for (issuer, why) in elsewhere {
        let approval = signed_for(issuer, Kind::Officials, version_of(text.as_bytes()), Some(last.officials.clone()));
        let said = home.folder().put_officials(&text, &approval, FixedClock.now()).unwrap_err();
        assert!(said.contains(why), "{said}");
        // Somebody who has the disk.
        let folder = home.dir.path().join("policies/authority/officials");
        std::fs::write(folder.join("0002.json"), serde_json::to_vec(&approval).unwrap()).unwrap();
        std::fs::write(folder.join("0002.toml"), &text).unwrap();
        assert!(home.folder().officials(FixedClock.now()).unwrap_err().contains(why));
        remove_version(home.dir.path());
    }
}
