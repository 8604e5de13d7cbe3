use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{PostgresServerError, Result};

/// Names a folder with PostgreSQL's programs.
const FOLDER: &str = "TRIPLINE_POSTGRES_BIN";

/// Where PostgreSQL's programs are.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// In the folder that the environment names, where Debian puts the newest version, or in the
    /// folders of the search path.
    pub(super) fn find() -> Result<Self> {
        let named = env::var_os(FOLDER).map(PathBuf::from);
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = match named {
            Some(folder) => vec![folder],
            None => debian()
                .into_iter()
                .chain(env::split_paths(&path))
                .collect(),
        };
        folders
            .into_iter()
            .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
            .map(|folder| Self { folder })
            .ok_or_else(|| PostgresServerError::Missing {
                program: "initdb".to_owned(),
                package: "postgresql",
            })
    }

    pub(super) fn command(&self, program: &str, user: Option<&User>) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir("/");
        if let Some(user) = user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// `psql` of the search path, for a server elsewhere.
    pub(super) fn client() -> Command {
        Command::new("psql")
    }
}

/// Debian's folders of programs, the newest version first.
fn debian() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|one, other| other.cmp(one));
    versions.into_iter().map(|version| version.1).collect()
}

/// Who runs the server when this process is root.
#[derive(Debug)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    pub(super) fn instead_of_root() -> Result<Option<Self>> {
        let me = answer("asking who this process is", Command::new("id").arg("-u"))?;
        if me != "0" {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd")
            .map_err(PostgresServerError::io("reading the list of users"))?;
        let find = |name: &str| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let is_it = fields.next() == Some(name);
                let uid = fields.nth(1)?.parse().ok()?;
                let gid = fields.next()?.parse().ok()?;
                is_it.then_some(Self { uid, gid })
            })
        };
        find("postgres")
            .or_else(|| find("nobody"))
            .map(Some)
            .ok_or_else(|| PostgresServerError::Failed {
                what: "looking for a user that is not root".to_owned(),
                said: "neither postgres nor nobody is in /etc/passwd".to_owned(),
            })
    }

    pub(super) fn give(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(PostgresServerError::io(format!(
            "giving {} to the server's user",
            path.display()
        )))
    }
}

/// Whether a process is there and has not ended.
pub(super) fn is_running(process: &str) -> bool {
    // The state stands after the name, which may hold anything but ends with the last bracket.
    fs::read_to_string(format!("/proc/{process}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(')').map(|parts| parts.1.trim().to_owned()))
        .is_some_and(|rest| !rest.starts_with(['Z', 'X']))
}

/// Makes a certificate for `localhost` that signs itself.
pub(super) fn make_certificate(data: &Path, user: Option<&User>) -> Result<()> {
    let mut make = Command::new("openssl");
    make.current_dir(data)
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-keyout", "server.key", "-out", "server.crt"])
        .args(["-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    if let Some(user) = user {
        make.uid(user.uid).gid(user.gid);
    }
    run("making a certificate with openssl", &mut make)
}

pub(super) fn run(what: &str, command: &mut Command) -> Result<()> {
    // The server keeps what it inherits: a pipe would never end.
    let log = tempfile::tempfile().map_err(PostgresServerError::io(what))?;
    let said = |log: &fs::File| {
        use std::io::{Read, Seek};
        let mut text = String::new();
        let mut log = log;
        let _ = log.rewind();
        let _ = log.read_to_string(&mut text);
        text.trim().to_owned()
    };
    let outputs = [log.try_clone(), log.try_clone()];
    let [output, errors] = outputs.map(|file| file.map_err(PostgresServerError::io(what)));
    let status = command
        .stdin(Stdio::null())
        .stdout(output?)
        .stderr(errors?)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(PostgresServerError::Failed {
            what: what.to_owned(),
            said: said(&log),
        }),
        Err(error) => Err(missing(what, command, error)),
    }
}

pub(super) fn answer(what: &str, command: &mut Command) -> Result<String> {
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => return Err(missing(what, command, error)),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(PostgresServerError::Failed {
        what: what.to_owned(),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn missing(what: &str, command: &Command, error: std::io::Error) -> PostgresServerError {
    if error.kind() != std::io::ErrorKind::NotFound {
        return PostgresServerError::io(what)(error);
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let package = match program.as_str() {
        "openssl" => "openssl",
        "psql" => "postgresql-client",
        _ => "postgresql",
    };
    PostgresServerError::Missing { program, package }
}
