//! Giving the writable layer of an ordinary user's container to the container's root.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;

use keelbox_rootfs::{Fault, Outcome};
use keelbox_spec::op::Op;
use keelbox_sys::Errno;

use crate::mapped::{Maps, as_mapped_root};

/// Applies [`Op::OwnLayers`], as root of a namespace with all the caller's ids: only that may give a file to one of them.
///
/// # Errors
///
/// The namespace cannot be made or mapped; EPERM when one of the files cannot be given away.
pub(crate) fn own(op: &Op) -> Outcome {
    let Op::OwnLayers {
        uids,
        gids,
        data,
        layers,
        skeleton,
        owner,
        open,
    } = op
    else {
        return Err(Fault::new("plan", Errno::EPROTO));
    };
    let (uids, gids) = (uids.clone(), gids.clone());
    let path = |text: &std::ffi::CString| Path::new(OsStr::from_bytes(text.to_bytes())).to_owned();
    let data = path(data);
    let give = || -> io::Result<()> {
        if *open {
            // It lies in a directory that is the caller's alone.
            fs::set_permissions(&data, fs::Permissions::from_mode(0o711))?;
        }
        let layers: Vec<_> = layers.iter().map(|layer| data.join(path(layer))).collect();
        if let (Some(skeleton), Some(layer)) = (skeleton, layers.first()) {
            copy(&path(skeleton), layer, *owner)?;
        }
        layers
            .iter()
            .try_for_each(|layer| lchown(layer, Some(owner.0), Some(owner.1)))
    };
    as_mapped_root(&Maps { uids, gids }, || give().is_ok()).map_err(|fault| {
        if fault.errno == Errno::EIO {
            Fault::new("fchownat", Errno::EPERM).on(data.to_string_lossy())
        } else {
            fault
        }
    })
}

/// Copies the directories and links of a skeleton, which we have made ourselves.
fn copy(from: &Path, to: &Path, owner: (u32, u32)) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::create_dir(&target)?;
            copy(&entry.path(), &target, owner)?;
            // All of it is here: the one below may be closed to the container's root.
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(&target, c"user.overlay.opaque", b"y", flags)?;
            fs::set_permissions(&target, entry.metadata()?.permissions())?;
        }
        lchown(&target, Some(owner.0), Some(owner.1))?;
    }
    Ok(())
}
