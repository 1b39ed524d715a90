//! The parameters of the cascade's kernels, field for field.

use crate::backend::kernels::params::params;

params! {
    /// How the parameters of the cascade's kernels lie in memory.
    params_layouts:
    Pyramid: "cascade/pyramid" {
        h: u32, w: u32, pixels: u32, rows: u32, columns: u32, first_row: u32, images: u32, method: u32,
        factor_y: u32, factor_x: u32, taps_x: u32, taps_y: u32, y_offset: u32, zero: u32,
    }
    CollectCells: "cascade/collect_cells" {
        rows: u32, columns: u32, first_row: u32, level_rows: u32, images: u32, probabilities: u32, offsets: u32,
        corners_x: u32, corners_y: u32, segment: u32, levels: u32, threshold: f32,
    }
    Suppress: "cascade/suppress" { lists: u32, tenths: u32, overlap: u32, slots: u32 }
    Merge: "cascade/merge" { images: u32 }
    Square: "cascade/square" { images: u32, inclusive: u32 }
    CropBoxes: "cascade/crop_boxes" { crops: u32, first: u32, images: u32, size: u32, y_offset: u32 }
    CollectCrops: "cascade/collect_crops" {
        crops: u32, first: u32, images: u32, probabilities: u32, offsets: u32, points: u32, has_points: u32,
        threshold: f32,
    }
    Faces: "cascade/faces" { images: u32 }
}
