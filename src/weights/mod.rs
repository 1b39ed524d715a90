//! Published weight files to named tensors.
