//! The devices at hand.

use warpface::{Device, DeviceKind};

/// Calls `test` with every device there is; the missing ones are skipped loudly.
pub fn each(test: impl FnMut(&Device)) {
    let kinds = [DeviceKind::Cpu, DeviceKind::Wgpu, DeviceKind::Cuda];
    kinds.into_iter().filter_map(super::device).collect::<Vec<_>>().iter().for_each(test);
}

/// As [`each`], then with a simulated GPU of the oldest kind: for small work.
pub fn each_and_simulated(mut test: impl FnMut(&Device)) {
    each(&mut test);
    test(&super::simulated::device((7, 5)));
}
