//! The kernels' parameters, field for field; the tests compare them with those of the shaders and of the CUDA files.

use bytemuck::Pod;

use super::op_layouts;

/// A kernel's parameters: fields of four bytes each.
pub(crate) trait Fields: Pod {
    /// Each field's name and offset in bytes.
    fn fields() -> Vec<(&'static str, usize)>;
}

/// Declares the parameters of kernels.
macro_rules! fields {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        /// The parameters of the kernels, field for field.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct $name { $(pub $field: $type,)* }

        impl $crate::backend::kernels::params::Fields for $name {
            fn fields() -> Vec<(&'static str, usize)> {
                vec![$((stringify!($field), std::mem::offset_of!($name, $field)),)*]
            }
        }
    };
}

pub(crate) use fields;

/// The parameters of a shader that is no op's.
pub(crate) trait Params: Fields {
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
    pub(crate) fn new<F: Fields>(stem: &'static str) -> ParamsLayout {
        ParamsLayout { stem, size: size_of::<F>(), fields: F::fields() }
    }
}

/// Declares the parameters of shaders that are no op's, and the function that tells their layouts.
macro_rules! params {
    ($(#[$doc:meta])* $layouts:ident: $($name:ident: $stem:literal { $($field:ident: $type:ty),* $(,)? })+) => {
        $(
            $crate::backend::kernels::params::fields! { $name { $($field: $type),* } }

            impl $crate::backend::kernels::params::Params for $name {
                const STEM: &'static str = $stem;
            }
        )+

        $(#[$doc])*
        pub fn $layouts() -> Vec<$crate::backend::ParamsLayout> {
            vec![$($crate::backend::ParamsLayout::new::<$name>($stem)),+]
        }
    };
}

pub(crate) use params;

params! {
    /// Of what ops share.
    shared_layouts:
    Pack: "pack" {
        elements: u32, pitch: u32, c_out: u32, k_h: u32, k_w: u32, c_in: u32, taps_y: u32, taps_x: u32, last_y:
        u32, last_x: u32, step_y: u32, step_x: u32, backward: u32,
    }
}

/// How the parameters of every op's kernels lie in memory.
pub fn params_layouts() -> Vec<ParamsLayout> {
    op_layouts().into_iter().chain(shared_layouts()).collect()
}
