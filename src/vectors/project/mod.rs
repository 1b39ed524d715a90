//! Embeddings as points of a plane, to look at: PCA and t-SNE.

mod pca;
mod quadtree;
mod similarity;
mod tsne;

pub use pca::{Pca, pca};
pub use tsne::{Layout, TsneOptions, tsne};
