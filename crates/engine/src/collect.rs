//! Clearing up after what was killed half-way. Every command that starts does it first.
//!
//! What a container needs on the host lives no longer than its processes, but for its directories, its control groups and
//! its name. A state directory whose lock is free has no supervisor any more: whatever it stood for is ended and removed.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::config::{self, Config, State};
use crate::event;
use crate::facts;
use crate::images;
use crate::names;
use crate::roots::Roots;
use crate::store::{is_unlinked, open_directory, remove_path, try_lock};
use crate::volumes;

/// Removes what is nobody's.
pub(crate) fn collect(roots: &Roots) {
    for id in entries(&roots.running()) {
        let path = roots.running().join(&id);
        let Ok(state) = open_directory(&path) else {
            continue;
        };
        if try_lock(&state) && !is_unlinked(&state) {
            clear(roots, &id, state);
        }
    }
    for id in entries(&roots.containers()) {
        let Some(_unused) = unused(roots, &id) else {
            continue;
        };
        if !roots.running().join(&id).exists() && is_leftover(roots, &id) {
            remove_container(roots, &id);
        }
    }
}

/// The lock of a data directory that no supervisor has, whatever run root that was started with. Gone is not unused.
pub(crate) fn unused(roots: &Roots, id: &str) -> Option<OwnedFd> {
    let data = open_directory(&roots.containers().join(id)).ok()?;
    (try_lock(&data) && !is_unlinked(&data)).then_some(data)
}

pub(crate) fn entries(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// A data directory without a state directory is a stopped container, unless it was to go with its container, or was never
/// finished.
fn is_leftover(roots: &Roots, id: &str) -> bool {
    let path = roots.containers().join(id);
    match config::read::<Config>(&path, "config.json") {
        Some(config) => config.rm && config.begun,
        // One that is damaged is somebody's container still.
        None if path.join("config.json").exists() => false,
        // Another container's start may have made it since the list was read: its state directory came before.
        None => !roots.running().join(id).exists(),
    }
}

/// Ends and removes a container whose supervisor is gone. `state` is its locked state directory.
fn clear(roots: &Roots, id: &str, state: OwnedFd) {
    let (state_path, data_path) = (roots.running().join(id), roots.containers().join(id));
    if let Some(record) = config::read::<State>(&state_path, "state.json") {
        end(&record);
    }
    let config = config::read::<Config>(&data_path, "config.json");
    let groups: Vec<_> = match &config {
        Some(config) => config
            .cgroups
            .iter()
            .filter_map(|path| CString::new(path.as_str()).ok())
            .collect(),
        None => facts::cgroup_paths(id),
    };
    keelbox_supervisor::remove_cgroups(&groups);
    match config {
        Some(config) if !config.begun => {}
        Some(config) if !config.rm => record_unknown_exit(&data_path),
        None if data_path.join("config.json").exists() => {}
        _ => remove_container(roots, id),
    }
    remove_path(&state_path);
    drop(state);
}

/// Ends the first process if it is still that one: the number, the time of its start and the boot are the same.
fn end(record: &State) {
    if record.boot_id != facts::boot_id() {
        return;
    }
    let Some(pid) = Pid::from_raw(record.pid) else {
        return;
    };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if keelbox_supervisor::start_time(record.pid) != Some(record.start_time) {
        return;
    }
    let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    let mut fds = [rustix::event::PollFd::new(
        &pidfd,
        rustix::event::PollFlags::IN,
    )];
    let second = rustix::event::Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    let _ = rustix::event::poll(&mut fds, Some(&second));
}

/// Nobody saw the end, so nobody knows how it was: 137 is what a container killed with its supervisor would have had.
fn record_unknown_exit(data: &Path) {
    if !data.join("exit.json").exists() {
        let text = format!(
            "{{\"exitCode\":137,\"signal\":9,\"oomKilled\":false,\"finishedAt\":{}}}\n",
            config::now()
        );
        // Whole or not at all: half a record would stay, and say nothing for ever.
        let temporary = data.join(".exit");
        if std::fs::write(&temporary, text).is_ok() {
            let _ = std::fs::rename(&temporary, data.join("exit.json"));
        }
    }
}

/// Removes a container's name and data directory. The configuration goes first and the directory last: a removal that is cut
/// short leaves a directory without configuration, which the next command takes for what it is.
pub(crate) fn remove_container(roots: &Roots, id: &str) {
    let path = roots.containers().join(id);
    let config = config::read::<Config>(&path, "config.json");
    if let Some(config) = config.as_ref().filter(|config| config.rm) {
        volumes::drop_unused(roots, id, &volumes::anonymous_of(config));
    }
    if let Some(config) = &config {
        event::record_of(roots, "destroy", config, &[]);
    }
    let images = config.iter().flat_map(Config::images).cloned();
    let images: Vec<_> = images.collect();
    let _ = std::fs::remove_file(path.join("config.json"));
    remove_name(roots, id, config);
    remove_path(&path);
    for image in images {
        images::after_container(roots, &image);
    }
}

fn remove_name(roots: &Roots, id: &str, config: Option<Config>) {
    match config {
        Some(config) if names::resolve(roots, &config.name).as_deref() == Some(id) => {
            let _ = std::fs::remove_file(roots.names().join(&config.name));
        }
        Some(_) => {}
        // Cut short before it was written down; the link, if there is one, names its id.
        None => {
            for name in entries(&roots.names()) {
                if names::resolve(roots, &name).as_deref() == Some(id) {
                    let _ = std::fs::remove_file(roots.names().join(name));
                }
            }
        }
    }
}
