//! The compiler: a profile in, a classic BPF program out.
//!
//! The program first tells the ABIs apart, the 64-bit one first, then finds the run that the number
//! falls in by binary search, and only then looks at arguments if the verdict has conditions.
//! A plain verdict costs about log2(runs) comparisons; from Linux 5.11 the kernel works those out
//! once per filter and keeps them in a bitmap (`kernel/seccomp.c`, `seccomp_cache_prepare`).
//!
//! What is refused here whatever the profile says:
//! - x32. Its numbers are `x86_64` numbers with bit 30 set and arrive under the same audit
//!   architecture, so a filter that only compares numbers misses them (seccomp(2), NOTES). They
//!   get `ENOSYS`, as from a kernel built without x32.
//! - Other architectures kill the process. A kernel of the right machine never reports one, so
//!   this is a filter loaded in the wrong place, and no errno would be true.

use crate::arch::{Abi, Arch};
use crate::bpf::{
    AND, Filter, JUMP_EQ, JUMP_GE, JUMP_GT, MAX_INSTRUCTIONS, OFFSET_ARCH, OFFSET_ARGS, OFFSET_NR,
};
use crate::emit::{Emitter, Label};
use crate::profile::{Action, ArgCmp, Operator, Profile, Rule, Width};
use crate::verdict::{Decisions, Run, Verdict, rules_by_name};

/// Exceptions in a row are tried one by one, so a few only.
const MAX_EXCEPTIONS: usize = 4;

/// Why a profile cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A condition names an argument that no call has.
    #[error("argument {index} in a seccomp rule for {name}: calls have arguments 0 to 5")]
    ArgIndex {
        /// The first call of the rule.
        name: String,
        /// The index given.
        index: u8,
    },
    /// The kernel would refuse the program.
    #[error("seccomp filter of {instructions} instructions: the kernel takes at most 4096")]
    TooLong {
        /// The length reached.
        instructions: usize,
    },
}

/// Compiles `profile` for the two ABIs of `arch`.
///
/// # Errors
/// When a rule names an argument past the sixth, or the program passes 4096 instructions.
pub fn compile(profile: &Profile, arch: Arch) -> Result<Filter, CompileError> {
    profile.rules.iter().try_for_each(check_indexes)?;
    let rules = rules_by_name(profile);
    let mut emitter = Emitter::default();
    let mut checks = Checks::new();
    let foreign = emitter.ret(Action::Kill);
    let other = if profile.compat {
        let decisions = Decisions::new(profile, &rules, arch.compat_abi());
        section(
            &mut emitter,
            &mut checks,
            &decisions,
            arch.compat_abi(),
            foreign,
        )
    } else {
        foreign
    };
    let decisions = Decisions::new(profile, &rules, arch.native_abi());
    let start = section(
        &mut emitter,
        &mut checks,
        &decisions,
        arch.native_abi(),
        other,
    );
    emitter.load(OFFSET_ARCH, start);
    let instructions = emitter.finish();
    match instructions.len() {
        0..=MAX_INSTRUCTIONS => Ok(Filter::new(instructions)),
        instructions => Err(CompileError::TooLong { instructions }),
    }
}

fn check_indexes(rule: &Rule) -> Result<(), CompileError> {
    match rule.args.iter().find(|arg| arg.index > 5) {
        None => Ok(()),
        Some(arg) => Err(CompileError::ArgIndex {
            name: rule
                .names
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
            index: arg.index,
        }),
    }
}

/// The checks of arguments written so far. Those that look at 32 bits only are the same for both
/// ABIs, and the kernel's time to load a filter goes by its length.
type Checks<'p> = Vec<(Verdict<'p>, Label)>;

/// With the architecture in the accumulator: the calls of `abi`, or `other` if it is not `abi`.
fn section<'p>(
    emitter: &mut Emitter,
    checks: &mut Checks<'p>,
    decisions: &Decisions<'p>,
    abi: Abi,
    other: Label,
) -> Label {
    let conditional: Vec<Option<Label>> = decisions
        .verdicts
        .iter()
        .map(|verdict| {
            let conditional = !verdict.conditional.is_empty();
            conditional.then(|| shared_check(emitter, checks, verdict, abi))
        })
        .collect();
    let mut tree = Tree {
        emitter,
        verdicts: &decisions.verdicts,
        conditional: &conditional,
    };
    let root = tree.search(&combs(&decisions.runs));
    let numbers = emitter.load(OFFSET_NR, root);
    emitter.branch(JUMP_EQ, abi.audit_arch(), numbers, other)
}

/// Groups runs into "this verdict, except for these few single calls", the commonest shape: an
/// exception then costs one comparison and not the two of its borders. Every group starts with the
/// run whose verdict it is, and its odd ones are the exceptions.
fn combs(runs: &[Run]) -> Vec<&[Run]> {
    let mut groups = Vec::new();
    let mut rest = runs;
    while let Some(first) = rest.first() {
        let teeth = rest[1..].chunks_exact(2).take(MAX_EXCEPTIONS);
        let teeth = teeth.take_while(|pair| {
            pair[1].verdict == first.verdict && pair[0].start + 1 == pair[1].start
        });
        let (group, after) = rest.split_at(1 + 2 * teeth.count());
        groups.push(group);
        rest = after;
    }
    groups
}

/// Binary search for the run of the number in the accumulator.
struct Tree<'e, 'p> {
    emitter: &'e mut Emitter,
    verdicts: &'e [Verdict<'p>],
    conditional: &'e [Option<Label>],
}

impl Tree<'_, '_> {
    fn search(&mut self, groups: &[&[Run]]) -> Label {
        if let [group] = groups {
            return self.comb(group);
        }
        let (low, high) = groups.split_at(groups.len() / 2);
        let yes = self.search(high);
        let no = self.search(low);
        self.emitter.branch(JUMP_GE, high[0][0].start, yes, no)
    }

    fn comb(&mut self, group: &[Run]) -> Label {
        let mut next = self.leaf(group[0]);
        for &alone in group.iter().skip(1).step_by(2) {
            let yes = self.leaf(alone);
            next = self.emitter.branch(JUMP_EQ, alone.start, yes, next);
        }
        next
    }

    fn leaf(&mut self, run: Run) -> Label {
        let plain = self.verdicts[run.verdict].otherwise;
        self.conditional[run.verdict].unwrap_or_else(|| self.emitter.ret(plain))
    }
}

/// [`check`], unless the other ABI has written the same.
fn shared_check<'p>(
    emitter: &mut Emitter,
    checks: &mut Checks<'p>,
    verdict: &Verdict<'p>,
    abi: Abi,
) -> Label {
    if let Some((_, label)) = checks.iter().find(|(known, _)| known == verdict) {
        return *label;
    }
    let label = check(emitter, verdict, abi);
    if is_narrow(verdict) {
        checks.push((verdict.clone(), label));
    }
    label
}

/// Tries the conditions of each rule in order. Leaves the number behind: it is not needed again.
fn check(emitter: &mut Emitter, verdict: &Verdict<'_>, abi: Abi) -> Label {
    let loads = loads_needed(verdict, abi);
    let mut next = emitter.ret(verdict.otherwise);
    for ((args, action), loads) in verdict.conditional.iter().zip(&loads).rev() {
        let mut hit = emitter.ret(*action);
        for (arg, &load) in args.iter().zip(loads).rev() {
            hit = condition(emitter, *arg, abi, load, hit, next);
        }
        next = hit;
    }
    next
}

/// For each condition, whether the word it compares has to be loaded or is in the accumulator
/// already, whichever earlier condition led there. A list of values for one argument, the usual
/// thing, so costs one load.
fn loads_needed(verdict: &Verdict<'_>, abi: Abi) -> Vec<Vec<bool>> {
    let mut held = None;
    let mut loads = Vec::new();
    for (args, _) in &verdict.conditional {
        let mut of_rule = Vec::new();
        let mut exits = Vec::new();
        for arg in *args {
            let plain = !is_wide(*arg, abi) && !matches!(arg.operator, Operator::MaskedEq { .. });
            of_rule.push(!(plain && held == Some(arg.index)));
            held = plain.then_some(arg.index);
            exits.push(held);
        }
        // The next rule is reached from any condition of this one.
        held = held.filter(|_| exits.iter().all(|exit| *exit == held));
        loads.push(of_rule);
    }
    loads
}

/// Goes to `yes` if the condition holds and to `no` if not.
fn condition(
    emitter: &mut Emitter,
    arg: ArgCmp,
    abi: Abi,
    load: bool,
    yes: Label,
    no: Label,
) -> Label {
    let low_word = OFFSET_ARGS + 8 * u32::from(arg.index);
    let low = compare(emitter, arg.operator, false, low_half(arg.value), yes, no);
    if !load {
        return low;
    }
    let low = emitter.load(low_word, low);
    if !is_wide(arg, abi) {
        return low;
    }
    let value = high_half(arg.value);
    let high = match arg.operator {
        Operator::MaskedEq { mask } if high_half(mask) == 0 && value == 0 => return low,
        Operator::MaskedEq { .. } => compare(emitter, arg.operator, true, value, low, no),
        Operator::Eq => emitter.branch(JUMP_EQ, value, low, no),
        Operator::Ne => emitter.branch(JUMP_EQ, value, low, yes),
        Operator::Ge | Operator::Gt => {
            let equal = emitter.branch(JUMP_EQ, value, low, no);
            emitter.branch(JUMP_GT, value, yes, equal)
        }
        Operator::Lt | Operator::Le => {
            let equal = emitter.branch(JUMP_EQ, value, low, yes);
            emitter.branch(JUMP_GT, value, no, equal)
        }
    };
    emitter.load(low_word + 4, high)
}

/// Compares the word in the accumulator, which is the upper or the lower half of an argument.
fn compare(
    emitter: &mut Emitter,
    operator: Operator,
    upper: bool,
    value: u32,
    yes: Label,
    no: Label,
) -> Label {
    match operator {
        Operator::Eq => emitter.branch(JUMP_EQ, value, yes, no),
        Operator::Ne => emitter.branch(JUMP_EQ, value, no, yes),
        Operator::Ge => emitter.branch(JUMP_GE, value, yes, no),
        Operator::Lt => emitter.branch(JUMP_GE, value, no, yes),
        Operator::Gt => emitter.branch(JUMP_GT, value, yes, no),
        Operator::Le => emitter.branch(JUMP_GT, value, no, yes),
        Operator::MaskedEq { mask } => {
            let mask = if upper {
                high_half(mask)
            } else {
                low_half(mask)
            };
            let equal = emitter.branch(JUMP_EQ, value, yes, no);
            emitter.apply(AND, mask, equal)
        }
    }
}

fn is_wide(arg: ArgCmp, abi: Abi) -> bool {
    arg.width == Width::Full && abi.is_64_bit()
}

fn is_narrow(verdict: &Verdict<'_>) -> bool {
    let mut args = verdict.conditional.iter().flat_map(|(args, _)| *args);
    args.all(|arg| arg.width == Width::Low32)
}

const fn low_half(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

const fn high_half(value: u64) -> u32 {
    (value >> 32) as u32
}
