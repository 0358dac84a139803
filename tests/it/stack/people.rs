//! People and papers in few words, for tables of cases: what the register would hold, as lines of an import.

use serde_json::{Value, json};

/// Somebody with some papers. Left as made, an Afghan member of a household in Qom, born 1370/01/01.
pub struct Holder(Value);

/// One paper.
#[derive(Clone)]
pub struct Paper(Value);

impl Holder {
    /// Somebody known under a key of the test's own.
    pub fn new(key: &str, papers: impl IntoIterator<Item = Paper>) -> Self {
        let papers: Vec<Value> = papers.into_iter().map(|paper| paper.0).collect();
        Self(json!({
            "person": key, "birth": {"date": "1370/01/01", "calendar": "jalali"}, "nationality": "AF", "province": "IR-26",
            "name": "شکریه حسینی", "father_name": "", "household": {"id": "90002", "role": "member"}, "documents": papers,
        }))
    }

    pub fn born(mut self, date: &str) -> Self {
        self.0["birth"]["date"] = json!(date);
        self
    }

    pub fn of(mut self, nationality: &str, province: &str) -> Self {
        (self.0["nationality"], self.0["province"]) = (json!(nationality), json!(province));
        self
    }

    pub fn head(mut self) -> Self {
        self.0["household"]["role"] = json!("head");
        self
    }

    /// One line of NDJSON.
    pub fn line(&self) -> String {
        format!("{}\n", self.0)
    }
}

impl Paper {
    /// An active paper with a number of the given scheme, issued 1400/01/01.
    pub fn new(kind: &str, scheme: &str, value: &str, expires: &str) -> Self {
        Self(json!({
            "scheme": scheme, "value": value, "kind": kind, "series": null, "issued": "1400/01/01", "expires": expires,
            "calendar": "jalali", "state": "active", "legal_status": "",
        }))
    }

    /// The same under a number that says nothing of its kind.
    pub fn numbered(kind: &str, value: &str, expires: &str) -> Self {
        Self::new(kind, "amayesh-no", value, expires)
    }

    fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0[field] = value.into();
        self
    }

    pub fn series(self, series: u16) -> Self {
        self.with("series", series)
    }

    pub fn state(self, state: &str) -> Self {
        self.with("state", state)
    }

    pub fn carries(self, status: &str) -> Self {
        self.with("legal_status", status)
    }

    pub fn issued(self, date: &str) -> Self {
        self.with("issued", date)
    }

    /// The country that issued it.
    pub fn country(self, code: &str) -> Self {
        self.with("country", code)
    }

    /// RFC 3339.
    pub fn recorded(self, at: &str) -> Self {
        self.with("recorded_at", at)
    }

    /// Own states of the bank account and the SIM; empty is none.
    pub fn facets(self, bank: &str, sim: &str) -> Self {
        self.with("bank_state", bank).with("sim_state", sim)
    }
}
