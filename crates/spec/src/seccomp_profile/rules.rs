//! From docker's words to rules, with libseccomp's meaning.
//!
//! libseccomp keeps one decision for each call: an unconditional rule replaces conditional ones wherever it stands, and the
//! first of two unconditional ones stays. runc leaves out rules that repeat the default, and makes alternatives of
//! conditions where two of one rule are about the same argument.

use std::borrow::Cow;

use keelbox_seccomp::{Action, Arch, ArgCmp, Operator, Profile, Rule, Width, as_kernel_reads};

use super::{ActionName, Architecture, Argument, Document, Entry, Filter, OperatorName, refuse};
use crate::capabilities;
use crate::failure::Failure;

const EPERM: u32 = 1;
const ENOSYS: u16 = 38;

/// What `includes` and `excludes` ask about.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The container's bounding set.
    pub capabilities: u64,
    /// The machine.
    pub arch: Arch,
    /// The kernel's version and first revision.
    pub kernel: (u32, u32),
}

impl Document {
    /// What the profile means here.
    ///
    /// # Errors
    ///
    /// What cannot be done (`SCMP_ACT_NOTIFY`), and what contradicts itself.
    pub fn profile(&self, here: Circumstances) -> Result<Profile, Failure> {
        if self
            .architectures
            .as_ref()
            .is_some_and(|list| !list.is_empty())
            && self.arch_map.as_ref().is_some_and(|list| !list.is_empty())
        {
            return Err(refuse("it has both architectures and archMap".into()));
        }
        if self.listener_path.is_some() || self.listener_metadata.is_some() {
            return Err(refuse(
                "listenerPath: keelbox has no listener for it".into(),
            ));
        }
        let (number, name) = (self.default_errno_ret, self.default_errno.as_deref());
        let default = action("defaultAction", self.default_action, number, name)?;
        let mut rules = Vec::new();
        for (index, entry) in self.syscalls.iter().flatten().enumerate() {
            let place = format!("syscalls[{index}]");
            entry.check_kernel_texts(&place)?;
            if entry.counts(here) {
                entry.add_to(&mut rules, &place, default)?;
            }
        }
        // Stable: those of one kind stay in order.
        rules.sort_by_key(|rule| !rule.args.is_empty());
        Ok(Profile {
            default_action: default,
            unknown_action: match default {
                Action::Allow | Action::Log => default,
                // As runc: a call that is newer than the profile does not exist, so that libraries fall back.
                _ => Action::Errno(ENOSYS),
            },
            compat: self.has_compat(here.arch),
            rules,
        })
    }

    /// Whether calls of the machine's 32-bit ABI are let in at all.
    fn has_compat(&self, arch: Arch) -> bool {
        let (native, compat) = match arch {
            Arch::X86_64 => (Architecture::X86_64, Architecture::X86),
            Arch::Aarch64 => (Architecture::Aarch64, Architecture::Arm),
        };
        let listed = self
            .architectures
            .iter()
            .flatten()
            .any(|one| *one == compat);
        let mut maps = self.arch_map.iter().flatten();
        listed
            || maps.any(|map| {
                let below = map.sub_architectures.iter().flatten();
                map.architecture == native && below.into_iter().any(|one| *one == compat)
            })
    }
}

impl Entry {
    fn counts(&self, here: Circumstances) -> bool {
        let empty = Filter::default();
        let includes = self.includes.as_ref().unwrap_or(&empty);
        let excludes = self.excludes.as_ref().unwrap_or(&empty);
        let arch = match here.arch {
            Arch::X86_64 => "amd64",
            Arch::Aarch64 => "arm64",
        };
        let is_here = |list: &Vec<String>| list.iter().any(|one| one == arch);
        let kept = |cap: &String| {
            capabilities::bit(cap).is_some_and(|bit| here.capabilities & (1 << bit) != 0)
        };
        let since = |version: &String| kernel(version).is_some_and(|least| here.kernel >= least);
        includes.caps.iter().flatten().all(kept)
            && !excludes.caps.iter().flatten().any(kept)
            && includes
                .arches
                .as_ref()
                .is_none_or(|list| list.is_empty() || is_here(list))
            && !excludes.arches.as_ref().is_some_and(is_here)
            && includes
                .min_kernel
                .iter()
                .filter(|text| !text.is_empty())
                .all(since)
            && !excludes.min_kernel.iter().any(since)
    }

    fn add_to(&self, rules: &mut Vec<Rule>, place: &str, default: Action) -> Result<(), Failure> {
        let names = self.names(place)?;
        let wanted = action(place, self.action, self.errno_ret, self.errno.as_deref())?;
        if wanted == default {
            return Ok(());
        }
        let mut conditions = Vec::new();
        for (index, argument) in self.args.iter().flatten().enumerate() {
            if argument.index > 5 {
                let index_place = format!("{place}.args[{index}].index");
                return Err(refuse(format!(
                    "{index_place}: calls have arguments 0 to 5"
                )));
            }
            conditions.push(comparison(*argument));
        }
        let mut indexes: Vec<_> = conditions.iter().map(|condition| condition.index).collect();
        indexes.sort_unstable();
        let repeats = indexes.windows(2).any(|pair| pair.first() == pair.last());
        let alternatives = if repeats {
            conditions.into_iter().map(|one| vec![one]).collect()
        } else {
            vec![conditions]
        };
        for name in names {
            for conditions in &alternatives {
                let args: Vec<_> = conditions
                    .iter()
                    .map(|condition| as_kernel_reads(name, *condition))
                    .collect();
                push(rules, name, wanted, args);
            }
        }
        Ok(())
    }

    fn names(&self, place: &str) -> Result<&[String], Failure> {
        match (&self.name, self.names.as_deref().unwrap_or_default()) {
            (Some(name), []) => Ok(std::slice::from_ref(name)),
            (Some(_), _) => Err(refuse(format!("{place} has both name and names"))),
            (None, names) => Ok(names),
        }
    }

    fn check_kernel_texts(&self, place: &str) -> Result<(), Failure> {
        let filters = [&self.includes, &self.excludes];
        let mut texts = filters
            .into_iter()
            .flatten()
            .filter_map(|filter| filter.min_kernel.as_deref());
        match texts.find(|text| !text.is_empty() && kernel(text).is_none()) {
            Some(text) => Err(refuse(format!(
                "{place}: minKernel {text:?} is not VERSION.REVISION"
            ))),
            None => Ok(()),
        }
    }
}

/// Names that share everything share a rule.
fn push(rules: &mut Vec<Rule>, name: &str, action: Action, args: Vec<ArgCmp>) {
    let name = Cow::Owned(name.to_owned());
    match rules.last_mut() {
        Some(last) if last.action == action && last.args == args && !last.names.contains(&name) => {
            last.names.push(name);
        }
        _ => rules.push(Rule {
            names: vec![name],
            action,
            args,
        }),
    }
}

fn comparison(argument: Argument) -> ArgCmp {
    let (operator, value) = match argument.op {
        OperatorName::Ne => (Operator::Ne, argument.value),
        OperatorName::Lt => (Operator::Lt, argument.value),
        OperatorName::Le => (Operator::Le, argument.value),
        OperatorName::Eq => (Operator::Eq, argument.value),
        OperatorName::Ge => (Operator::Ge, argument.value),
        OperatorName::Gt => (Operator::Gt, argument.value),
        OperatorName::MaskedEq => (
            Operator::MaskedEq {
                mask: argument.value,
            },
            argument.value_two.unwrap_or(0),
        ),
    };
    ArgCmp {
        index: argument.index,
        operator,
        value,
        width: Width::Full,
    }
}

fn action(
    place: &str,
    name: ActionName,
    number: Option<u32>,
    errno: Option<&str>,
) -> Result<Action, Failure> {
    let errno = || -> Result<u16, Failure> {
        let named = errno.filter(|name| !name.is_empty());
        let number = match (number, named) {
            (Some(number), _) => number,
            (None, None) => EPERM,
            (None, Some("EPERM")) => EPERM,
            (None, Some("EACCES")) => 13,
            (None, Some("ENOSYS")) => ENOSYS.into(),
            (None, Some("EINVAL")) => 22,
            (None, Some(name)) => {
                return Err(refuse(format!("{place}: errno {name:?} without errnoRet")));
            }
        };
        // MAX_ERRNO of the kernel: seccomp would cut it off.
        let small = u16::try_from(number).ok().filter(|errno| *errno <= 4095);
        small.ok_or_else(|| refuse(format!("{place}: {number} is no errno")))
    };
    Ok(match name {
        ActionName::Allow => Action::Allow,
        ActionName::Errno => Action::Errno(errno()?),
        ActionName::KillThread => Action::KillThread,
        ActionName::KillProcess => Action::Kill,
        ActionName::Trap => Action::Trap,
        ActionName::Log => Action::Log,
        ActionName::Trace => Action::Trace(errno()?),
        ActionName::Notify => {
            return Err(refuse(format!(
                "{place}: SCMP_ACT_NOTIFY needs a listener, and keelbox has none"
            )));
        }
    })
}

fn kernel(text: &str) -> Option<(u32, u32)> {
    let (version, revision) = text.split_once('.')?;
    Some((version.parse().ok()?, revision.parse().ok()?))
}
