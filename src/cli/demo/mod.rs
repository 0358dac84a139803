//! `estelam demo`: the whole system on one machine, with a registry process of its own behind the gateway.

mod child;
mod install;
mod once;

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use self::child::RegistryChild;
use self::install::{NUMBER, QUERY};
use super::place::{DemoFile, write_atomically};
use super::{CliError, Failure, block_on};
use crate::adapters::clock::SteadyClock;
use crate::app::{self, Listeners, Observability, Running};
use crate::config::{Config, template};

/// Seconds between the demo's checkpoints (contract §6).
const CHECKPOINT_EVERY_S: u64 = 1;

/// Run the whole system on this machine, with everything it needs.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Folder of the demo; made if missing, kept for the next start
    #[arg(long, default_value = "var/demo")]
    dir: PathBuf,
    /// First of four ports; 0 takes free ones
    #[arg(long, default_value_t = 8443, value_parser = clap::value_parser!(u16).range(..=i64::from(u16::MAX - 3)))]
    port: u16,
    /// Ask one real query end to end, print the answer, check its signature and its record, stop
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let observability = Observability::install().doing("cannot set up logging")?;
        let prepared = self.prepare()?;
        block_on(self.serve(prepared, observability))
    }

    /// Takes the folder and the ports for this process and puts into the folder what is missing.
    fn prepare(&self) -> Result<Prepared, CliError> {
        let dir = &self.dir;
        std::fs::create_dir_all(dir).doing(format_args!("cannot make the folder `{}`; choose another with `--dir`", dir.display()))?;
        let dir = dir.canonicalize().doing(format_args!("cannot find `{}`", dir.display()))?;
        let alone = alone(&dir)?;
        let (listeners, registry_port) = self.bind()?;
        let _ = std::fs::remove_file(dir.join("demo.json"));
        install::everything(&dir)?;
        Ok(Prepared { dir, listeners, registry_port, _alone: alone })
    }

    async fn serve(self, prepared: Prepared, observability: Observability) -> Result<ExitCode, CliError> {
        let Prepared { dir, listeners, registry_port, _alone } = prepared;
        let gateway = listeners.gateway.local_addr().doing("a listener has no address")?;
        let registry = RegistryChild::start(&dir, registry_port, &format!("https://localhost:{}", gateway.port()))?;
        let config = configure(&dir, &listeners, registry.port())?;
        let places = places(&config, &dir, registry.port())?;
        let running =
            app::start(config, listeners, Arc::new(SteadyClock::start()), observability).await.doing("the gateway does not start")?;
        running.until_ready().await.doing("the gateway does not get ready")?;
        let outcome = if self.once {
            places.write(&dir)?;
            once::ask(&dir).await
        } else {
            // Before it: whoever finds the file may stop the demo.
            let told_to_stop = app::StopSignal::listen().doing("cannot wait for a signal")?;
            places.write(&dir)?;
            stay(&dir, &places, told_to_stop).await
        };
        stop(running, registry, &dir).await;
        outcome.map(|()| ExitCode::SUCCESS)
    }

    fn bind(&self) -> Result<(Listeners, u16), CliError> {
        let bind = |offset: u16| {
            let port = if self.port == 0 { 0 } else { self.port.saturating_add(offset) };
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .doing(format_args!("port {port} is not free; choose another with `--port`, or `--port 0`"))
        };
        let listeners = Listeners { gateway: bind(0)?, public: bind(1)?, ops: bind(2)? };
        // The registry's process binds the last one itself; whether it can is better known before everything else is made.
        drop(bind(3)?);
        Ok((listeners, if self.port == 0 { 0 } else { self.port.saturating_add(3) }))
    }
}

async fn stay(dir: &Path, places: &DemoFile, mut told_to_stop: app::StopSignal) -> Result<(), CliError> {
    println!("{}", how_to_ask(dir, places));
    let lists = tokio::spawn(install::keep_lists_fresh(dir.join("pki")));
    told_to_stop.came().await;
    lists.abort();
    Ok(())
}

/// What a demo has before anything runs.
struct Prepared {
    dir: PathBuf,
    listeners: Listeners,
    /// 0 takes a free one.
    registry_port: u16,
    /// Held until the end.
    _alone: File,
}

/// Holds the folder until the process ends: a second demo would write over the files of the first.
fn alone(dir: &Path) -> Result<File, CliError> {
    let path = dir.join("demo.lock");
    if !path.exists() && dir.join("estelam.toml").exists() {
        return Err(CliError::failed(format_args!(
            "`{}` is an installation, and the demo would write its own configuration over it; choose another folder with `--dir`, or run `estelam serve`",
            dir.display()
        )));
    }
    let lock = File::create(&path).doing(format_args!("cannot write `{}`", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(CliError::failed(format_args!(
            "a demo runs in `{}` already; stop it first, or choose another folder with `--dir`",
            dir.display()
        ))),
        Err(TryLockError::Error(error)) => Err(CliError::failed(format_args!("cannot lock `{}`: {error}", path.display()))),
    }
}

/// The demo owns its configuration file: its addresses change with every start on free ports. Only outside issuers that somebody added at
/// its end are kept.
fn configure(dir: &Path, listeners: &Listeners, registry_port: u16) -> Result<Config, CliError> {
    let address = |listener: &TcpListener| listener.local_addr().doing("a listener has no address");
    let text =
        template(address(&listeners.gateway)?, address(&listeners.public)?, address(&listeners.ops)?, registry_port, CHECKPOINT_EVERY_S);
    let path = dir.join("estelam.toml");
    let text = text + &added_issuers(&path);
    write_atomically(&path, text.as_bytes())?;
    Config::parse(&text, &path).doing("the demo's configuration")
}

fn added_issuers(path: &Path) -> String {
    const FIRST: &str = "\n[[issuers]]";
    let before = std::fs::read_to_string(path).unwrap_or_default();
    before.find(FIRST).and_then(|start| before.get(start..)).map(str::to_owned).unwrap_or_default()
}

fn places(config: &Config, dir: &Path, registry_port: u16) -> Result<DemoFile, CliError> {
    let inside = |path: &Path| path.strip_prefix(dir).unwrap_or(path).to_owned();
    let agencies = install::AGENCIES.iter().map(|name| ((*name).to_owned(), install::agency_files(name))).collect();
    Ok(DemoFile {
        gateway: config.issuer.clone(),
        public: format!("https://localhost:{}", config.listen.public.port()),
        ops: format!("http://{}", config.listen.ops),
        registry: format!("https://localhost:{registry_port}"),
        ca: inside(&config.tls.client_ca),
        agencies,
    })
}

async fn stop(running: Running, registry: RegistryChild, dir: &Path) {
    let _ = std::fs::remove_file(dir.join("demo.json"));
    running.stop().await;
    registry.stop();
}

fn how_to_ask(dir: &Path, places: &DemoFile) -> String {
    let dir = dir.display();
    let program = std::env::current_exe().map_or_else(|_| "estelam".to_owned(), |path| path.display().to_string());
    format!(
        r#"estelam is running; stop it with Ctrl-C.

  gateway   {gateway}   (agencies, mutual TLS)
  public    {public}   (keys, checkpoints; a page that checks receipts: {public}/receipt)
  ops       {ops}    (health, metrics)
  registry  {registry}   (a process of its own)

Ask as a bank about an Amayesh 17 card whose printed date is long over:

  {program} verify --dir {dir} --as bank --scheme amayesh-no --service bank-card \
    --purpose account-maintenance --actor teller-17 --birth-year 1370 --lang fa < {dir}/registry/{NUMBER}

The same with curl:

  TOKEN=$({program} token --dir {dir} --as bank)
  curl --cacert {dir}/pki/ca.pem --cert {dir}/pki/bank/cert.pem --key {dir}/pki/bank/key.pem \
    -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d @{dir}/registry/{QUERY} {gateway}/v1/verify
"#,
        gateway = places.gateway,
        public = places.public,
        ops = places.ops,
        registry = places.registry,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn second_demo_in_one_folder_is_refused_and_leaves_the_first_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let running = alone(dir.path()).unwrap();
        std::fs::write(dir.path().join("demo.json"), "{}").unwrap();
        let second = Demo { dir: dir.path().to_owned(), port: 0, once: false }.prepare().map(drop).unwrap_err();
        assert!(second.to_string().contains("a demo runs in"), "{second}");
        assert!(dir.path().join("demo.json").exists());
        drop(running);
        assert!(alone(dir.path()).is_ok());
    }

    #[test]
    fn installation_is_not_turned_into_a_demo() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("estelam.toml"), "mine").unwrap();
        let error = Demo { dir: dir.path().to_owned(), port: 0, once: false }.prepare().map(drop).unwrap_err();
        assert!(error.to_string().contains("is an installation"), "{error}");
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["estelam.toml"], "nothing was made there");
    }

    #[test]
    fn taken_port_is_said_before_anything_is_made() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let last = taken.local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let error = Demo { dir: dir.path().to_owned(), port: last - 3, once: false }.prepare().map(drop).unwrap_err();
        assert!(error.to_string().contains("is not free; choose another with `--port`"), "{error}");
        assert!(!dir.path().join("pki").exists());
    }
}
