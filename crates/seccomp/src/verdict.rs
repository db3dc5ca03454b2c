//! From names to numbers: what a profile decides for each system call number of one ABI.
//!
//! The outcome is a partition of all 2^32 numbers into runs that share a decision. There are far
//! fewer runs than calls, and the compiler's search tree has one comparison for each border.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::arch::Abi;
use crate::profile::{Action, ArgCmp, Profile};

/// `__X32_SYSCALL_BIT` of `asm/unistd.h`: set in the number of every x32 call.
const X32_BIT: u32 = 0x4000_0000;
/// `__ARM_NR_BASE` of arm's `asm/unistd.h`: calls private to that ABI start here, and a number
/// above the newest shared call is no measure of their age.
const ARM_PRIVATE_BASE: u32 = 0x0f_0000;
/// `ENOSYS`: what a kernel without x32 says to its calls.
pub(crate) const ENOSYS: u16 = 38;

/// A decision: the first conditional rule that holds, otherwise the plain action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict<'p> {
    pub(crate) conditional: Vec<(&'p [ArgCmp], Action)>,
    pub(crate) otherwise: Action,
}

/// The numbers from `start` up to the next run, and the index of their verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u32,
    pub(crate) verdict: usize,
}

/// What a profile means on one ABI.
#[derive(Debug, Default)]
pub(crate) struct Decisions<'p> {
    pub(crate) verdicts: Vec<Verdict<'p>>,
    pub(crate) runs: Vec<Run>,
}

impl<'p> Decisions<'p> {
    pub(crate) fn new(profile: &'p Profile, rules: &RulesByName<'_>, abi: Abi) -> Self {
        let calls: Vec<_> = abi
            .syscalls()
            .map(|(nr, name)| (nr, rules.get(name)))
            .collect();
        let shared = |&&(nr, rules): &&(u32, Option<_>)| nr < ARM_PRIVATE_BASE && rules.is_some();
        let newest = calls.iter().rfind(shared).map_or(u32::MAX, |call| call.0);

        let mut decisions = Self::default();
        let unknown = Verdict::plain(profile.unknown_action);
        let mut next = 0;
        for (nr, rules) in calls {
            if rules.is_none() && nr > newest {
                continue;
            }
            if nr > next {
                decisions.append(next, &unknown);
            }
            let rules = rules.map_or(&[][..], Vec::as_slice);
            decisions.append(nr, &Verdict::new(profile, rules));
            next = nr + 1;
        }
        decisions.append(next, &unknown);
        if abi == Abi::X86_64 {
            decisions.append(X32_BIT, &Verdict::plain(Action::Errno(ENOSYS)));
        }
        decisions
    }

    fn append(&mut self, start: u32, verdict: &Verdict<'p>) {
        let known = self.verdicts.iter().position(|v| v == verdict);
        let verdict = known.unwrap_or_else(|| {
            self.verdicts.push(verdict.clone());
            self.verdicts.len() - 1
        });
        if self.runs.last().is_none_or(|run| run.verdict != verdict) {
            self.runs.push(Run { start, verdict });
        }
    }
}

impl<'p> Verdict<'p> {
    fn plain(otherwise: Action) -> Self {
        Self {
            conditional: Vec::new(),
            otherwise,
        }
    }

    /// Rules up to the first unconditional one, which makes the rest unreachable.
    fn new(profile: &'p Profile, rules: &[usize]) -> Self {
        let mut verdict = Self::plain(profile.default_action);
        for rule in rules.iter().map(|&index| &profile.rules[index]) {
            if rule.args.is_empty() {
                verdict.otherwise = rule.action;
                break;
            }
            verdict.conditional.push((&rule.args, rule.action));
        }
        // A condition that changes nothing is not worth an instruction.
        let otherwise = verdict.otherwise;
        while verdict
            .conditional
            .pop_if(|(_, action)| *action == otherwise)
            .is_some()
        {}
        verdict
    }
}

/// For each name, the indexes of the rules that have it, in order.
pub(crate) type RulesByName<'p> = HashMap<&'p str, Vec<usize>>;

pub(crate) fn rules_by_name(profile: &Profile) -> RulesByName<'_> {
    let names = profile.rules.iter().map(|rule| rule.names.len()).sum();
    let mut by_name = RulesByName::with_capacity(names);
    for (index, rule) in profile.rules.iter().enumerate() {
        for name in rule.names.iter().map(Cow::as_ref) {
            by_name.entry(name).or_default().push(index);
        }
    }
    by_name
}
