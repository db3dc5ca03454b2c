//! Mounts that are not attached yet, in words.

use std::ffi::CString;

use super::{attributes_suffix, show};
use crate::op::{Device, Lower, Op, Upper};

pub(super) fn detail(op: &Op) -> String {
    match op {
        Op::CloneTree {
            source,
            recursive,
            attributes,
            map_ids,
            ..
        } => clone_tree(source, *recursive, *attributes, *map_ids),
        Op::Overlay {
            lower,
            upper,
            volatile,
            userxattr,
            ..
        } => overlay(lower, upper, *volatile, *userxattr),
        Op::NewMount {
            fstype,
            options,
            attributes,
            ..
        } => {
            let options = mount_options(options);
            format!(
                "{}{options}{}",
                show(fstype),
                attributes_suffix(*attributes)
            )
        }
        Op::MemoryLayer {
            directories,
            map_ids,
            ..
        } => {
            let names: Vec<_> = directories.iter().map(show).collect();
            let mapped = if *map_ids { ", MOUNT_ATTR_IDMAP" } else { "" };
            format!("tmpfs, mode=0755, with {}{mapped}", names.join(" "))
        }
        Op::BorrowMount { path, whose, .. } => {
            format!(
                "open_tree({}, OPEN_TREE_CLONE) in the mount namespace of {whose}",
                show(path)
            )
        }
        Op::MakeDevices {
            devices, map_ids, ..
        } => {
            format!(
                "a tmpfs with {}{}",
                nodes(devices),
                if *map_ids { ", MOUNT_ATTR_IDMAP" } else { "" }
            )
        }
        _ => String::new(),
    }
}

fn clone_tree(source: &CString, recursive: bool, attributes: u64, map_ids: bool) -> String {
    let deep = if recursive { "|AT_RECURSIVE" } else { "" };
    let mapped = if map_ids {
        ", MOUNT_ATTR_IDMAP through the container's user namespace"
    } else {
        ""
    };
    format!(
        "open_tree({}, OPEN_TREE_CLONE{deep}){}{mapped}",
        show(source),
        attributes_suffix(attributes)
    )
}

fn mount_options(options: &[(CString, Option<CString>)]) -> String {
    let shown = options.iter().map(|(key, value)| match value {
        Some(value) => format!(", {}={}", show(key), show(value)),
        None => format!(", {}", show(key)),
    });
    shown.collect()
}

fn overlay(lower: &[Lower], upper: &Upper, volatile: bool, userxattr: bool) -> String {
    let lower: Vec<_> = lower.iter().map(|layer| show(&layer.path)).collect();
    let (base, upper, work) = (show(&upper.path), show(&upper.upper), show(&upper.work));
    let volatile = if volatile { ", volatile" } else { "" };
    let userxattr = if userxattr { ", userxattr" } else { "" };
    format!(
        "overlay, lowerdir={}, upperdir={base}/{upper}, workdir={base}/{work}{volatile}{userxattr}",
        lower.join(":")
    )
}

pub(super) fn nodes(devices: &[Device]) -> String {
    devices
        .iter()
        .map(|device| show(&device.path))
        .collect::<Vec<_>>()
        .join(" ")
}
