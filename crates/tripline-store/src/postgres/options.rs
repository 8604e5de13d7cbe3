use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use crate::{Result, StoreError};

/// How a PostgreSQL store is run. What is shown of it never has the password.
#[derive(Clone)]
pub struct PostgresOptions {
    pub(super) config: Config,
    /// A file of certificates in PEM form that the server's is checked with, instead of those that
    /// the system trusts; `sslrootcert` of the address.
    pub root_certificate: Option<PathBuf>,
    /// The schema of the database that everything lies in. It is made if there is none.
    pub schema: String,
    /// The most connections at a time; further calls wait for their turn.
    pub connections: usize,
    /// How long to try to connect to an address.
    pub connect_timeout: Duration,
    /// How long a statement may take; retention and migrations are given more.
    pub statement_timeout: Duration,
    /// How long to wait for a lock that another connection holds.
    pub lock_timeout: Duration,
    /// The stretch of time whose verdicts lie in one table, and go together: a verdict stays up to
    /// this much longer than the retention says. Chosen when the schema is made; a whole number of
    /// seconds. PostgreSQL locks every table that a list may have to look into, so there should not
    /// be more than a few hundred: a year of verdicts has room in weeks rather than in days.
    pub partition: Duration,
}

impl PostgresOptions {
    /// Takes an address as PostgreSQL's own programs do: `postgres://user:password@host:port/name`,
    /// with `sslmode`, `sslrootcert` and further parameters behind a question mark.
    ///
    /// Without `sslmode`, a server that is not on this machine has to speak TLS. With TLS its
    /// certificate is always checked.
    pub fn new(address: &str) -> Result<Self> {
        // What a parser says of a bad address may quote a part of the password.
        let bad = || {
            StoreError::invalid(
                "address of the database",
                "not one",
                "postgres://user:password@host:port/name",
            )
        };
        let (address, parameters) = split(address);
        let mut config = Config::from_str(&address).map_err(|_| bad())?;
        let mut root_certificate = None;
        let mut mode = None;
        for (key, value) in parameters {
            match key.as_str() {
                "sslrootcert" => root_certificate = Some(PathBuf::from(value)),
                _ => mode = Some(value),
            }
        }
        let is_local = config.get_hosts().iter().all(is_local);
        config.ssl_mode(match mode.as_deref() {
            Some("disable") => SslMode::Disable,
            Some("prefer" | "allow") => SslMode::Prefer,
            None if is_local => SslMode::Prefer,
            None | Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(other) => {
                let expected = "disable, prefer, require or verify-full";
                return Err(StoreError::invalid("sslmode", other, expected));
            }
        });
        if config.get_application_name().is_none() {
            config.application_name("tripline");
        }
        if config.get_hosts().is_empty() {
            return Err(bad());
        }
        Ok(Self {
            config,
            root_certificate,
            schema: "tripline".to_owned(),
            connections: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            partition: Duration::from_hours(24),
        })
    }

    /// Names the database without the user and the password.
    pub fn place(&self) -> String {
        let ports = self.config.get_ports();
        let hosts: Vec<_> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(index, host)| {
                let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
                match host {
                    Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                    Host::Tcp(name) => format!("{name}:{port}"),
                    Host::Unix(folder) => format!("{}:{port}", folder.display()),
                }
            })
            .collect();
        let database = self.config.get_dbname().or(self.config.get_user());
        format!(
            "postgres://{}/{}",
            hosts.join(","),
            database.unwrap_or_default()
        )
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresOptions")
            .field("place", &self.place())
            .field("root_certificate", &self.root_certificate)
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("connect_timeout", &self.connect_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

/// Takes what the client does not know, or knows less of, out of the parameters of an address.
fn split(address: &str) -> (String, Vec<(String, String)>) {
    let is_ours = |name: &str| matches!(name, "sslmode" | "sslrootcert");
    let mut taken = Vec::new();
    let mut kept = Vec::new();
    if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
        for part in address.split_whitespace() {
            match part.split_once('=') {
                Some((name, value)) if is_ours(name) => {
                    taken.push((name.to_owned(), value.trim_matches('\'').to_owned()));
                }
                _ => kept.push(part),
            }
        }
        // Values with spaces are left as they were.
        return if taken.is_empty() {
            (address.to_owned(), taken)
        } else {
            (kept.join(" "), taken)
        };
    }
    let Some((base, parameters)) = address.split_once('?') else {
        return (address.to_owned(), taken);
    };
    for part in parameters.split('&') {
        match part.split_once('=') {
            Some((name, value)) if is_ours(name) => {
                taken.push((name.to_owned(), unescaped(value)));
            }
            _ => kept.push(part),
        }
    }
    let mut address = base.to_owned();
    if !kept.is_empty() {
        address.push('?');
        address.push_str(&kept.join("&"));
    }
    (address, taken)
}

/// Undoes percent encoding; what is none stays.
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, place: &str, mode: SslMode) {
        let options = PostgresOptions::new(address).unwrap();
        assert_eq!(options.place(), place);
        assert_eq!(options.config.get_ssl_mode(), mode);
        let shown = format!("{options:?} {}", options.place());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn an_address_is_named_without_its_password() {
        check(
            "postgres://ada:secret@localhost/flows",
            "postgres://localhost:5432/flows",
            SslMode::Prefer,
        );
        check(
            "postgresql://ada:secret@db.example:6000/flows?sslmode=verify-full&connect_timeout=3",
            "postgres://db.example:6000/flows",
            SslMode::Require,
        );
        check(
            "host=10.0.0.1 user=ada password=secret dbname=flows sslmode=disable",
            "postgres://10.0.0.1:5432/flows",
            SslMode::Disable,
        );
        check(
            "postgres://ada:secret@a:1,b:2",
            "postgres://a:1,b:2/ada",
            SslMode::Require,
        );
    }

    #[test]
    fn certificates_are_taken_from_the_address() {
        let options =
            PostgresOptions::new("postgres://db/flows?sslrootcert=/etc/my%20ca.pem").unwrap();
        assert_eq!(options.root_certificate, Some("/etc/my ca.pem".into()));
    }

    #[test]
    fn a_bad_address_is_refused_without_quoting_it() {
        for address in [
            "",
            "secret",
            "postgres://",
            "postgres://ada:secret@host:notaport/x",
            "mysql://ada:secret@host/x",
        ] {
            let refused = PostgresOptions::new(address).unwrap_err();
            let shown = format!("{refused} {refused:?}");
            assert!(!shown.contains("secret"), "{shown}");
        }
        // As PostgreSQL's own programs take it: a question mark that is a part of the password.
        let taken = PostgresOptions::new("postgres://ada:sec?secret=1@host/x").unwrap();
        let shown = format!("{taken:?} {}", taken.place());
        assert!(!shown.contains("secret"), "{shown}");
        let refused = PostgresOptions::new("postgres://host/x?sslmode=maybe").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "sslmode is maybe, expected disable, prefer, require or verify-full"
        );
    }
}
