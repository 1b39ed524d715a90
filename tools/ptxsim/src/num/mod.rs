//! Number formats narrower than f32.
