//! `estelam log purge-order`: what two officials order to be deleted once it is due, for a year at most.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::civil::Date;

use super::CliError;
use super::purge::Class;
use super::signed::{Enrol, List, Sign, Signer, screened};
use super::when::day;
use crate::app::purge_orders::StandingOrder;
use crate::core::ledger::RetentionClass;
use crate::core::ledger::purge_order::PurgeOrder;
use crate::core::ledger::retention::Step;

/// Purge orders: outside a demo nothing is deleted without one of two officials.
#[derive(Debug, Subcommand)]
pub(super) enum PurgeOrderCommand {
    /// In a demo, let somebody sign orders (elsewhere the officials do): put the public half of a key beside the orders
    Enrol(Enrol),
    /// Begin an order with the first of two signatures
    Add(Box<Add>),
    /// Put an order in force with another official's signature
    Approve(Sign),
    /// End an order before its last day: two officials must
    End(Sign),
    /// List every order and where it stands
    List(List),
}

/// A new order.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name: letters, digits, hyphens; every purge under it names it for ever. No number of a person
    id: String,
    /// Why: the decision that it rests on; no number and no name of a person
    #[arg(long)]
    reason: String,
    /// First day (UTC) on which what is due may be deleted
    #[arg(long, value_parser = day)]
    from: Date,
    /// Last day; at most 366 with the first
    #[arg(long, value_parser = day)]
    to: Date,
    /// Only contents of this class. May be repeated; every class if left out
    #[arg(long)]
    class: Vec<Class>,
    #[command(flatten)]
    signer: Signer,
}

impl PurgeOrderCommand {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Enrol(enrol) => enrol.run::<StandingOrder>()?,
            Self::Add(add) => {
                let Add { id, reason, from, to, class, signer } = *add;
                screened(&signer.place, &[&id], &reason)?;
                let mut classes: Vec<RetentionClass> = class.into_iter().map(Into::into).collect();
                classes.sort_unstable();
                classes.dedup();
                signer.add::<StandingOrder>(PurgeOrder { id, reason, from, to, classes })?;
            }
            Self::Approve(sign) => sign.run::<StandingOrder>(Step::Begin)?,
            Self::End(sign) => sign.run::<StandingOrder>(Step::End)?,
            Self::List(list) => list.run::<StandingOrder>()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
