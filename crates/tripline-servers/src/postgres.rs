//! A real PostgreSQL server, or databases of one that the environment names.
//!
//! PostgreSQL does not run as root: started by root, it runs as the user `postgres` that its
//! package makes, or as `nobody`. A small shell waits for the end of this process, however that
//! comes, and stops the server then: a test run that is killed leaves nothing behind.

mod programs;

use std::{
    env, fs,
    io::Write,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use thiserror::Error;

use self::programs::{Programs, User};

/// Names a server that is there already, as `postgres://user:password@host:port`.
pub const EXISTING: &str = "TRIPLINE_TEST_POSTGRES";

/// The user that owns everything.
const OWNER: &str = "tripline";

/// Why there is no server.
#[derive(Debug, Error)]
pub enum PostgresServerError {
    /// A program is not installed.
    #[error(
        "{program} is missing: install the Debian package {package}, or name a server in {EXISTING}"
    )]
    Missing {
        /// The program.
        program: String,
        /// The package that it comes with.
        package: &'static str,
    },
    /// A program failed.
    #[error("{what} failed: {said}")]
    Failed {
        /// What it was to do.
        what: String,
        /// What it said.
        said: String,
    },
    /// The system failed.
    #[error("{what}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why it was not.
        #[source]
        source: std::io::Error,
    },
    /// The server is somebody else's, so that it is neither stopped nor started here.
    #[error("the server named in {EXISTING} is not stopped and started by tests")]
    NotOurs,
}

impl PostgresServerError {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}

type Result<T, E = PostgresServerError> = std::result::Result<T, E>;

/// How the server is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PostgresOptions {
    /// Whether a commit waits for the disk, as it does outside of tests. A server that is killed
    /// loses nothing either way, for the system's cache stays.
    pub durable: bool,
    /// Another address of this machine that it listens on, beside that of loopback, for everybody in
    /// its network.
    pub host: Option<Ipv4Addr>,
    /// Whether it offers TLS, with a certificate of its own for `localhost`.
    pub tls: bool,
}

/// A server that stops when the value goes.
#[derive(Debug)]
pub struct PostgresServer {
    kind: Kind,
    made: AtomicU32,
}

#[derive(Debug)]
enum Kind {
    Existing(String),
    Own(Box<Own>),
}

#[derive(Debug)]
struct Own {
    programs: Programs,
    user: Option<User>,
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    /// Closing its input stops the server.
    watcher: Child,
    watched: Option<ChildStdin>,
}

/// Stops the server and removes its folder when its input ends.
const WATCHER: &str = r#"
trap '' INT TERM
read -r _
process=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -INT "$process" 2>/dev/null
for _ in $(seq 200); do
    kill -0 "$process" 2>/dev/null || break
    sleep 0.05
done
rm -rf "$1"
"#;

impl PostgresServer {
    /// The server that the environment names, or a new one.
    #[expect(
        clippy::disallowed_methods,
        reason = "only tests use this, and a test has no configuration but its environment"
    )]
    pub fn obtain(options: PostgresOptions) -> Result<Self> {
        match env::var(EXISTING) {
            Ok(url) if !url.is_empty() => Ok(Self {
                kind: Kind::Existing(url.trim_end_matches('/').to_owned()),
                made: AtomicU32::new(0),
            }),
            _ => Self::start(options),
        }
    }

    /// A new server on a free port of loopback.
    pub fn start(options: PostgresOptions) -> Result<Self> {
        let programs = Programs::find()?;
        let user = User::instead_of_root()?;
        let folder = tempfile::Builder::new()
            .prefix("tripline-postgres-")
            .tempdir()
            .map_err(PostgresServerError::io("making the server's folder"))?;
        if let Some(user) = &user {
            user.give(folder.path())?;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .map_err(PostgresServerError::io("looking for a free port"))?
            .port();
        let data = folder.path().join("data");
        let mut make = programs.command("initdb", user.as_ref());
        make.arg("--pgdata").arg(&data).args([
            "--username",
            OWNER,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-sync",
        ]);
        programs::run("making the database cluster", &mut make)?;
        let mut addresses = "127.0.0.1".to_owned();
        if let Some(host) = options.host {
            addresses = format!("127.0.0.1,{host}");
            let file = data.join("pg_hba.conf");
            fs::OpenOptions::new()
                .append(true)
                .open(file)
                .and_then(|mut file| writeln!(file, "host all all samenet trust"))
                .map_err(PostgresServerError::io("letting other hosts in"))?;
        }
        let mut settings = vec![
            format!("listen_addresses={addresses}"),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            "max_connections=200".to_owned(),
        ];
        if !options.durable {
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        if options.tls {
            programs::make_certificate(&data, user.as_ref())?;
            settings.push("ssl=on".to_owned());
        }
        let (watcher, watched) = watch(folder.path())?;
        let own = Own {
            programs,
            user,
            folder,
            port,
            settings,
            watcher,
            watched,
        };
        own.start()?;
        Ok(Self {
            kind: Kind::Own(Box::new(own)),
            made: AtomicU32::new(0),
        })
    }

    /// Kills all processes of the server at once, as a crash would; its data stays.
    pub fn kill(&self) -> Result<()> {
        let own = self.own()?;
        let file = own.data().join("postmaster.pid");
        let text = fs::read_to_string(&file)
            .map_err(PostgresServerError::io("reading the server's process id"))?;
        let first = text.lines().next().unwrap_or_default().to_owned();
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"))
            .map_err(PostgresServerError::io("reading the server's processes"))?;
        let mut all = vec![first.as_str()];
        all.extend(children.split_whitespace());
        // One that has just ended by itself is no failure.
        let _ = programs::run(
            "killing the server",
            Command::new("kill").arg("-KILL").args(&all),
        );
        while all.iter().any(|process| programs::is_running(process)) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        // Where nobody collects ended processes, the next server would take this one for running.
        fs::remove_file(&file).map_err(PostgresServerError::io("removing the process id"))
    }

    /// Stops the server in order; connections are closed.
    pub fn stop(&self) -> Result<()> {
        let own = self.own()?;
        let mut stop = own.programs.command("pg_ctl", own.user.as_ref());
        stop.args(["stop", "--mode", "fast", "--wait", "--pgdata"])
            .arg(own.data());
        programs::run("stopping the server", &mut stop)
    }

    /// Starts the server that was killed or stopped, on the same port.
    pub fn restart(&self) -> Result<()> {
        self.own()?.start()
    }

    /// Makes an empty database, which goes with the value.
    pub fn database(&self) -> Result<Database<'_>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("tripline_test_{}_{number}", std::process::id());
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        )?;
        Ok(Database { server: self, name })
    }

    /// Runs statements in a database with `psql` and tells what they answered, one row a line.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = match &self.kind {
            Kind::Own(own) => own.programs.command("psql", None),
            Kind::Existing(_) => Programs::client(),
        };
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname"])
            .arg(self.url(database))
            .args(["--command", statements]);
        programs::answer("running SQL with psql", &mut psql)
    }

    /// The address of a database of the server.
    pub fn url(&self, database: &str) -> String {
        match &self.kind {
            Kind::Existing(url) => format!("{url}/{database}"),
            Kind::Own(own) => format!("postgres://{OWNER}@127.0.0.1:{}/{database}", own.port),
        }
    }

    /// The certificate that the server's own is to be checked with, when it was started with TLS.
    pub fn certificate(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Own(own) => Some(own.data().join("server.crt")).filter(|file| file.exists()),
            Kind::Existing(_) => None,
        }
    }

    fn own(&self) -> Result<&Own> {
        match &self.kind {
            Kind::Own(own) => Ok(own),
            Kind::Existing(_) => Err(PostgresServerError::NotOurs),
        }
    }
}

impl Own {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn start(&self) -> Result<()> {
        let settings: Vec<_> = self
            .settings
            .iter()
            .map(|set| format!("-c {set}"))
            .collect();
        let mut start = self.programs.command("pg_ctl", self.user.as_ref());
        start
            .args(["start", "--wait", "--timeout", "60", "--pgdata"])
            .arg(self.data())
            .arg("--log")
            .arg(self.folder.path().join("log"))
            .arg("--options")
            .arg(settings.join(" "));
        programs::run("starting the server", &mut start).map_err(|error| match error {
            PostgresServerError::Failed { what, said } => {
                let log = fs::read_to_string(self.folder.path().join("log"));
                let said = format!("{said}\n{}", log.unwrap_or_default());
                PostgresServerError::Failed { what, said }
            }
            other => other,
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.watched.take();
        // There is nobody to tell.
        let _ = self.watcher.wait();
    }
}

fn watch(folder: &Path) -> Result<(Child, Option<ChildStdin>)> {
    let mut watcher = Command::new("sh")
        .args(["-c", WATCHER, "sh"])
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(PostgresServerError::io("starting the shell that watches"))?;
    let watched = watcher.stdin.take();
    Ok((watcher, watched))
}

/// An empty database that is dropped with the value.
#[derive(Debug)]
pub struct Database<'a> {
    server: &'a PostgresServer,
    name: String,
}

impl Database<'_> {
    /// Its address.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements in it; see [`PostgresServer::sql`].
    pub fn sql(&self, statements: &str) -> Result<String> {
        self.server.sql(&self.name, statements)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // A server of our own goes with all its databases.
        if matches!(self.server.kind, Kind::Existing(_)) {
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            let _ = self.server.sql("postgres", &drop);
        }
    }
}

#[cfg(test)]
mod tests;
