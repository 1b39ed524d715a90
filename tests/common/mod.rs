//! What the integration tests share: dumps, comparisons, devices, and files that may not be there.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod close;
pub mod devices;
pub mod files;
pub mod npz;
pub mod tolerance;

/// Says loudly that something was left out; fails where `WARPFACE_REQUIRE`, a list, names `what`.
pub fn skip(what: &str, why: &str) {
    let required = std::env::var("WARPFACE_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name.trim() == what), "{what} is required, but: {why}");
    eprintln!("SKIPPED: {what}: {why}");
}

/// Whether the long forms of tests are asked for (`WARPFACE_FULL=1`).
pub fn full() -> bool {
    std::env::var("WARPFACE_FULL").is_ok_and(|value| value == "1")
}
