//! Workers on another host: a network namespace with a cable that can be cut.

use std::{
    net::Ipv4Addr,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

/// A host beside this one, removed when it is dropped.
pub(crate) struct Host {
    name: String,
    cable: String,
    /// This side of the cable.
    pub(crate) here: Ipv4Addr,
    /// The other side.
    pub(crate) there: Ipv4Addr,
}

impl Host {
    /// `None`, and a word about it, on a machine that does not allow it. Where every check has to
    /// run, root must be able to.
    pub(crate) fn new(test: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        // From 198.18.0.0/15, which is for tests (RFC 2544); other runs have other networks.
        let network = (process.wrapping_mul(7).wrapping_add(number) % (1 << 14)) * 4;
        let address =
            |host| Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + network + host);
        let host = Self {
            name: format!("tripline-host-{process}-{number}"),
            cable: format!("tl{process}-{number}"),
            here: address(1),
            there: address(2),
        };
        match host.make() {
            Ok(()) => Some(host),
            Err(reason) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "tests have no other place for settings"
                )]
                let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
                assert!(!is_ci, "no network can be made: {reason}");
                eprintln!("not cut: the network in {test}, since none can be made: {reason}");
                None
            }
        }
    }

    fn make(&self) -> Result<(), String> {
        let Self {
            name,
            cable,
            here,
            there,
        } = self;
        let inside = format!("{cable}x");
        ip(&format!("netns add {name}"))?;
        ip(&format!(
            "link add {cable} type veth peer name {inside} netns {name}"
        ))?;
        ip(&format!("address add {here}/30 dev {cable}"))?;
        ip(&format!("link set {cable} up"))?;
        ip(&format!("-n {name} link set lo up"))?;
        ip(&format!("-n {name} address add {there}/30 dev {inside}"))?;
        ip(&format!("-n {name} link set {inside} up"))
    }

    /// A program there.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Nothing comes through any more, and nobody is told.
    pub(crate) fn cut(&self) {
        ip(&format!("link set {} down", self.cable)).unwrap();
    }

    /// The cable is whole again.
    pub(crate) fn mend(&self) {
        ip(&format!("link set {} up", self.cable)).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // With the namespace the cable goes, once nobody is in it.
        let _ = ip(&format!("link del {}", self.cable));
        let _ = ip(&format!("netns del {}", self.name));
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let output: Result<Output, _> = Command::new("ip").args(arguments.split(' ')).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => Err(format!("ip: {error}")),
    }
}
