//! The peers: the same work by what others have made, in the same run and by turns.

#[cfg(feature = "iceoryx2")]
mod iceoryx2;
mod ipc;
mod ipc_calls;
mod procspawn;
mod python;
mod rayon;
mod threads;

use crate::frame::{Case, Scale};

pub(crate) fn cases(workload: &'static str, scale: Scale) -> Vec<Case> {
    let mut cases = threads::cases(workload, scale);
    cases.extend(rayon::cases(workload, scale));
    cases.extend(ipc::cases(workload, scale));
    cases.extend(ipc_calls::cases(workload, scale));
    cases.extend(procspawn::cases(workload, scale));
    #[cfg(feature = "iceoryx2")]
    cases.extend(iceoryx2::cases(workload, scale));
    cases.extend(python::cases(workload, scale));
    cases
}
