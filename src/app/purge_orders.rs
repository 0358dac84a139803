//! Purge orders: outside a demo nothing is deleted but what two officials ordered, for a year at most. Files that they sign
//! ([`super::signed_files`]); none has effect before the access log has that it began.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::StartError;
use super::acts::{Acts, Known, KnownSigned};
use super::authority::OfficialsFile;
use super::signed_files::{Kind, OutOfOffice, SignedFiles, Subject, Words, hash_of};
use crate::config::Config;
use crate::core::ledger::purge_order::{Ordered, PurgeOrder, SignedOrders};
use crate::core::ledger::retention::{NamedOrder, Step};

/// The folder of purge orders.
pub type PurgeOrders = SignedFiles<StandingOrder>;

/// The kind.
pub struct StandingOrder;

impl Kind for StandingOrder {
    type Subject = PurgeOrder;

    const WORDS: Words = Words {
        one: "purge order",
        may: "order deletions or end such an order",
        verb: "estelam log purge-order",
        lasts: "it orders deletions",
        closed: "nothing is deleted",
        route: "purge-orders",
        begun: "purge-order-begun",
        ended: "purge-order-ended",
    };

    const OUT_OF_OFFICE: OutOfOffice = OutOfOffice::DoesNotBegin;

    fn folder(config: &Config) -> Result<PathBuf, StartError> {
        Ok(config.ledger.purge_orders.clone())
    }

    fn signed_bytes(order: &PurgeOrder, step: Step) -> Vec<u8> {
        order.signed_bytes(step)
    }

    fn check(order: &PurgeOrder) -> Result<(), String> {
        order.bounded()
    }

    fn known(known: &mut Known) -> &mut BTreeMap<String, KnownSigned> {
        &mut known.purge_orders
    }
}

impl Subject for PurgeOrder {
    fn id(&self) -> &str {
        &self.id
    }

    fn until(&self) -> Date {
        self.to
    }

    fn agency(&self) -> Option<&str> {
        None
    }

    fn details(&self) -> Map<String, Value> {
        let fields = [("from", json!(self.from)), ("to", json!(self.to)), ("classes", json!(self.classes))];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn line(&self) -> String {
        let classes: Vec<_> = self.classes.iter().map(|class| class.code()).collect();
        let classes = if classes.is_empty() { "all classes".to_owned() } else { classes.join(", ") };
        format!("{} to {}, {classes}: {}", self.from, self.to, self.reason)
    }
}

/// What may be deleted: the orders in force, each change of them recorded. In a demo nothing needs one.
///
/// # Errors
/// As [`SignedFiles::take_up`]: then nothing may be deleted.
pub(super) async fn ordered(config: &Config, acts: &Acts, now: Timestamp) -> Result<Ordered, StartError> {
    let orders = PurgeOrders::of(config, now)?.take_up(acts, now).await?;
    let named = orders.into_iter().map(|order| (order.clone(), hash_of::<StandingOrder>(&order))).collect();
    Ok(Ordered::new(!config.demo, named))
}

/// Orders of an installation, held against officials whom an auditor knows from elsewhere.
pub struct OrderBook(PurgeOrders);

impl OrderBook {
    /// With every version of the officials' list that counts; none without one.
    ///
    /// # Errors
    /// A file is no list of officials, or the installation has no folder of orders.
    pub fn open(config: &Config, lists: &[PathBuf]) -> Result<Option<Self>, StartError> {
        let read = |path: &PathBuf| {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| StartError(format!("cannot read `{name}`: {error}")))?;
            OfficialsFile::parse(&name, &text).map_err(StartError)
        };
        let lists = lists.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(PurgeOrders::known_by(config, lists)?.map(Self))
    }
}

impl SignedOrders for OrderBook {
    fn signed(&self, named: &NamedOrder, began: Option<Date>, by: Date) -> Result<PurgeOrder, String> {
        let order = self.0.signed(&named.id, began, by)?;
        if hash_of::<StandingOrder>(&order) == named.hash {
            return Ok(order);
        }
        Err("the order of that name is another one than the purge names by its hash".to_owned())
    }
}
