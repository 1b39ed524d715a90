//! Photographs as pixels: decoding, resizing, cropping, standardizing, drawing. No networks here.
