//! `--once`: one real query end to end, with every check that its answer allows.

use std::path::Path;

use crate::cli::client::{Ask, AskCheck, AskIdentifier, Client};
use crate::cli::place::Place;
use crate::cli::verify::{Lang, nonce};
use crate::cli::{CliError, proof, words};

/// Asks as the bank about the fixture person whose card a decree keeps valid.
pub(super) async fn ask(dir: &Path) -> Result<(), CliError> {
    let client = Client::open(&Place::of(dir.to_owned()), "bank")?;
    let token = client.token(None).await?;
    let answered = client.ask(&token, &question()?, None).await?;
    println!("{}", words::answer(&answered, Lang::En));
    println!("{}", words::answer(&answered, Lang::Fa));
    if answered.status != 200 {
        return Err(CliError::failed(format_args!("the query was refused with HTTP {}", answered.status)));
    }
    proof::check_statement(&client, &answered).await?;
    println!("signature      ✔ by the gateway's published key");
    let proved = proof::check_inclusion(&client, &token, &answered).await?;
    println!("record         ✔ entry {} of {} in the signed checkpoint", proved.index, proved.tree_size);
    match answered.body.get("decision").and_then(|decision| decision.as_str()) {
        Some("entitled") => Ok(()),
        other => Err(CliError::failed(format_args!("the answer should be `entitled`, not `{}`", other.unwrap_or("nothing")))),
    }
}

fn question() -> Result<Ask, CliError> {
    Ok(Ask {
        identifier: Some(AskIdentifier { scheme: "amayesh-no".to_owned(), value: "A170000001".to_owned(), ..AskIdentifier::default() }),
        service: "bank-card".to_owned(),
        purpose: "account-maintenance".to_owned(),
        actor: Some("teller-17".to_owned()),
        reference: None,
        check: Some(AskCheck { birth_year: Some(1370), calendar: "jalali".to_owned(), ..AskCheck::default() }),
        max_age: None,
        nonce: nonce()?,
        province: None,
        emergency: false,
        receipt: false,
    })
}
