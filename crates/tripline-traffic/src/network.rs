//! The hosts of the generated network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::frame::End;
use crate::random::Random;

/// Addresses, fixed by the seed.
#[derive(Debug)]
pub(crate) struct Network {
    clients: Vec<IpAddr>,
    servers: Vec<IpAddr>,
    next_port: u16,
}

impl Network {
    pub(crate) fn new(random: &mut Random) -> Self {
        let block = random.below(200) as u8;
        let private = random.pick(&[[192, 168], [10, 20], [172, 20]]);
        let inside = |host: u64| {
            let [a, b] = private;
            IpAddr::V4(Ipv4Addr::new(a, b, block, host as u8))
        };
        Self {
            clients: (20..80).map(inside).collect(),
            servers: (2..14).map(inside).collect(),
            next_port: 32_768 + random.below(20_000) as u16,
        }
    }

    pub(crate) fn client(&self, random: &mut Random) -> IpAddr {
        random.pick(&self.clients)
    }

    pub(crate) fn server(&self, random: &mut Random) -> IpAddr {
        random.pick(&self.servers)
    }

    /// An address elsewhere: of the networks for documentation and benchmarks (RFC 5737, 2544).
    pub(crate) fn outside(random: &mut Random) -> IpAddr {
        let [a, b, c] = match random.below(4) {
            0 => [203, 0, 113],
            1 => [198, 51, 100],
            _ => [198, 18 + random.below(2) as u8, random.below(256) as u8],
        };
        IpAddr::V4(Ipv4Addr::new(a, b, c, random.between(1, 254) as u8))
    }

    /// The counterpart of an address in version 6, in the network for documentation (RFC 3849).
    pub(crate) fn in_v6(address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets().map(u16::from);
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, a << 8 | b, 0, 0, 0, c, d))
            }
            v6 @ IpAddr::V6(_) => v6,
        }
    }

    /// A free port of a client. Ports are given in turn, so that no two sessions of the same time
    /// share one.
    pub(crate) fn port(&mut self) -> u16 {
        self.next_port = match self.next_port {
            u16::MAX => 32_768,
            port => port + 1,
        };
        self.next_port
    }

    pub(crate) fn from(&mut self, address: IpAddr) -> End {
        End {
            address,
            port: self.port(),
        }
    }
}
