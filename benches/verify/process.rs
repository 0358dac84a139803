//! Child processes: bound to a processor, ended with the bench, never left behind.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cpu;
use crate::fault::{Doing, Fault};

/// How long a child may take to leave after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A running child that is stopped when this value goes.
pub struct Guarded {
    child: Child,
}

impl Guarded {
    /// The child's process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line that the child prints.
    pub fn first_line(&mut self) -> Result<String, Fault> {
        let output = self.child.stdout.take().doing("reading from a child")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).doing("reading from a child")?;
        Ok(line.trim().to_owned())
    }

    /// Whether the child has ended, and how.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    fn wait_at_most(&mut self, limit: Duration) -> bool {
        let since = Instant::now();
        while since.elapsed() < limit {
            if self.ended().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        if !(asked && self.wait_at_most(GRACE)) {
            _ = self.child.kill();
            _ = self.child.wait();
        }
    }
}

/// Starts another part of this very executable.
pub fn start_self(cpu: Option<usize>, arguments: &[&str]) -> Result<Guarded, Fault> {
    let mut command = pinned(cpu, &own_path()?, arguments)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(Guarded { child: command.spawn().doing("starting a part of the bench")? })
}

/// Starts a server whose output goes to `log`.
pub fn start_server(cpu: Option<usize>, program: &Path, arguments: &[&str], log: &Path) -> Result<Guarded, Fault> {
    let output = std::fs::File::create(log).doing("creating the server's log")?;
    let errors = output.try_clone().doing("creating the server's log")?;
    let program = program.to_str().doing("the path of the gateway, as text")?;
    let mut command = pinned(cpu, program, arguments)?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    Ok(Guarded { child: command.spawn().doing("starting the gateway")? })
}

/// Runs another part of this executable to its end, feeding it `input`; gives its output.
pub fn run_self(cpu: Option<usize>, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut command = pinned(cpu, &own_path()?, arguments)?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().doing("starting a part of the bench")?;
    child.stdin.take().doing("feeding a part of the bench")?.write_all(input).doing("feeding a part of the bench")?;
    let output = child.wait_with_output().doing("waiting for a part of the bench")?;
    if output.status.success() { Ok(output.stdout) } else { Err(Fault::new(format!("a part of the bench ended with {}", output.status))) }
}

fn own_path() -> Result<String, Fault> {
    Ok(std::env::current_exe().doing("finding this executable")?.to_string_lossy().into_owned())
}

/// The command by way of `Part::Pinned`: a process can only be bound from its first thread on if it binds itself.
fn pinned(cpu: Option<usize>, program: &str, arguments: &[&str]) -> Result<Command, Fault> {
    let Some(cpu) = cpu else {
        let mut command = Command::new(program);
        command.args(arguments);
        return Ok(command);
    };
    let mut command = Command::new(own_path()?);
    command.args(["pinned", "--cpu", &cpu.to_string(), "--", program]).args(arguments);
    Ok(command)
}

/// Binds this process to a processor, asks the system to end it together with the bench, and becomes `command`.
///
/// Only comes back with the reason why that failed.
pub fn become_pinned(cpu: usize, command: &[String]) -> Fault {
    let prepared = cpu::bind_to(cpu).and_then(|()| end_with_parent());
    match (prepared, command.split_first()) {
        (Err(fault), _) => fault,
        (Ok(()), Some((program, arguments))) => {
            Fault::new(format!("starting `{program}`: {}", Command::new(program).args(arguments).exec()))
        }
        (Ok(()), None) => Fault::new("nothing to start"),
    }
}

#[cfg(target_os = "linux")]
fn end_with_parent() -> Result<(), Fault> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).doing("tying a child to the bench")
}

#[cfg(not(target_os = "linux"))]
const fn end_with_parent() -> Result<(), Fault> {
    Ok(())
}

/// Ends this process when `limit` has passed; its children end with it.
pub fn limit_own_time(limit: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        eprintln!("bench: gave up after {} s", limit.as_secs());
        std::process::exit(1);
    });
}
