//! What a weights file is taken for, and what it lacks: for whoever asks before it is used.

use std::fmt;

use super::{TensorMap, mtcnn, network};
use crate::error::Error;
use crate::networks::ModelDef;

/// A network that this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// MTCNN's proposals.
    PNet,
    /// MTCNN's refinement.
    RNet,
    /// MTCNN's output.
    ONet,
    /// An embedding network.
    Embedding(ModelDef),
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Network::PNet => "MTCNN's P-Net",
            Network::RNet => "MTCNN's R-Net",
            Network::ONet => "MTCNN's O-Net",
            Network::Embedding(def) => def.title(),
        })
    }
}

/// What is made of a file's tensors.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Survey {
    /// The networks that it holds, or that it lacks only parts of.
    pub networks: Vec<Network>,
    /// Who names tensors so, where that is known.
    pub naming: Option<&'static str>,
    /// Length of an embedding, for an embedding network.
    pub embedding: Option<usize>,
    /// Channels of the first layer, for an embedding network: 32 as published.
    pub stem: Option<usize>,
    /// What the network needs and the file does not have, by the file's naming.
    pub missing: Vec<String>,
    /// What belongs to no known network of these names.
    pub extra: Vec<String>,
    /// What is there and not used: heads, centers, an optimizer's state.
    pub passed_over: Vec<String>,
    /// Why the file cannot be used, if it cannot.
    pub problem: Option<Error>,
}

/// Tells what a file's tensors are. All that a network uses is read, so that damage and NaN show.
pub fn survey(map: &TensorMap) -> Survey {
    let problem = match network::survey(map) {
        Ok(survey) => return Survey { problem: network::unfolded(map).err(), ..survey },
        Err(problem) => problem,
    };
    let cascade = [
        (Network::PNet, mtcnn::pnet(map).map(drop)),
        (Network::RNet, mtcnn::rnet(map).map(drop)),
        (Network::ONet, mtcnn::onet(map).map(drop)),
    ];
    let networks: Vec<Network> = cascade.iter().filter(|(_, read)| read.is_ok()).map(|&(network, _)| network).collect();
    let problem = if networks.is_empty() { Some(problem) } else { None };
    let naming = networks.first().and_then(|&network| mtcnn::publisher(map, network));
    Survey { networks, naming, problem, ..Survey::default() }
}
