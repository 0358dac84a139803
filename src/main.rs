//! The one binary: parses the command line and hands over to [`estelam::cli`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    estelam::cli::run()
}
