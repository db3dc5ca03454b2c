//! /dev: the nodes that programs expect, and those of the host that were asked for.

use std::path::Path;

use crate::failure::{Code, Failure};
use crate::host::DeviceNode;
use crate::op::{Bind, BindIds, Depth, Device, Op, Storage, Target, Travel};
use crate::plan::{Context, HostDevice, Steps, slots, text};

/// The nodes that programs expect, world-writable (OCI runtime-spec, "Default Devices").
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// What else /dev has of its own.
const OWN: [&str; 10] = [
    "pts", "shm", "mqueue", "console", "ptmx", "fd", "stdin", "stdout", "stderr", "core",
];

pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let devices = devices(context)?;
    if !context.host.is_rootless() {
        let make = Op::MakeDevices {
            slot: slots::DEV,
            devices: devices.clone(),
            // Even where mounts cannot be mapped: they are made for this container, and can be given to it.
            map_ids: context.maps_ids(),
        };
        steps.launcher(
            make,
            "real device nodes need the host's root; the container gets just these",
        );
    }
    let attach = Op::AttachDevices {
        slot: slots::DEV,
        devices,
    };
    steps.init(attach, "the few devices that programs expect, and no other");
    Ok(())
}

fn devices(context: &Context<'_>) -> Result<Vec<Device>, Failure> {
    let mut list = Vec::new();
    for (path, major, minor) in DEVICES {
        list.push(Device {
            path: text(path)?,
            source: text(format!("/dev/{path}"))?,
            block: false,
            major,
            minor,
            mode: 0o666,
            owner: (0, 0),
        });
    }
    let all = context.request.privileged && !context.host.is_rootless();
    let host = context.host.devices.iter().filter(|_| all);
    for node in host.chain(&context.host.confinement.nested_devices) {
        add(&mut list, whole(node)?);
    }
    for device in &context.place.storage.devices {
        if let Some(path) = below_dev(&device.target)? {
            add(&mut list, asked_for(device, path)?);
        }
    }
    Ok(list)
}

fn whole(node: &DeviceNode) -> Result<Device, Failure> {
    Ok(Device {
        path: text(node.path.as_str())?,
        source: text(format!("/dev/{}", node.path))?,
        block: node.block,
        major: node.major,
        minor: node.minor,
        mode: node.mode,
        owner: (0, 0),
    })
}

fn asked_for(device: &HostDevice, path: &str) -> Result<Device, Failure> {
    Ok(Device {
        path: text(path)?,
        source: text(device.source.as_str())?,
        block: device.block,
        major: device.major,
        minor: device.minor,
        mode: device.mode,
        owner: device.owner,
    })
}

/// The first of a name stays: the standard ones, then what `--privileged` shows.
fn add(list: &mut Vec<Device>, device: Device) {
    if !list.iter().any(|other| other.path == device.path) {
        list.push(device);
    }
}

/// A device's path below /dev; None: it goes elsewhere.
fn below_dev(target: &str) -> Result<Option<&str>, Failure> {
    let Some(path) = target.strip_prefix("/dev/") else {
        return Ok(None);
    };
    let first = path.split('/').next().unwrap_or_default();
    if path.is_empty()
        || OWN.contains(&first)
        || path.split('/').any(|part| matches!(part, "" | "." | ".."))
    {
        let why = "the container's own /dev has something else there";
        return Err(
            Failure::new(Code::InvalidArg, format!("cannot put a device at {target}"))
                .why(why)
                .hint("choose another path: --device HOST:CONTAINER")
                .path(target),
        );
    }
    Ok(Some(path))
}

/// Devices outside /dev: the host's own nodes, bound one by one.
pub(crate) fn elsewhere(
    context: &Context<'_>,
    steps: &mut Steps,
    next: &mut super::volumes::Free,
) -> Result<(), Failure> {
    for device in &context.place.storage.devices {
        if below_dev(&device.target)?.is_some() {
            continue;
        }
        if !Path::new(&device.target).is_absolute() {
            let what = format!(
                "the device's path in the container, {:?}, is not absolute",
                device.target
            );
            return Err(
                Failure::new(Code::InvalidArg, what).hint("write --device /dev/HOST:/dev/NAME")
            );
        }
        super::volumes::check_target(&device.target)?;
        let slot = next.take()?;
        let bind = Bind {
            slot,
            source: text(device.source.as_str())?,
            subpath: None,
            depth: Depth::One,
            attributes: crate::op::attribute::MOUNT_ATTR_NOSUID
                | crate::op::attribute::MOUNT_ATTR_NOEXEC,
            top_attributes: 0,
            travel: Travel::Private,
            ids: BindIds::Plain,
        };
        let why = "the host's own node, as --device asks";
        steps.push(
            context.mounting_side(),
            Op::Storage(Storage::Bind(bind)),
            why,
        );
        super::volumes::attach_to(steps, slot, &device.target, Target::File, why)?;
    }
    Ok(())
}
