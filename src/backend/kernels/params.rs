//! The kernels' parameters, field for field; the tests compare them with those of the shaders and of the CUDA files.

use bytemuck::Pod;

use super::op_layouts;

/// A kernel's parameters: fields of four bytes each.
pub(in crate::backend) trait Fields: Pod {
    /// Each field's name and offset in bytes.
    fn fields() -> Vec<(&'static str, usize)>;
}

/// Declares the parameters of kernels.
macro_rules! fields {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        /// The parameters of the kernels, field for field.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
        pub(in crate::backend) struct $name { $(pub $field: $type,)* }

        impl $crate::backend::kernels::params::Fields for $name {
            fn fields() -> Vec<(&'static str, usize)> {
                vec![$((stringify!($field), std::mem::offset_of!($name, $field)),)*]
            }
        }
    };
}

pub(super) use fields;

/// The parameters of a shader that is no op's.
pub(in crate::backend) trait Params: Fields {
    /// The shader.
    const STEM: &'static str;
}

/// How the parameters of a shader lie in memory here: to be compared with the shader's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamsLayout {
    /// The shader.
    pub stem: &'static str,
    /// Bytes of all fields.
    pub size: usize,
    /// Each field's name and offset in bytes.
    pub fields: Vec<(&'static str, usize)>,
}

impl ParamsLayout {
    pub(super) fn new<F: Fields>(stem: &'static str) -> ParamsLayout {
        ParamsLayout { stem, size: size_of::<F>(), fields: F::fields() }
    }
}

macro_rules! params {
    ($($name:ident: $stem:literal { $($field:ident: $type:ty),* $(,)? })+) => {
        $(
            fields! { $name { $($field: $type),* } }

            impl Params for $name {
                const STEM: &'static str = $stem;
            }
        )+

        /// The parameters of every shader.
        pub fn params_layouts() -> Vec<ParamsLayout> {
            let others = [$(ParamsLayout::new::<$name>($stem)),+];
            op_layouts().into_iter().chain(others).collect()
        }
    };
}

params! {
    Pack: "pack" {
        elements: u32, pitch: u32, c_out: u32, k_h: u32, k_w: u32, c_in: u32, taps_y: u32, taps_x: u32, last_y:
        u32, last_x: u32, step_y: u32, step_x: u32, backward: u32,
    }
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
