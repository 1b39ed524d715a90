//! The devices at hand.

use warpface::{Device, DeviceKind};

/// Calls `test` with every device there is; the missing ones are skipped loudly.
pub fn each(mut test: impl FnMut(&Device)) {
    for (name, kind) in [("cpu", DeviceKind::Cpu), ("wgpu", DeviceKind::Wgpu)] {
        match Device::open(kind, 0) {
            Ok(device) => test(&device),
            Err(error) => super::skip(name, &error.to_string()),
        }
    }
}
