//! Volumes' operations in words.

use super::{attributes_suffix, maps, show};
use crate::op::{Bind, BindIds, CopySource, Depth, Storage};

pub(super) fn names(op: &Storage) -> (&'static str, &'static str) {
    match op {
        Storage::Bind(_) => ("bind", "open_tree"),
        Storage::FollowHost => ("follow-host", "mount"),
        Storage::CopyUp { .. } => ("copy-up", "copy_file_range"),
        Storage::Chown { .. } => ("chown", "fchownat"),
    }
}

pub(super) fn detail(op: &Storage) -> String {
    match op {
        Storage::Bind(of) => bind(of),
        Storage::FollowHost => "/, MS_REC|MS_SLAVE".into(),
        Storage::CopyUp { into, target } => {
            let into = match into {
                CopySource::Volume(_) => "the volume",
                CopySource::Fresh(_) => "the tmpfs",
            };
            format!("/{} into {into}, when that is empty", show(target))
        }
        Storage::Chown {
            user, read_only, ..
        } => {
            let user = show(user);
            let user = if user.is_empty() { "0" } else { &user };
            let then = if *read_only {
                "; then MOUNT_ATTR_RDONLY"
            } else {
                ""
            };
            format!("everything in it to {user}{then}")
        }
    }
}

fn bind(bind: &Bind) -> String {
    let below = bind
        .subpath
        .as_ref()
        .map(|path| format!("/{} (RESOLVE_BENEATH)", show(path)));
    let deep = if bind.depth == Depth::Tree {
        "|AT_RECURSIVE"
    } else {
        ""
    };
    let top = if bind.top_attributes == 0 {
        String::new()
    } else {
        format!("; of the top{}", attributes_suffix(bind.top_attributes))
    };
    let ids = match &bind.ids {
        BindIds::Plain => String::new(),
        BindIds::Container => {
            ", MOUNT_ATTR_IDMAP through the container's user namespace".to_owned()
        }
        BindIds::Given { uids, gids } => {
            format!(", MOUNT_ATTR_IDMAP uids {} gids {}", maps(uids), maps(gids))
        }
    };
    format!(
        "open_tree({}{}, OPEN_TREE_CLONE{deep}){}, {}{top}{ids}",
        show(&bind.source),
        below.unwrap_or_default(),
        attributes_suffix(bind.attributes),
        bind.travel.flag()
    )
}
