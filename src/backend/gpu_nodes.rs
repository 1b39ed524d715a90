//! Whether this machine may have a real GPU, told without Vulkan: asking it loads every driver, and software's is LLVM, which
//! would stay in memory beside the CPU's backend.

use std::path::Path;

/// What the kernel's drivers of GPUs put under `/dev` on Linux: DRM (AMD, Intel, virtual machines, most others), NVIDIA,
/// Windows' subsystem for Linux, NVIDIA's Tegra, Qualcomm, Arm and Imagination without DRM.
const NODES: [&str; 8] = ["dri", "nvidiactl", "nvidia0", "dxg", "nvhost-gpu", "kgsl-3d0", "mali0", "pvr_sync"];
/// Variables by which the Vulkan loader is told which drivers there are; what they name may need no node.
const DRIVERS: [&str; 3] = ["VK_DRIVER_FILES", "VK_ADD_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// Whether Vulkan is worth asking. It always is where this cannot be told.
pub(super) fn may_have_gpu() -> bool {
    !cfg!(target_os = "linux")
        || DRIVERS.iter().any(|name| std::env::var_os(name).is_some())
        || nodes(Path::new("/dev"))
}

fn nodes(dev: &Path) -> bool {
    NODES.iter().any(|node| dev.join(node).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_any_driver_counts() {
        let dev = tempfile::tempdir().unwrap();
        std::fs::write(dev.path().join("null"), "").unwrap();
        assert!(!nodes(dev.path()));
        for node in NODES {
            let at = dev.path().join(node);
            std::fs::create_dir(&at).unwrap();
            assert!(nodes(dev.path()), "{node}");
            std::fs::remove_dir(&at).unwrap();
        }
    }
}
