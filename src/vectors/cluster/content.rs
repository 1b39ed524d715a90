//! Rows by their content, whatever order they came in.

use crate::face::Embeddings;

/// The distinct rows in the order of their bits, and where each came from.
pub(super) struct Content {
    /// The distinct rows.
    pub distinct: Embeddings,
    /// How many rows are this one.
    copies: Vec<u32>,
    /// The distinct row that each row is.
    of: Vec<u32>,
}

impl Content {
    pub fn new(rows: &Embeddings) -> Content {
        let bits = |&row: &u32| rows.row(row as usize).iter().map(|x| x.to_bits());
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_unstable_by(|a, b| bits(a).cmp(bits(b)));
        let (mut values, mut copies, mut of) = (Vec::new(), Vec::new(), vec![0; rows.len()]);
        for group in order.chunk_by(|a, b| bits(a).eq(bits(b))) {
            group.iter().for_each(|&row| of[row as usize] = copies.len() as u32);
            values.extend_from_slice(rows.row(group[0] as usize));
            copies.push(group.len() as u32);
        }
        Content { distinct: Embeddings::new(rows.dim(), values), copies, of }
    }

    /// How many distinct rows there are.
    pub fn len(&self) -> usize {
        self.copies.len()
    }

    /// How many rows are this distinct one.
    pub fn copies(&self, distinct: usize) -> usize {
        self.copies[distinct] as usize
    }

    /// The distinct row of each row, in the order they came in.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.of.iter().map(|&distinct| distinct as usize)
    }
}
