#![doc = include_str!("../POLICY.md")]
