//! Random profiles: the compiled program must agree with a plain reading of the rules.
//!
//! The reading below shares nothing with the compiler but the tables. Values are drawn close to
//! each other and to the edges of the two halves, so that comparisons are often equal or off by one.

use std::borrow::Cow;
use std::collections::HashMap;

use keelbox_seccomp::{
    Abi, Action, Arch, ArgCmp, CompileError, Filter, Operator, Profile, Rule, Width, compile,
};

use crate::machine::{Call, check, verdict};

const ACTIONS: [Action; 9] = [
    Action::Allow,
    Action::Errno(1),
    Action::Errno(38),
    Action::Kill,
    Action::KillThread,
    Action::Trap,
    Action::Log,
    Action::Trace(7),
    Action::Notify,
];
const VALUES: [u64; 12] = [
    0,
    1,
    2,
    38,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    0x1_0000_0026,
    0x8000_0000_0000_0000,
    u64::MAX - 1,
    u64::MAX,
];

/// SplitMix64: a seed names a profile, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn value(&mut self) -> u64 {
        self.pick(&VALUES)
    }

    fn condition(&mut self) -> ArgCmp {
        let mask = self.value();
        let plain = [
            Operator::Ne,
            Operator::Lt,
            Operator::Le,
            Operator::Eq,
            Operator::Ge,
            Operator::Gt,
        ];
        ArgCmp {
            index: u8::try_from(self.below(3) * 2).unwrap(),
            operator: match self.below(4) {
                0 => Operator::MaskedEq { mask },
                _ => self.pick(&plain),
            },
            value: self.value(),
            width: self.pick(&[Width::Low32, Width::Full]),
        }
    }

    fn rule(&mut self, names: &[&'static str], most_names: usize) -> Rule {
        let count = 1 + self.below(most_names);
        Rule {
            names: (0..count)
                .map(|_| Cow::Borrowed(self.pick(names)))
                .collect(),
            action: self.pick(&ACTIONS),
            args: (0..self.below(4)).map(|_| self.condition()).collect(),
        }
    }

    fn profile(&mut self, rules: usize, most_names: usize) -> Profile {
        let abi = self.pick(&[Abi::X86_64, Abi::I386, Abi::Aarch64, Abi::Arm]);
        let names: Vec<_> = abi.syscalls().map(|(_, name)| name).collect();
        Profile {
            default_action: self.pick(&ACTIONS),
            unknown_action: self.pick(&ACTIONS),
            compat: self.below(8) > 0,
            rules: (0..rules).map(|_| self.rule(&names, most_names)).collect(),
        }
    }
}

/// A profile read rule by rule.
struct Reading<'p> {
    profile: &'p Profile,
    abi: Abi,
    served: bool,
    names: HashMap<u32, &'static str>,
    newest: Option<u32>,
}

impl<'p> Reading<'p> {
    fn new(profile: &'p Profile, abi: Abi, served: bool) -> Self {
        let names: HashMap<_, _> = abi.syscalls().collect();
        let ruled = |name| {
            profile
                .rules
                .iter()
                .any(|rule| rule.names.iter().any(|n| n == name))
        };
        let ruled = names
            .iter()
            .filter(|(nr, name)| **nr < 0xf0000 && ruled(**name));
        let newest = ruled.map(|(nr, _)| *nr).max();
        Self {
            profile,
            abi,
            served,
            names,
            newest,
        }
    }

    fn verdict(&self, call: &Call) -> Action {
        if !self.served {
            return Action::Kill;
        }
        if self.abi == Abi::X86_64 && call.nr & 0x4000_0000 != 0 {
            return Action::Errno(38);
        }
        let Some(name) = self.names.get(&call.nr) else {
            return self.profile.unknown_action;
        };
        let naming = |rule: &&Rule| rule.names.iter().any(|n| n == name);
        let mut rules = self.profile.rules.iter().filter(naming).peekable();
        if rules.peek().is_none() && self.newest.is_some_and(|newest| call.nr > newest) {
            return self.profile.unknown_action;
        }
        let decisive = rules.find(|rule| rule.args.iter().all(|arg| self.holds(arg, call)));
        decisive.map_or(self.profile.default_action, |rule| rule.action)
    }

    fn holds(&self, arg: &ArgCmp, call: &Call) -> bool {
        let full = arg.width == Width::Full && matches!(self.abi, Abi::X86_64 | Abi::Aarch64);
        let bits = if full { u64::MAX } else { 0xffff_ffff };
        let actual = call.args[usize::from(arg.index)] & bits;
        let value = arg.value & bits;
        match arg.operator {
            Operator::Ne => actual != value,
            Operator::Lt => actual < value,
            Operator::Le => actual <= value,
            Operator::Eq => actual == value,
            Operator::Ge => actual >= value,
            Operator::Gt => actual > value,
            Operator::MaskedEq { mask } => actual & mask & bits == value,
        }
    }
}

fn compare(random: &mut Random, seed: u64, profile: &Profile, arch: Arch, filter: &Filter) {
    check(filter);
    for (abi, served) in [
        (arch.native_abi(), true),
        (arch.compat_abi(), profile.compat),
    ] {
        let reading = Reading::new(profile, abi, served);
        let edges = [
            0xf0000,
            0xf0001,
            0xf0002,
            0xf0007,
            0x4000_0000,
            0x4000_0029,
            u32::MAX,
        ];
        for nr in (0..1024).chain(edges) {
            for _ in 0..4 {
                let args = std::array::from_fn(|_| random.value());
                let call = Call {
                    args,
                    ..Call::new(abi, nr)
                };
                let expected = reading.verdict(&call);
                assert_eq!(
                    verdict(filter, &call),
                    expected,
                    "seed {seed} {abi:?} {call:x?}"
                );
            }
        }
    }
}

fn agree(seeds: std::ops::Range<u64>, most_rules: usize, most_names: usize) -> usize {
    let mut longest = 0;
    for seed in seeds {
        let mut random = Random(seed);
        let rules = random.below(most_rules + 1);
        let profile = random.profile(rules, most_names);
        for arch in [Arch::X86_64, Arch::Aarch64] {
            match compile(&profile, arch) {
                Ok(filter) => {
                    longest = longest.max(filter.instructions().len());
                    compare(&mut random, seed, &profile, arch, &filter);
                }
                Err(CompileError::TooLong { instructions }) => assert!(instructions > 4096),
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
    }
    longest
}

#[test]
fn small_random_profiles_mean_what_their_rules_say() {
    agree(0..150, 12, 40);
}

#[test]
fn long_random_profiles_with_far_jumps_mean_what_their_rules_say() {
    assert!(agree(1000..1020, 300, 4) > 2000);
}

#[test]
fn heavily_conditional_profiles_mean_what_their_rules_say() {
    assert!(agree(2000..2020, 60, 30) > 2000);
}

#[test]
fn a_profile_that_cannot_fit_is_an_error() {
    let mut random = Random(3);
    let mut profile = random.profile(2000, 3);
    let error = compile(&profile, Arch::X86_64).unwrap_err();
    assert!(matches!(error, CompileError::TooLong { instructions } if instructions > 4096));
    profile.rules.truncate(1);
    profile.rules[0].args = vec![ArgCmp {
        index: 6,
        ..random.condition()
    }];
    profile.rules[0].names = vec![Cow::Borrowed("read")];
    let error = compile(&profile, Arch::X86_64).unwrap_err();
    assert_eq!(
        error,
        CompileError::ArgIndex {
            name: "read".into(),
            index: 6
        }
    );
}

#[test]
fn a_profile_without_rules_answers_every_known_call_alike() {
    let actions = [Action::Allow, Action::Errno(38), Action::Kill];
    for (default_action, unknown_action) in
        actions.into_iter().flat_map(|a| actions.map(|b| (a, b)))
    {
        let profile = Profile {
            default_action,
            unknown_action,
            compat: true,
            rules: Vec::new(),
        };
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let filter = compile(&profile, arch).unwrap();
            compare(&mut Random(0), 0, &profile, arch, &filter);
        }
    }
}

#[test]
fn bytes_and_instructions_are_two_forms_of_one_program() {
    let filter = compile(&Random(9).profile(5, 9), Arch::Aarch64).unwrap();
    let bytes = filter.to_bytes();
    assert_eq!(bytes.len(), filter.instructions().len() * 8);
    assert_eq!(Filter::from_bytes(&bytes), Some(filter));
    assert_eq!(Filter::from_bytes(&bytes[1..]), None);
}
