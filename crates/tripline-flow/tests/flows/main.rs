//! What becomes of packets: flows, connections, and the books over both.
#![allow(missing_docs)]

mod check;
mod community;
mod early;
mod fixture;
mod hostile;
mod properties;
mod rules;
