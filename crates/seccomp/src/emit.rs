//! Writes a program from its last instruction to its first.
//!
//! Classic BPF only jumps forward, so working backwards every target is known when the jump to it
//! is written, and the two limits of a conditional jump (255 instructions either way) are met by
//! putting a stepping stone right behind it: a copy of the `ret` it leads to, or a long jump.

use std::collections::HashMap;

use crate::bpf::{JUMP, LOAD, RETURN, SockFilter, return_value};
use crate::profile::Action;

/// An instruction already written, counted from the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// The program so far, last instruction first.
#[derive(Debug, Default)]
pub(crate) struct Emitter {
    reversed: Vec<SockFilter>,
    returns: HashMap<Action, Label>,
}

impl Emitter {
    pub(crate) fn finish(mut self) -> Vec<SockFilter> {
        self.reversed.reverse();
        self.reversed
    }

    /// A `ret` for this action: the nearest one, if a conditional jump still reaches it.
    pub(crate) fn ret(&mut self, action: Action) -> Label {
        // Two below the limit, for the stepping stone the other branch may need.
        let nearest = self.returns.get(&action).copied();
        if let Some(label) = nearest.filter(|&label| self.distance(label) < 254) {
            return label;
        }
        let label = self.push(RETURN, 0, 0, return_value(action));
        self.returns.insert(action, label);
        label
    }

    /// Compares the accumulator with `k`; no instruction when both ways lead to the same place.
    pub(crate) fn branch(&mut self, code: u16, k: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let (yes, no) = (self.within_reach(yes, 1), self.within_reach(no, 0));
        let (jt, jf) = (self.skip_to(yes), self.skip_to(no));
        self.push(code, jt, jf, k)
    }

    /// Loads the word of `seccomp_data` at `offset`, then goes on at `next`.
    pub(crate) fn load(&mut self, offset: u32, next: Label) -> Label {
        self.apply(LOAD, offset, next)
    }

    /// An instruction that does not jump, then `next`.
    pub(crate) fn apply(&mut self, code: u16, k: u32, next: Label) -> Label {
        if self.distance(next) > 0 {
            self.stepping_stone(next);
        }
        self.push(code, 0, 0, k)
    }

    /// How many instructions the next one written would skip to get to `label`.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len() - 1 - label.0
    }

    fn skip_to(&self, label: Label) -> u8 {
        u8::try_from(self.distance(label)).expect("within_reach has put the target in range")
    }

    /// `label`, or a stepping stone to it if `pending` more instructions would put it out of reach.
    fn within_reach(&mut self, label: Label, pending: usize) -> Label {
        if self.distance(label) + pending <= usize::from(u8::MAX) {
            return label;
        }
        self.stepping_stone(label)
    }

    fn stepping_stone(&mut self, label: Label) -> Label {
        let target = self.reversed[label.0];
        if target.code == RETURN {
            return self.push(RETURN, 0, 0, target.k);
        }
        let skip =
            u32::try_from(self.distance(label)).expect("a program is at most a few thousand");
        self.push(JUMP, 0, 0, skip)
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(SockFilter { code, jt, jf, k });
        Label(self.reversed.len() - 1)
    }
}
