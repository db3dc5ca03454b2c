//! Devices of the host that a request names.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::plan::HostDevice;
use keelbox_spec::request::DeviceRequest;
use keelbox_sys::Errno;

/// Directories below one that was named; deeper ones are no part of any /dev.
const DEEPEST: u8 = 16;

/// The nodes; of a directory, every one in it.
pub(super) fn gather(asked: &[DeviceRequest]) -> Result<Vec<HostDevice>, Failure> {
    let mut found = Vec::new();
    for device in asked {
        let (source, target) = (device.source.as_str(), device.target.as_str());
        let refuse = |why: &str| {
            Failure::new(Code::InvalidArg, format!("cannot add the device {source}"))
                .why(why)
                .hint("name a device node, or a directory of them: ls -l /dev")
                .path(source)
        };
        let stat = fs::metadata(source).map_err(|error| refuse(Errno::from(error).text()))?;
        if stat.is_dir() {
            let before = found.len();
            walk(Path::new(source), Path::new(target), DEEPEST, &mut found);
            if found.len() == before {
                return Err(refuse("there is no device in it"));
            }
        } else {
            let node = node(source, target, &stat).ok_or_else(|| refuse("it is not a device"))?;
            found.push(node);
        }
    }
    Ok(found)
}

fn walk(source: &Path, target: &Path, depth: u8, found: &mut Vec<HostDevice>) {
    for entry in fs::read_dir(source).into_iter().flatten().flatten() {
        let (source, target) = (entry.path(), target.join(entry.file_name()));
        // Not through links: they may lead to devices that were not meant.
        let Ok(stat) = entry.metadata() else { continue };
        if stat.is_dir() && depth > 0 {
            walk(&source, &target, depth - 1, found);
        } else if let (Some(source), Some(target)) = (source.to_str(), target.to_str()) {
            found.extend(node(source, target, &stat));
        }
    }
}

fn node(source: &str, target: &str, stat: &Metadata) -> Option<HostDevice> {
    let (kind, rdev) = (stat.file_type(), stat.rdev());
    let block = kind.is_block_device();
    (block || kind.is_char_device()).then(|| HostDevice {
        source: source.to_owned(),
        target: target.to_owned(),
        block,
        major: rustix::fs::major(rdev),
        minor: rustix::fs::minor(rdev),
        mode: stat.permissions().mode() & 0o777,
        owner: (stat.uid(), stat.gid()),
    })
}
