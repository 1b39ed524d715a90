//! Shared memory that asynchronous operations still write or read.
//!
//! An operation's effect is carried out when it is issued; what makes it asynchronous is that its bytes stay held
//! until its completion has been awaited. Touching them earlier is the mistake that real hardware punishes at random.

/// Bytes that are held together: the least that an asynchronous copy moves.
const GRANULE: usize = 4;

/// An operation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    index: u32,
    /// Tells the operations apart that had this index one after the other.
    generation: u32,
}

/// What an operation does with the bytes it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It writes them: nobody else may read or write them.
    Write,
    /// It reads them: nobody may write them.
    Read,
}

/// Bytes held: how, from where, how many.
pub type Held = (Hold, usize, usize);

#[derive(Debug)]
struct Operation<T> {
    what: T,
    generation: u32,
    ranges: Vec<Held>,
}

/// The operations under way in one block.
#[derive(Debug)]
pub struct InFlight<T> {
    operations: Vec<Option<Operation<T>>>,
    free: Vec<u32>,
    generation: u32,
    /// One more than the index of the operation that writes, or reads, each granule; 0 for none.
    writer: Vec<u32>,
    reader: Vec<u32>,
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self { operations: Vec::new(), free: Vec::new(), generation: 0, writer: Vec::new(), reader: Vec::new() }
    }
}

fn granules(address: usize, bytes: usize) -> std::ops::Range<usize> {
    address / GRANULE..(address + bytes).div_ceil(GRANULE)
}

impl<T> InFlight<T> {
    /// Whether nothing is held, so that no access needs a look.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.operations.len() == self.free.len()
    }

    /// Begins an operation that `what` describes.
    pub fn begin(&mut self, what: T) -> Ticket {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let operation = Some(Operation { what, generation, ranges: Vec::new() });
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.operations.push(None);
                self.operations.len() as u32 - 1
            }
        };
        self.operations[index as usize] = operation;
        Ticket { index, generation }
    }

    /// What `ticket` stands for.
    pub fn what(&self, ticket: Ticket) -> Option<&T> {
        self.operations[ticket.index as usize]
            .as_ref()
            .filter(|operation| operation.generation == ticket.generation)
            .map(|operation| &operation.what)
    }

    /// The bytes that `ticket` holds: how, from where, how many.
    pub fn ranges(&self, ticket: Ticket) -> &[Held] {
        match &self.operations[ticket.index as usize] {
            Some(operation) if operation.generation == ticket.generation => &operation.ranges,
            _ => &[],
        }
    }

    /// Holds bytes of shared memory until the operation ends.
    pub fn hold(&mut self, ticket: Ticket, hold: Hold, address: usize, bytes: usize) {
        let range = granules(address, bytes);
        let map = match hold {
            Hold::Write => &mut self.writer,
            Hold::Read => &mut self.reader,
        };
        if map.len() < range.end {
            map.resize(range.end, 0);
        }
        map[range].fill(ticket.index + 1);
        if let Some(operation) = &mut self.operations[ticket.index as usize] {
            operation.ranges.push((hold, address, bytes));
        }
    }

    /// Ends an operation: what it was, and the bytes that it held (other operations may hold some still).
    pub fn end(&mut self, ticket: Ticket) -> Option<(T, Vec<Held>)> {
        self.what(ticket)?;
        let Operation { what, ranges, .. } = self.operations[ticket.index as usize].take()?;
        self.free.push(ticket.index);
        for &(hold, address, bytes) in &ranges {
            let map = match hold {
                Hold::Write => &mut self.writer,
                Hold::Read => &mut self.reader,
            };
            // A later reader of the same bytes keeps them.
            map[granules(address, bytes)]
                .iter_mut()
                .filter(|held| **held == ticket.index + 1)
                .for_each(|held| *held = 0);
        }
        Some((what, ranges))
    }

    /// Whether the granule of the byte at `address` is held for writing, for reading.
    pub fn holds(&self, address: usize) -> [bool; 2] {
        [&self.writer, &self.reader].map(|map| map.get(address / GRANULE).is_some_and(|&held| held != 0))
    }

    /// All operations under way.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.operations.iter().flatten().map(|operation| &operation.what)
    }

    /// The operation that a read of these bytes would disturb.
    pub fn on_read(&self, address: usize, bytes: usize) -> Option<&T> {
        self.holder(&self.writer, address, bytes)
    }

    /// The operation that a write of these bytes would disturb.
    pub fn on_write(&self, address: usize, bytes: usize) -> Option<&T> {
        self.on_read(address, bytes).or_else(|| self.holder(&self.reader, address, bytes))
    }

    fn holder(&self, map: &[u32], address: usize, bytes: usize) -> Option<&T> {
        let range = granules(address, bytes);
        let range = range.start.min(map.len())..range.end.min(map.len());
        let held = *map[range].iter().find(|&&held| held != 0)?;
        self.operations[held as usize - 1].as_ref().map(|operation| &operation.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_held_until_the_end() {
        let mut flights = InFlight::default();
        assert!(flights.is_empty());
        let copy = flights.begin("copy");
        flights.hold(copy, Hold::Write, 16, 8);
        let product = flights.begin("product");
        flights.hold(product, Hold::Read, 32, 4);
        assert_eq!(flights.on_read(12, 4), None);
        assert_eq!(flights.on_read(12, 5), Some(&"copy"));
        assert_eq!(flights.on_read(20, 1), Some(&"copy"));
        assert_eq!(flights.on_read(32, 4), None);
        assert_eq!(flights.on_write(34, 1), Some(&"product"));
        assert_eq!(flights.holds(20), [true, false]);
        assert_eq!(flights.end(copy), Some(("copy", vec![(Hold::Write, 16, 8)])));
        assert_eq!(flights.holds(20), [false, false]);
        assert_eq!(flights.on_write(16, 8), None);
        let next = flights.begin("next");
        flights.hold(next, Hold::Read, 32, 4);
        flights.end(product);
        assert_eq!(flights.end(product), None);
        assert_eq!(flights.iter().collect::<Vec<_>>(), [&"next"]);
        assert_eq!(flights.on_write(32, 4), Some(&"next"));
        flights.end(next);
        assert!(flights.is_empty() && flights.on_write(0, 1 << 20).is_none());
    }
}
