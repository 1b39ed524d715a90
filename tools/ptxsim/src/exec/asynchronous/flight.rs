//! Bytes of shared memory that an asynchronous operation owns.

use crate::exec::shared::Shared;
use crate::machine::shadow;
use crate::model::in_flight::{Hold, Ticket};
use std::fmt;

/// What faults say of an operation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Its opcode, without the suffixes.
    pub name: &'static str,
    /// Its line in the PTX.
    pub line: u32,
    /// The warp that issued it.
    pub warp: u32,
    /// The lane, where one alone did.
    pub lane: u32,
}

impl fmt::Display for Flight {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "the {} of line {}", self.name, self.line)
    }
}

impl Shared {
    /// Lets an operation own bytes until [`land`](Self::land).
    pub fn hold(&mut self, ticket: Ticket, hold: Hold, offset: usize, len: usize) {
        self.flights.hold(ticket, hold, offset, len);
        let bit = if hold == Hold::Write { shadow::WRITING } else { shadow::READING };
        self.shadow[offset..offset + len].iter_mut().for_each(|mark| *mark |= bit);
    }

    /// The operation is complete: its bytes are everyone's again. A second time is nothing.
    pub fn land(&mut self, ticket: Ticket) {
        let Some((_, ranges)) = self.flights.end(ticket) else { return };
        for (_, offset, len) in ranges {
            for at in offset..offset + len {
                let [writing, reading] = self.flights.holds(at);
                let bits = (u8::from(writing) * shadow::WRITING) | (u8::from(reading) * shadow::READING);
                self.shadow[at] = self.shadow[at] & !(shadow::WRITING | shadow::READING) | bits;
            }
        }
    }
}
