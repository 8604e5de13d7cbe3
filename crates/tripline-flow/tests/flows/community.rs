//! The Community ID of the specification's own examples
//! (<https://github.com/corelight/community-id-spec>, `baseline/`).

use tripline_flow::FlowKey;
use tripline_wire::Address;

/// Protocol, end points with ports (for ICMP type and its counterpart or code), and the
/// identifiers for seeds 0 and 1.
const EXAMPLES: &[(u8, &str, &str, u16, u16, &str, &str)] = &[
    (
        58,
        "fe80::200:86ff:fe05:80da",
        "fe80::260:97ff:fe07:69ea",
        135,
        136,
        "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
        "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY=",
    ),
    (
        58,
        "fe80::260:97ff:fe07:69ea",
        "fe80::200:86ff:fe05:80da",
        136,
        135,
        "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
        "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY=",
    ),
    (
        58,
        "fe80::260:97ff:fe07:69ea",
        "fe80::200:86ff:fe05:80da",
        135,
        136,
        "1:zavyT/cezQr1fmImYCwYnMXbgck=",
        "1:2hSqmsDZ2kdcY9kbiUzOEBic0iM=",
    ),
    (
        58,
        "fe80::200:86ff:fe05:80da",
        "fe80::260:97ff:fe07:69ea",
        136,
        135,
        "1:zavyT/cezQr1fmImYCwYnMXbgck=",
        "1:2hSqmsDZ2kdcY9kbiUzOEBic0iM=",
    ),
    (
        58,
        "3ffe:501:1800:2345::2",
        "3ffe:507:0:1:200:86ff:fe05:80da",
        3,
        0,
        "1:2ObVBgIn28oZvibYZhZMBgh7WdQ=",
        "1:lVEtCZpYu84Xqaa++3lXFyuu2n4=",
    ),
    (
        58,
        "3ffe:501:410:0:2c0:dfff:fe47:33e",
        "3ffe:507:0:1:200:86ff:fe05:80da",
        1,
        4,
        "1:hLZd0XGWojozrvxqE0dWB1iM6R0=",
        "1:W8MHwXpWzpoSTD+cGcaJr4u0ys8=",
    ),
    (
        58,
        "3ffe:507:0:1:200:86ff:fe05:80da",
        "3ffe:501:0:1001::2",
        128,
        129,
        "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg=",
        "1:GfZxjAkDk2MkegpBYHV6tadtFXQ=",
    ),
    (
        58,
        "3ffe:501:0:1001::2",
        "3ffe:507:0:1:200:86ff:fe05:80da",
        129,
        128,
        "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg=",
        "1:GfZxjAkDk2MkegpBYHV6tadtFXQ=",
    ),
    (
        58,
        "fe80::200:86ff:fe05:80da",
        "ff02::2",
        133,
        134,
        "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0=",
        "1:L7Ka0ZMYu+J3bL4ulW2PrqyXNo8=",
    ),
    (
        58,
        "fe80::260:97ff:fe07:69ea",
        "ff02::1",
        134,
        133,
        "1:pkvHqCL88/tg1k4cPigmZXUtL00=",
        "1:K/ee5UCqAMAQXDorP5nSa2CGLjc=",
    ),
    (
        1,
        "192.168.0.89",
        "192.168.0.1",
        8,
        0,
        "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
        "1:03g6IloqVBdcZlPyX8r0hgoE7kA=",
    ),
    (
        1,
        "192.168.0.1",
        "192.168.0.89",
        0,
        8,
        "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
        "1:03g6IloqVBdcZlPyX8r0hgoE7kA=",
    ),
    (
        1,
        "10.0.0.1",
        "10.0.0.2",
        11,
        0,
        "1:YHxtAirCG//0OzkcVAukqKQN9xM=",
        "1:XjUibYHaafLQ3pxQeiMI8g25q20=",
    ),
    (
        6,
        "2001:470:e5bf:dead:4957:2174:e82c:4887",
        "2607:f8b0:400c:c03::1a",
        63943,
        25,
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        "1:eJYTW6AOzFLlSUoESovMjnu7rMw=",
    ),
    (
        6,
        "2607:f8b0:400c:c03::1a",
        "2001:470:e5bf:dead:4957:2174:e82c:4887",
        25,
        63943,
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        "1:eJYTW6AOzFLlSUoESovMjnu7rMw=",
    ),
    (
        132,
        "192.168.170.8",
        "192.168.170.56",
        7,
        7,
        "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=",
        "1:5w3ZRjeKBzqT3zsaEECDGjUbYeg=",
    ),
    (
        132,
        "192.168.170.56",
        "192.168.170.8",
        7,
        7,
        "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=",
        "1:5w3ZRjeKBzqT3zsaEECDGjUbYeg=",
    ),
    (
        6,
        "128.232.110.120",
        "66.35.250.204",
        34855,
        80,
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        "1:3V71V58M3Ksw/yuFALMcW0LAHvc=",
    ),
    (
        6,
        "66.35.250.204",
        "128.232.110.120",
        80,
        34855,
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        "1:3V71V58M3Ksw/yuFALMcW0LAHvc=",
    ),
    (
        17,
        "192.168.1.52",
        "8.8.8.8",
        54585,
        53,
        "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
        "1:Q9We8WO3piVF8yEQBNJF4uiSVrI=",
    ),
    (
        17,
        "8.8.8.8",
        "192.168.1.52",
        53,
        54585,
        "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
        "1:Q9We8WO3piVF8yEQBNJF4uiSVrI=",
    ),
    (
        46,
        "10.1.12.1",
        "10.1.12.2",
        0,
        0,
        "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw=",
        "1:rYir8gphR31noO9iDRQmF/BteEI=",
    ),
    (
        46,
        "10.1.12.2",
        "10.1.12.1",
        0,
        0,
        "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw=",
        "1:rYir8gphR31noO9iDRQmF/BteEI=",
    ),
];

#[test]
fn examples_of_the_specification() {
    for (protocol, source, destination, from, to, unseeded, seeded) in EXAMPLES {
        let address = |text: &str| Address::from(text.parse::<std::net::IpAddr>().unwrap());
        let is_icmp = matches!(protocol, 1 | 58);
        let key = FlowKey {
            source: address(source),
            destination: address(destination),
            source_port: if is_icmp { 0 } else { *from },
            destination_port: if is_icmp { 0 } else { *to },
            protocol: *protocol,
        };
        // The examples show the counterpart of types that have one, and the code of others.
        let icmp = is_icmp.then_some((*from as u8, *to as u8));
        assert_eq!(
            key.community_id(0, icmp),
            *unseeded,
            "{source} {destination}"
        );
        assert_eq!(key.community_id(1, icmp), *seeded, "{source} {destination}");
    }
}
