//! `make bench`: the whole verify path beside a bare TLS server (the floor), in one sitting.
//!
//! The executable plays every part but the gateway: it starts copies of itself as the floor server and as the load generator, each
//! pinned to a processor of its own, and alternates rounds between the floor and the real gateway. See `rounds` for the order.

mod against;
mod baseline;
mod cli;
mod cpu;
mod fault;
mod floor;
mod gateway;
mod lanes;
mod load;
mod pki;
mod process;
mod report;
mod rounds;
mod target;
mod wire;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Part};
use fault::Fault;

/// The gateway's allocator, so that the floor and the gateway differ in their work alone.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Fault> {
    match cli.part {
        Some(Part::FloorServer(options)) => floor::serve(&options),
        Some(Part::Load) => load::run_from_stdin(),
        Some(Part::Pinned { cpu, command }) => Err(process::become_pinned(cpu, &command)),
        None => {
            let plan = cli.plan.with_environment();
            process::limit_own_time(plan.time_limit());
            match &plan.against {
                Some(other) => against::run(&plan, other),
                None if plan.lanes => lanes::run(&plan),
                None => rounds::run(&plan),
            }
        }
    }
}
