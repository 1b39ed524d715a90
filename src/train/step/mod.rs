//! One step: the network with its losses and gradients, planned within a budget, run on a device.

pub mod budget;
pub mod network;
pub mod pace;
pub mod parameters;
pub mod schedule;
pub mod trainer;
pub mod triplets;
