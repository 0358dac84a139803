//! What a refusal or an answer rests on in policy: the lines of the files that led to it, in Persian and English.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::again::Caller;
use super::agency_file::{AgencyFile, GrantFile};
use super::agency_units::UnitFile;
use super::permit_rules::PermitRules;
use super::term::{between, holds};
use crate::core::domain::place::{field_offset, line_of};
use crate::core::domain::refusal::RefusalCode;

/// One line of a policy folder, and what it says about a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ground {
    /// Path inside the policy folder.
    pub file: String,
    /// Line from 1; `None` where something is missing that would stand there.
    pub line: Option<usize>,
    /// In Persian.
    pub fa: String,
    /// In English.
    pub en: String,
}

impl Ground {
    /// `file:line`, or the file alone.
    pub fn place(&self) -> String {
        self.line.map_or_else(|| self.file.clone(), |line| format!("{}:{line}", self.file))
    }
}

/// What a refusal of a query rests on, at the instant asked, with the scheme that it named. Empty where it was no policy's doing: a token,
/// a certificate, the node's state.
pub fn grounds(
    files: &BTreeMap<String, String>,
    caller: Caller<'_>,
    scheme: Option<&str>,
    at: Timestamp,
    code: RefusalCode,
) -> Vec<Ground> {
    let path = format!("agencies/{}.toml", caller.agency);
    let agency = files.get(&path).and_then(|text| toml::from_str(text).ok().map(|file| Agency { path: &path, text, file, caller, at }));
    let duty = |name: &str| agency.as_ref().map_or_else(Vec::new, |agency| agency.duty(name));
    match code {
        RefusalCode::AgencySuspended => agency.map_or_else(|| vec![not_enrolled(&path)], |agency| vec![agency.barred()]),
        RefusalCode::UnknownService => vec![missing("services.toml", "خدمت", "service", caller.service)],
        RefusalCode::ServiceNotAllowed => {
            let rules = agency.as_ref().and_then(|agency| agency.forbidden(files));
            agency.map_or_else(Vec::new, |agency| agency.service()).into_iter().chain(rules).collect()
        }
        RefusalCode::PurposeNotAllowed => agency.map_or_else(Vec::new, |agency| agency.purpose()),
        RefusalCode::ActorRequired => duty("actor"),
        RefusalCode::CheckRequired => duty("check"),
        RefusalCode::ReferenceRequired => duty("reference"),
        RefusalCode::NonceRequired => duty("nonce"),
        RefusalCode::SignatureRequired => duty("signature"),
        RefusalCode::ReceiptNotAllowed => agency.map_or_else(Vec::new, |agency| agency.receipt()),
        RefusalCode::RateLimited => agency.map_or_else(Vec::new, |agency| agency.rates()),
        RefusalCode::QuotaExhausted => agency.map_or_else(Vec::new, |agency| agency.quota()),
        RefusalCode::UnknownScheme => vec![missing("schemes.toml", "طرح شناسه", "scheme", scheme.unwrap_or_default())],
        RefusalCode::WrongScheme | RefusalCode::WrongPopulation | RefusalCode::MalformedIdentifier => of_scheme(files, scheme),
        _ => Vec::new(),
    }
}

/// What an answer to a query rests on in policy, at the instant asked: the grant of the agency's file and the rules that permit it. Empty
/// where there is none.
pub fn permit_grounds(files: &BTreeMap<String, String>, caller: Caller<'_>, at: Timestamp) -> Vec<Ground> {
    let path = format!("agencies/{}.toml", caller.agency);
    let file = files.get(&path).and_then(|text| toml::from_str(text).ok().map(|file| (text, file)));
    let Some((text, file)) = file else { return Vec::new() };
    let agency = Agency { path: &path, text, file, caller, at };
    agency.granted().into_iter().chain(agency.permitted(files)).collect()
}

/// One agency's file, and the query.
struct Agency<'a> {
    path: &'a str,
    text: &'a str,
    file: AgencyFile,
    caller: Caller<'a>,
    at: Timestamp,
}

impl Agency<'_> {
    fn ground(&self, offset: usize, fa: String, en: String) -> Ground {
        Ground { file: self.path.to_owned(), line: Some(line_of(self.text, offset)), fa, en }
    }

    /// What keeps the caller out at the door, in the order in which it is tested.
    fn barred(&self) -> Ground {
        if self.file.suspended {
            let offset = field_offset(self.text, 0, "suspended");
            return self.ground(offset, "دستگاه تعلیق شده است".to_owned(), "the agency is suspended".to_owned());
        }
        let branch = self.caller.branch.unwrap_or("-");
        let is_it = |unit: &&UnitFile| unit.suspended && Some(unit.name.get_ref().as_str()) == self.caller.branch;
        if let Some(unit) = self.file.units.iter().find(is_it) {
            let name = unit.name.span().start;
            let table = self.text.get(..name).and_then(|before| before.rfind("[[unit]]")).unwrap_or(name);
            let offset = field_offset(self.text, table, "suspended");
            return self.ground(offset, format!("شعبه یا سامانه `{branch}` تعلیق شده است"), format!("the unit `{branch}` is suspended"));
        }
        let fa = format!("هیچ‌یک از این شناسه‌های گواهی، شعبه `{branch}` را نمی‌پذیرد");
        self.ground(self.file.identities.span().start, fa, format!("none of these identities admits the branch `{branch}`"))
    }

    fn grants_of_service(&self) -> impl Iterator<Item = &GrantFile> {
        let lists = |grant: &&GrantFile| grant.services.get_ref().iter().any(|service| service.get_ref() == self.caller.service);
        self.file.grants.iter().filter(lists)
    }

    /// The grant of the service and the purpose that is in force.
    fn granted(&self) -> Option<Ground> {
        let Caller { service, purpose, .. } = self.caller;
        let lists = |grant: &&GrantFile| grant.purposes.get_ref().iter().any(|listed| listed.get_ref() == purpose);
        let grant = self.grants_of_service().find(|grant| lists(grant) && self.in_force(grant))?;
        let fa = format!("این مجوز خدمت `{service}` را برای هدف `{purpose}` می‌دهد");
        Some(self.ground(grant.services.span().start, fa, format!("this grant has the service `{service}` for the purpose `{purpose}`")))
    }

    /// The rules that permit it, whichever of them alone would do.
    fn permitted(&self, files: &BTreeMap<String, String>) -> Vec<Ground> {
        let Ok(rules) = PermitRules::load(files) else { return Vec::new() };
        let Caller { agency, service, purpose, .. } = self.caller;
        let verdict = rules.judge(agency, self.file.kind.get_ref(), service, purpose, self.at).ok().filter(|verdict| verdict.permitted);
        let ground = |id: &String| {
            let (fa, en) = (format!("قاعده `{id}` آن را مجاز می‌کند"), format!("the rule `{id}` permits it"));
            of_rule(&rules, id, fa, en)
        };
        verdict.iter().flat_map(|verdict| &verdict.rules).map(ground).collect()
    }

    fn in_force(&self, grant: &GrantFile) -> bool {
        let text = |day: &Option<toml::Spanned<String>>| day.as_ref().map(|day| day.get_ref().clone());
        let term = between(text(&grant.from).as_deref(), text(&grant.until).as_deref());
        term.is_ok_and(|term| holds(term, self.at))
    }

    /// Every grant of the service that is not in force; where there is none, what the grants list instead.
    fn service(&self) -> Vec<Ground> {
        let service = self.caller.service;
        let over: Vec<Ground> = self.grants_of_service().filter(|grant| !self.in_force(grant)).map(|grant| self.over(grant)).collect();
        if !over.is_empty() || self.grants_of_service().next().is_some() {
            return over;
        }
        let lists = self.file.grants.iter().map(|grant| {
            let fa = format!("خدمت `{service}` در فهرست این مجوز نیست");
            self.ground(grant.services.span().start, fa, format!("the service `{service}` is not in the list of this grant"))
        });
        let listed: Vec<Ground> = lists.collect();
        if !listed.is_empty() {
            return listed;
        }
        let offset = self.file.id.span().start;
        vec![self.ground(offset, "این دستگاه هیچ مجوزی ندارد".to_owned(), "the agency has no [[grant]] at all".to_owned())]
    }

    fn over(&self, grant: &GrantFile) -> Ground {
        let day = grant.until.as_ref().or(grant.from.as_ref());
        let offset = day.map_or(grant.services.span().start, |day| day.span().start);
        let (fa, en) = ("این مجوز در آن روز نافذ نیست", "this grant is not in force on that day");
        self.ground(offset, fa.to_owned(), en.to_owned())
    }

    fn purpose(&self) -> Vec<Ground> {
        let purpose = self.caller.purpose;
        let lists = |grant: &GrantFile| grant.purposes.get_ref().iter().any(|listed| listed.get_ref() == purpose);
        let grounds = self.grants_of_service().map(|grant| {
            if lists(grant) {
                return self.over(grant);
            }
            let fa = format!("هدف `{purpose}` در فهرست این مجوز نیست");
            self.ground(grant.purposes.span().start, fa, format!("the purpose `{purpose}` is not in the list of this grant"))
        });
        grounds.collect()
    }

    fn duty(&self, name: &str) -> Vec<Ground> {
        let wanted = self.grants_of_service().filter(|grant| self.in_force(grant)).filter_map(|grant| {
            let duty = grant.must_give.iter().find(|duty| duty.get_ref() == name)?;
            let fa = format!("این مجوز `{name}` را لازم می‌داند");
            Some(self.ground(duty.span().start, fa, format!("this grant wants `{name}` with every query")))
        });
        wanted.collect()
    }

    fn receipt(&self) -> Vec<Ground> {
        let grounds = self.grants_of_service().filter(|grant| self.in_force(grant) && !grant.receipt).map(|grant| {
            let fa = "این مجوز رسید چاپی را روا نمی‌دارد (`receipt = true`)".to_owned();
            self.ground(grant.services.span().start, fa, "this grant does not allow printed receipts (`receipt = true`)".to_owned())
        });
        grounds.collect()
    }

    /// The caller is not told which rule it was, and neither does the log say; so both places are named.
    fn rates(&self) -> Vec<Ground> {
        let limits = self.ground(
            self.file.limits.span().start,
            "نرخ‌های مجاز دستگاه".to_owned(),
            "the agency's rates: it may have asked faster than one of these".to_owned(),
        );
        let fa = "حفاظت از دارندگان: این استعلام‌ها به جست‌وجوی افراد می‌مانست".to_owned();
        let en = "the protection of holders: its queries may have looked like a search".to_owned();
        let protection = match self.text.find("\n[protection]") {
            Some(offset) => self.ground(offset + 1, fa, en),
            None => Ground { file: self.path.to_owned(), line: None, fa, en },
        };
        vec![limits, protection]
    }

    fn quota(&self) -> Vec<Ground> {
        let quota = self.file.limits.get_ref().daily_quota.as_ref();
        let ground = |quota: &toml::Spanned<u64>| {
            let fa = "سهمیه این روز دستگاه تمام شده است".to_owned();
            self.ground(quota.span().start, fa, "the agency's quota of that day was used up".to_owned())
        };
        quota.map(ground).into_iter().collect()
    }

    /// The rule that forbids it whatever the agency's file grants, or the lack of one that permits it.
    fn forbidden(&self, files: &BTreeMap<String, String>) -> Option<Ground> {
        let rules = PermitRules::load(files).ok()?;
        let Caller { agency, service, purpose, .. } = self.caller;
        let verdict = rules.judge(agency, self.file.kind.get_ref(), service, purpose, self.at).ok()?;
        if verdict.permitted {
            return None;
        }
        let Some(id) = verdict.rules.first() else {
            let fa = "هیچ قاعده‌ای در این پرونده‌ها آن را در آن روز مجاز نمی‌کند".to_owned();
            return Some(Ground { file: "*.cedar".to_owned(), line: None, fa, en: "no rule here permits it on that day".to_owned() });
        };
        let (fa, en) = (format!("قاعده `{id}` آن را منع می‌کند"), format!("the rule `{id}` forbids it, whatever an agency's file grants"));
        Some(of_rule(&rules, id, fa, en))
    }
}

/// A rule of a `.cedar` file, where it stands.
fn of_rule(rules: &PermitRules, id: &str, fa: String, en: String) -> Ground {
    let place = rules.places().get(id).map_or("*.cedar", String::as_str);
    let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
    Ground { file: file.to_owned(), line: line.parse().ok(), fa, en }
}

fn not_enrolled(path: &str) -> Ground {
    let (fa, en) = ("چنین پرونده‌ای نیست؛ دستگاه ثبت نشده است", "there is no such file: the agency is not enrolled");
    Ground { file: path.to_owned(), line: None, fa: fa.to_owned(), en: en.to_owned() }
}

fn missing(file: &str, fa: &str, en: &str, code: &str) -> Ground {
    Ground {
        file: file.to_owned(),
        line: None,
        fa: format!("{fa} `{code}` در این پرونده نیست"),
        en: format!("the {en} `{code}` is not in this file"),
    }
}

/// The scheme that the value does not fit.
fn of_scheme(files: &BTreeMap<String, String>, scheme: Option<&str>) -> Vec<Ground> {
    let (Some(text), Some(scheme)) = (files.get("schemes.toml"), scheme) else { return Vec::new() };
    let line = text.find(&format!("code = \"{scheme}\"")).map(|offset| line_of(text, offset));
    let fa = format!("مقدار با الگوی طرح `{scheme}` نمی‌خواند، یا این طرح کلید استعلام نیست");
    let en = format!("the value does not fit the scheme `{scheme}` as it is described here, or the scheme is never a key");
    vec![Ground { file: "schemes.toml".to_owned(), line, fa, en }]
}

#[cfg(test)]
mod tests;
