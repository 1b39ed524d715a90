//! Shared memory that asynchronous operations still write or read.
//!
//! An operation's effect is carried out when it is issued; what makes it asynchronous is that its bytes stay held
//! until its completion has been awaited. Touching them earlier is the mistake that real hardware punishes at random.

/// Bytes that are held together: the least that an asynchronous copy moves.
const GRANULE: usize = 4;

/// An operation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u32);

/// What an operation does with the bytes it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It writes them: nobody else may read or write them.
    Write,
    /// It reads them: nobody may write them.
    Read,
}

struct Operation<T> {
    what: T,
    ranges: Vec<(Hold, usize, usize)>,
}

/// The operations under way in one block.
pub struct InFlight<T> {
    operations: Vec<Option<Operation<T>>>,
    live: usize,
    /// One more than the index of the operation that writes, or reads, each granule; 0 for none.
    writer: Vec<u32>,
    reader: Vec<u32>,
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self { operations: Vec::new(), live: 0, writer: Vec::new(), reader: Vec::new() }
    }
}

fn granules(address: usize, bytes: usize) -> std::ops::Range<usize> {
    address / GRANULE..(address + bytes).div_ceil(GRANULE)
}

impl<T> InFlight<T> {
    /// Whether nothing is held, so that no access needs a look.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Begins an operation that `what` describes.
    pub fn begin(&mut self, what: T) -> Ticket {
        self.live += 1;
        let operation = Some(Operation { what, ranges: Vec::new() });
        match self.operations.iter().position(Option::is_none) {
            Some(free) => {
                self.operations[free] = operation;
                Ticket(free as u32)
            }
            None => {
                self.operations.push(operation);
                Ticket(self.operations.len() as u32 - 1)
            }
        }
    }

    /// What `ticket` stands for.
    pub fn what(&self, ticket: Ticket) -> Option<&T> {
        self.operations[ticket.0 as usize].as_ref().map(|operation| &operation.what)
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
        map[range].fill(ticket.0 + 1);
        if let Some(operation) = &mut self.operations[ticket.0 as usize] {
            operation.ranges.push((hold, address, bytes));
        }
    }

    /// Ends an operation; its bytes are free again. A second end is nothing.
    pub fn end(&mut self, ticket: Ticket) {
        let Some(operation) = self.operations[ticket.0 as usize].take() else { return };
        self.live -= 1;
        for (hold, address, bytes) in operation.ranges {
            let map = match hold {
                Hold::Write => &mut self.writer,
                Hold::Read => &mut self.reader,
            };
            // A later reader of the same bytes keeps them.
            map[granules(address, bytes)].iter_mut().filter(|held| **held == ticket.0 + 1).for_each(|held| *held = 0);
        }
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
        self.what(Ticket(held - 1))
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
        flights.end(copy);
        assert_eq!(flights.on_write(16, 8), None);
        let next = flights.begin("next");
        flights.hold(next, Hold::Read, 32, 4);
        flights.end(product);
        flights.end(product);
        assert_eq!(flights.on_write(32, 4), Some(&"next"));
        flights.end(next);
        assert!(flights.is_empty() && flights.on_write(0, 1 << 20).is_none());
    }
}
