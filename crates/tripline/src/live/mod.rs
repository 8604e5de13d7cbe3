//! Flows on their way into the store, and the interfaces that some of them come from.
//!
//! [`FlowRecord`] is what the store keeps of a flow; [`FlowRows`] turns judged flows into rows,
//! early verdicts and the final ones that supersede them in the same place. [`Watch`] gives the
//! judged flows of an interface: a thread takes frames and never waits, a bounded queue sheds what
//! does not fit and counts it, and the caller's thread meters and judges. [`CaptureSource`] keeps
//! one running for the server, and stores what it tells.

mod flow_record;
mod interface;
mod params;
mod queue;
mod rows;
mod source;
mod watch;
mod writer;

pub(crate) use flow_record::{FlowRecord, RecordedMoment, RecordedOpinion, TIMELINE_PACKETS};
pub(crate) use interface::{InterfaceConfig, interfaces};
pub(crate) use params::{CaptureParams, ParamsError, refused};
pub(crate) use queue::Ended;
pub(crate) use rows::{FlowRows, Places};
pub(crate) use source::{
    CaptureSource, SourceCounts, SourceHandle, SourceState, StartError, Status, Surroundings,
};
pub(crate) use watch::{EARLY, LiveCounts, LiveError, Stopper, Watch};

/// A key for the table of flows that no sender of packets can guess; it changes no result.
pub(crate) fn hash_key() -> [u64; 2] {
    // 122 bits of the system's chance; no library of random numbers is needed for that.
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    [high, low]
}
