//! A classic BPF machine with the kernel's checks, written from linux/filter.h and from
//! `bpf_check_classic` and `seccomp_check_filter`, not from the compiler.

use keelbox_seccomp::{Abi, Action, Filter, SockFilter};

/// The fields of `struct seccomp_data` that a filter here looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) arch: u32,
    pub(crate) nr: u32,
    pub(crate) args: [u64; 6],
}

impl Call {
    /// A call with arguments of zero.
    pub(crate) fn new(abi: Abi, nr: u32) -> Self {
        Self {
            arch: abi.audit_arch(),
            nr,
            args: [0; 6],
        }
    }

    /// The same call with one argument set.
    pub(crate) fn arg(mut self, index: usize, value: u64) -> Self {
        self.args[index] = value;
        self
    }

    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.nr,
            4 => self.arch,
            8 | 12 => panic!("no profile asks for the instruction pointer"),
            _ => {
                let word = usize::try_from(offset - 16).unwrap() / 4;
                let arg = self.args[word / 2];
                let half = if word % 2 == 0 { arg } else { arg >> 32 };
                u32::try_from(half & 0xffff_ffff).unwrap()
            }
        }
    }
}

/// What the filter returns, and after how many instructions.
pub(crate) fn run(filter: &Filter, call: &Call) -> (Action, usize) {
    let (mut at, mut accumulator, mut steps) = (0, 0_u32, 0);
    loop {
        let SockFilter { code, jt, jf, k } = filter.instructions()[at];
        at += 1;
        steps += 1;
        let taken = match code {
            0x20 => {
                accumulator = call.word(k);
                continue;
            }
            0x54 => {
                accumulator &= k;
                continue;
            }
            0x05 => {
                at += usize::try_from(k).unwrap();
                continue;
            }
            0x06 => return (action(k), steps),
            0x15 => accumulator == k,
            0x25 => accumulator > k,
            0x35 => accumulator >= k,
            code => panic!("instruction {code:#x} is not one the compiler writes"),
        };
        at += usize::from(if taken { jt } else { jf });
    }
}

/// Just the verdict.
pub(crate) fn verdict(filter: &Filter, call: &Call) -> Action {
    run(filter, call).0
}

/// Panics where the kernel would answer `EINVAL`.
pub(crate) fn check(filter: &Filter) {
    let program = filter.instructions();
    assert!((1..=4096).contains(&program.len()));
    assert_eq!(program.last().unwrap().code, 0x06, "must end in a return");
    for (at, &SockFilter { code, jt, jf, k }) in program.iter().enumerate() {
        let left = program.len() - at - 1;
        match code {
            0x20 => assert!(k % 4 == 0 && k < 64, "load of word {k} at {at}"),
            0x05 => assert!(usize::try_from(k).unwrap() < left, "jump at {at}"),
            0x15 | 0x25 | 0x35 => assert!(usize::from(jt.max(jf)) < left, "branch at {at}"),
            0x06 | 0x54 => {}
            code => panic!("instruction {code:#x} at {at}"),
        }
    }
}

fn action(value: u32) -> Action {
    let data = u16::try_from(value & 0xffff).unwrap();
    match value & 0xffff_0000 {
        0x8000_0000 => Action::Kill,
        0x0000_0000 => Action::KillThread,
        0x0003_0000 => Action::Trap,
        0x0005_0000 => Action::Errno(data),
        0x7fc0_0000 => Action::Notify,
        0x7ff0_0000 => Action::Trace(data),
        0x7ffc_0000 => Action::Log,
        0x7fff_0000 => Action::Allow,
        _ => panic!("return value {value:#x} is no action"),
    }
}
