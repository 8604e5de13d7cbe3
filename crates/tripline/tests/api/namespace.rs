//! A network namespace of a test's own: nothing that is sent in it leaves it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A network namespace with a loopback interface, removed when it is dropped.
pub(crate) struct Namespace(String);

impl Namespace {
    /// `None`, and a word about it, on a machine that does not allow it. Where every check has to
    /// run, root must be able to.
    pub(crate) fn new(test: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tripline-test-{}-{number}", std::process::id());
        let made = ip(&["netns", "add", &name]);
        if made.as_ref().is_ok_and(|output| output.status.success()) {
            let namespace = Self(name);
            namespace.ip(&["link", "set", "lo", "up"]);
            return Some(namespace);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "tests have no other place for settings"
        )]
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        let is_root = std::fs::read_to_string("/proc/self/status")
            .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")));
        assert!(
            !(is_ci && is_root),
            "root cannot make a network namespace: {made:?}"
        );
        eprintln!("skipped: {test} needs a network namespace, which takes root and `ip`: {made:?}");
        None
    }

    /// Changes the network of the namespace.
    pub(crate) fn ip(&self, arguments: &[&str]) {
        let output = ip(&[&["-n", self.0.as_str()], arguments].concat()).unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// A command that runs inside.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Runs a test of this binary inside, with its task in the environment.
    pub(crate) fn run_test(&self, test: &str, variable: &str, task: &str) {
        let binary = std::env::current_exe().unwrap();
        let output = self
            .command(binary.to_str().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(variable, task)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Whoever is still inside keeps it alive, and nobody else sees it.
        let _ = ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("ip").args(arguments).output()
}

/// `tripline watch` in a namespace, killed when it is dropped.
pub(crate) struct Watching {
    child: Child,
    errors: BufReader<ChildStderr>,
    pub(crate) lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watching {
    /// Starts it and waits until frames are taken.
    pub(crate) fn start(namespace: &Namespace, arguments: &[&str]) -> Self {
        let mut child = namespace
            .command(env!("CARGO_BIN_EXE_tripline"))
            .arg("watch")
            .args(arguments)
            .arg("--models-dir")
            .arg(crate::harness::shipped_models())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert!(line.contains(": watching "), "{line}");
        Self {
            child,
            errors,
            lines,
        }
    }

    /// Asks it to stop as a service manager does.
    pub(crate) fn terminate(&self) {
        terminate(self.child.id());
    }

    /// What is left on both outputs, and the exit code.
    pub(crate) fn end(mut self) -> (Vec<String>, String, Option<i32>) {
        let lines = self.lines.by_ref().map(Result::unwrap).collect();
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).unwrap();
        (lines, errors, self.child.wait().unwrap().code())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGTERM to a process that this test has started.
pub(crate) fn terminate(process: u32) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -TERM {process}")])
        .status()
        .unwrap();
    assert!(status.success());
}
