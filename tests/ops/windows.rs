//! Maps and the windows that slide over them: what the tests of pools share.

use warpface::ops::Padding;

/// Calls `case` with extents of a map, and kernel, stride and padding of windows: at odd, tail and size-1 shapes, windows
/// that overlap and that leave gaps, by each rule of the border.
pub fn each(mut case: impl FnMut([usize; 4], [usize; 2], [usize; 2], Padding)) {
    for padding in [Padding::Same, Padding::Valid] {
        for (dims, kernel, stride) in [
            ([1, 1, 1, 1], [1, 1], 1),
            ([2, 5, 7, 3], [2, 2], 2),
            ([1, 8, 9, 33], [3, 3], 2),
            ([2, 7, 6, 5], [3, 3], 1),
            ([2, 12, 12, 16], [3, 3], 3),
            ([3, 5, 9, 8], [3, 3], 2),
            ([3, 13, 13, 10], [3, 3], 2),
            ([1, 6, 11, 5], [2, 3], 3),
            ([1, 7, 11, 5], [1, 2], 3),
        ] {
            case(dims, kernel, [stride; 2], padding);
        }
    }
    case([2, 6, 7, 5], [3; 2], [2; 2], Padding::Around(1));
}
