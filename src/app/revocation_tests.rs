//! What the radar tells: of lists that grow old, in the log and in the metrics, and of certificates that are about to end.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::sync::Mutex;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::*;
use crate::adapters::clock::ManualClock;
use crate::adapters::cutoff::Thumbprint;
use crate::adapters::enrolment::Enrolled;

/// Lines of the log, one after the other.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

/// Does something, with a recorder of its own.
fn measured(work: impl FnOnce(&PrometheusHandle)) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || work(&handle));
}

#[test]
fn lists_that_grow_old_are_told_when_it_begins_and_every_hour_and_counted_once_they_are_past_their_date() {
    let lines = Lines::default();
    let written = lines.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || written.clone()).finish();
    let counted = |metrics: &PrometheusHandle, alarm: &str, times: u64| {
        let line = format!("estelam_alarms_total{{alarm=\"{alarm}\"}} {times}");
        assert_eq!(metrics.render().lines().any(|one| one == line), times > 0, "{line}: {}", metrics.render());
    };
    tracing::subscriber::with_default(log, || {
        measured(|metrics| {
            let mut alarm = Alarm::default();
            alarm.tell(Assurance::Current, false);
            assert_eq!(lines.take(), "");
            alarm.tell(Assurance::Current, true);
            let said = lines.take();
            assert!(said.contains("WARN") && said.contains("past half of its life"), "{said}");
            assert!(!metrics.render().contains("estelam_alarms_total"), "a notice is no alarm");
            for (assurance, name) in [(Assurance::Grace, "revocation-lists-grace"), (Assurance::Overdue, "revocation-lists-overdue")] {
                alarm.tell(assurance, true);
                let said = lines.take();
                assert!(said.contains("ERROR") && said.contains(name) && said.contains("bring newer ones"), "{said}");
                counted(metrics, name, 1);
                for _ in 1..REPEAT_AFTER {
                    alarm.tell(assurance, true);
                }
                assert_eq!(lines.take(), "", "nothing new");
                alarm.tell(assurance, true);
                assert!(lines.take().contains(name));
                counted(metrics, name, 2);
            }
            alarm.tell(Assurance::Current, false);
            assert_eq!(lines.take(), "");
            alarm.tell(Assurance::Grace, true);
            counted(metrics, "revocation-lists-grace", 3);
        });
    });
}

#[test]
fn a_certificate_that_is_cut_off_here_does_not_hide_the_end_of_the_one_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let at = |day: i64| Timestamp::from_second(day * 24 * 3600).unwrap();
    let enrolled = |byte: u8, end: i64| Enrolled {
        sha256: String::from(Thumbprint([byte; 32])),
        serial: format!("{byte:02x}"),
        key_sha256: None,
        unit: None,
        not_before: at(0),
        not_after: at(end),
        enrolled_at: at(0),
        ended_at: None,
    };
    // Two overlap, as in a rotation; the newer one turns out to be in the wrong hands.
    let mut register = Register { certificates: vec![enrolled(1, 20), enrolled(2, 90)], ..Register::default() };
    register.save(dir.path(), "bank").unwrap();
    let mut cut = CutOffList::default();
    let shown = |cut: &CutOffList| {
        let mut text = String::new();
        measured(|metrics| {
            certificates((&[], Vec::new()), dir.path(), cut, &clock);
            text = metrics.render();
        });
        text
    };
    let ends = |text: &str, day: i64| text.contains(&format!("name=\"bank\"}} {}\n", at(day).as_second()));
    let near = |text: &str, number: u8| text.contains(&format!("estelam_certificates_expiring{{within=\"30d\"}} {number}\n"));
    let text = shown(&cut);
    assert!(ends(&text, 90) && near(&text, 0), "{text}");
    cut.cut_certificate([2; 32], at(1));
    let text = shown(&cut);
    assert!(ends(&text, 20) && near(&text, 1), "{text}");
}
