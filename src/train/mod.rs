//! The host side of training: which images come when, at which rate, and what is written down. No networks here.
