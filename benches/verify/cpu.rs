//! Processors: which ones we may use, binding to one, and the processor time that a server has used.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::fault::{Doing, Fault};

/// The processors of server and load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// The server's.
    pub server: Option<usize>,
    /// The load generator's.
    pub load: Option<usize>,
}

/// Picks one processor for the server and another for the load; none where there is no second one.
pub fn places() -> Places {
    match *allowed().as_slice() {
        [server, load, ..] => Places { server: Some(server), load: Some(load) },
        _ => Places { server: None, load: None },
    }
}

#[cfg(target_os = "linux")]
fn allowed() -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
}

#[cfg(not(target_os = "linux"))]
const fn allowed() -> Vec<usize> {
    Vec::new()
}

/// Binds this process (threads started from now on included) to one processor.
#[cfg(target_os = "linux")]
pub fn bind_to(cpu: usize) -> Result<(), Fault> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).doing("binding to a processor")
}

/// Binds this process to one processor: not possible here.
#[cfg(not(target_os = "linux"))]
pub fn bind_to(_cpu: usize) -> Result<(), Fault> {
    Err(Fault::new("binding to a processor is only known for linux"))
}

/// Processor time, user and system, that a process and its descendants have used so far, ended threads included.
///
/// The clock ticks of `/proc/PID/stat` (10 ms) are fine enough for windows of a second and more.
pub fn used_by(root: u32) -> Result<Duration, Fault> {
    let processes: HashMap<u32, Usage> = fs::read_dir("/proc")
        .doing("reading /proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Usage::of(pid)?)))
        .collect();
    if !processes.contains_key(&root) {
        return Err(Fault::new("the server under test has ended"));
    }
    let ticks: u64 = processes.iter().filter(|(pid, _)| descends(**pid, root, &processes)).map(|(_, usage)| usage.ticks).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn descends(pid: u32, root: u32, processes: &HashMap<u32, Usage>) -> bool {
    std::iter::successors(Some(pid), |pid| processes.get(pid).map(|usage| usage.parent)).any(|ancestor| ancestor == root)
}

struct Usage {
    parent: u32,
    ticks: u64,
}

impl Usage {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// proc_pid_stat(5): the name in brackets may hold anything, the fields after it are state, parent, …, utime (14), stime (15).
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self { parent: u32::try_from(number(4)?).ok()?, ticks: number(14)? + number(15)? })
    }
}
