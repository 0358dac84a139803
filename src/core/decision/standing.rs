//! How one document stands: its state first, then its printed dates and the decrees. A decree never overrides a state.

use jiff::Timestamp;

use super::decrees::Ruling;
use super::window::Window;
use crate::core::domain::decree::Decree;
use crate::core::domain::document::{Document, DocumentState, Facet};
use crate::core::domain::reason::ReasonCode;

/// How a document stands, in the order in which it wins over other documents of the same person (domain §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// Valid by its printed dates, or without an end.
    Valid,
    /// Valid because a decree says so.
    ValidByDecree(&'a Decree),
    /// Revoked, or the holder died or left.
    Revoked,
    /// Suspended.
    Suspended,
    /// The facet asked for is blocked; the document itself is not.
    FacetSuspended,
    /// Lost, stolen or damaged.
    Lost,
    /// Ended by a decree.
    Ended(&'a Decree),
    /// Past its date, may still be renewed: in the window that is open or announced, where one is known.
    Renewable(Option<Window<'a>>),
    /// Past its date.
    Lapsed,
    /// Not handed out yet.
    NotDelivered,
    /// Another document took its place.
    Replaced,
}

impl<'a> Standing<'a> {
    /// How `document` stands at `now` for a service that hangs on `facet`.
    pub fn of(document: &Document, facet: Facet, ruling: &Ruling<'a>, now: Timestamp) -> Self {
        let own = document.own_state_of(facet);
        match own.unwrap_or(document.state) {
            DocumentState::Requested | DocumentState::Produced | DocumentState::AtOffice => Self::NotDelivered,
            DocumentState::Delivered | DocumentState::Active => Self::by_dates(document, ruling, now),
            DocumentState::Suspended | DocumentState::Revoked | DocumentState::Expired if own.is_some() => Self::FacetSuspended,
            DocumentState::Suspended => Self::Suspended,
            DocumentState::Lost | DocumentState::Stolen | DocumentState::Damaged => Self::Lost,
            DocumentState::Replaced | DocumentState::Superseded => Self::Replaced,
            DocumentState::Revoked | DocumentState::HolderDeceased | DocumentState::HolderDeparted => Self::Revoked,
            DocumentState::Expired => Self::past_date(document, ruling),
        }
    }

    /// How it stands by dates and decrees alone. An issue day ahead does not bar.
    pub fn by_dates(document: &Document, ruling: &Ruling<'a>, now: Timestamp) -> Self {
        let in_date = document.printed.until().is_none_or(|until| now < until);
        match (ruling.ended_by, ruling.lifted_by, ruling.extended_by) {
            (Some(decree), ..) => Self::Ended(decree),
            (None, Some(decree), _) if in_date => Self::ValidByDecree(decree),
            (None, ..) if in_date => Self::Valid,
            (None, _, Some(decree)) => Self::ValidByDecree(decree),
            (None, _, None) => Self::past_date(document, ruling),
        }
    }

    /// Round documents may be renewed until a window that admits them has ended with no other open or announced; any document
    /// may while a window that admits it is open.
    const fn past_date(document: &Document, ruling: &Ruling<'a>) -> Self {
        let open = matches!(ruling.window, Some(Window { open: true, .. }));
        match ruling.ended_by {
            Some(decree) => Self::Ended(decree),
            None if open => Self::Renewable(ruling.window),
            None if document.kind.is_round_document() && (ruling.window_ahead || !ruling.window_ended) => Self::Renewable(ruling.window),
            None => Self::Lapsed,
        }
    }

    /// Whether the document may be relied on.
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid | Self::ValidByDecree(_))
    }

    /// The decree that the standing rests on.
    pub const fn decree(&self) -> Option<&'a Decree> {
        match self {
            Self::ValidByDecree(decree) | Self::Ended(decree) => Some(decree),
            _ => None,
        }
    }

    /// The reason that describes it.
    pub const fn reason(&self) -> ReasonCode {
        match self {
            Self::Valid => ReasonCode::Valid,
            Self::ValidByDecree(_) => ReasonCode::ValidByDecree,
            Self::Revoked => ReasonCode::DocumentRevoked,
            Self::Suspended => ReasonCode::DocumentSuspended,
            Self::FacetSuspended => ReasonCode::FacetSuspended,
            Self::Lost => ReasonCode::DocumentLost,
            Self::Ended(_) => ReasonCode::EndedByDecree,
            Self::Renewable(_) => ReasonCode::LapsedRenewable,
            Self::Lapsed => ReasonCode::DocumentLapsed,
            Self::NotDelivered => ReasonCode::CardNotDelivered,
            Self::Replaced => ReasonCode::DocumentReplaced,
        }
    }

    /// Its place in the order: the smallest wins.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::ValidByDecree(_) => 1,
            Self::Revoked => 2,
            Self::Suspended => 3,
            Self::FacetSuspended => 4,
            Self::Lost => 5,
            Self::Ended(_) => 6,
            Self::Renewable(_) => 7,
            Self::Lapsed => 8,
            Self::NotDelivered => 9,
            Self::Replaced => 10,
        }
    }

    /// Its place among those of one rank: of documents that may be renewed, one whose window is open, then one with a window announced.
    pub const fn renewal_rank(&self) -> u8 {
        match self {
            Self::Renewable(Some(window)) if window.open => 0,
            Self::Renewable(Some(_)) => 1,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests;
