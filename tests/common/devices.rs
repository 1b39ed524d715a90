//! The devices at hand.

use warpface::{Device, DeviceKind};

/// Calls `test` with every device there is; the missing ones are skipped loudly.
pub fn each(test: impl FnMut(&Device)) {
    [DeviceKind::Cpu, DeviceKind::Wgpu].into_iter().filter_map(super::device).collect::<Vec<_>>().iter().for_each(test);
}
