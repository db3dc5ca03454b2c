//! The processes of a container, read from this machine's /proc: nothing of the container is executed or entered
//! (CVE-2022-1227).
//!
//! They are those of its pid namespace, or without one of its own those of its mount namespace, with what was started in it
//! later.

mod columns;
mod process;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::op::namespace;
use serde::Serialize;

use crate::exec::target::not_running;
use crate::list;
use crate::namespaces::{Other, file_number};
use crate::roots::Roots;
use columns::{Column, columns};
use process::Process;

/// A heading, and a row for each process.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessList {
    /// The heading.
    pub titles: Vec<String>,
    /// The rows, of the heading's length.
    pub processes: Vec<Vec<String>>,
}

/// Lists the processes of a container that runs. No descriptors: docker's columns.
///
/// # Errors
///
/// No such container (exit code 1), one that does not run, a word that is no column.
pub fn top(roots: &Roots, reference: &str, descriptors: &[String]) -> Result<ProcessList, Failure> {
    let columns = columns(descriptors)?;
    let id = list::find(roots, reference)?;
    let other = Other::running(roots, reference, id).filter(Other::is_alive);
    let other = other.ok_or_else(|| not_running(reference).exit_code(1))?;
    let denied = |errno: keelbox_sys::Errno| {
        Failure::new(
            Code::Permission,
            format!("cannot look at {}", other.whose()),
        )
        .why(errno.text())
        .hint("run keelbox as the user whose container it is")
    };
    let mask = other.namespaces().map_err(denied)?;
    let kind = if mask & namespace::CLONE_NEWPID != 0 {
        namespace::CLONE_NEWPID
    } else {
        namespace::CLONE_NEWNS
    };
    let wanted = file_number(&other.pid().to_string(), kind).map_err(denied)?;
    let members = members(|process| file_number(process, kind) == Ok(wanted));
    Ok(ProcessList {
        titles: columns.iter().map(Column::title).collect(),
        processes: members
            .iter()
            .map(|process| columns.iter().map(|column| column.value(process)).collect())
            .collect(),
    })
}

fn members(is_member: impl Fn(&str) -> bool) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut members: Vec<_> = names
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|name| is_member(name))
        .filter_map(|name| Process::read(&name))
        .collect();
    members.sort_by_key(|process| process.pid);
    members
}
