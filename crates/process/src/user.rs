//! Who the command runs as: `name|uid[:group|gid]`, looked up in the container's own /etc/passwd and /etc/group.
//!
//! The files are an image's, so they are read as data, from a regular file inside the root, and with a limit; no NSS, which
//! would load the image's libraries (CVE-2019-14271). Digits are always an id, never a name (CVE-2016-3697).

use std::io::Read;
use std::os::fd::BorrowedFd;

use keelbox_rootfs::{Fault, Outcome, open_file};
use keelbox_spec::op::User;
use keelbox_sys::Errno;

/// What runc, podman and docker read at most of such a file (CVE-2026-47262).
const LIMIT: u64 = 10 * 1024 * 1024;

/// A user, as found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups, the primary one included: without it a file's "others" would count (CVE-2022-2989).
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// Finds `spec` in the root.
///
/// # Errors
///
/// A fault of the call `user` or `group` with ENOENT: no such name. EINVAL: no valid id. The kernel's when reading.
pub(crate) fn find(root: BorrowedFd<'_>, wanted: &User) -> Outcome<Identity> {
    let passwd = read(root, c"etc/passwd")?;
    let group = read(root, c"etc/group")?;
    let mut found = resolve(&wanted.spec.to_string_lossy(), &passwd, &group)?;
    for added in &wanted.add_groups {
        let gid = group_id(&added.to_string_lossy(), &group)?;
        if !found.groups.contains(&gid) {
            found.groups.push(gid);
        }
    }
    Ok(found)
}

/// A file of the root's, as text; what is not there is empty.
///
/// # Errors
///
/// E2BIG: it is larger than anybody's. The kernel's.
pub(crate) fn read(root: BorrowedFd<'_>, path: &std::ffi::CStr) -> Outcome<String> {
    let Some(file) = open_file(root, path, LIMIT)? else {
        return Ok(String::new());
    };
    let mut bytes = Vec::new();
    let read = std::fs::File::from(file)
        .take(LIMIT)
        .read_to_end(&mut bytes);
    read.map_err(|error| Fault::new("read", error).on(path.to_string_lossy()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn resolve(spec: &str, passwd: &str, group: &str) -> Outcome<Identity> {
    let (user, group_spec) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (spec, None),
    };
    let (uid, entry) = user_entry(if user.is_empty() { "0" } else { user }, passwd)?;
    let name = entry.as_ref().map(|entry| entry.name);
    let gid = match group_spec {
        Some(group_spec) => group_id(group_spec, group)?,
        None => entry.as_ref().map_or(0, |entry| entry.gid),
    };
    let mut groups = vec![gid];
    if group_spec.is_none() {
        groups.extend(memberships(name, group).filter(|other| *other != gid));
    }
    let home = entry
        .map(|entry| entry.home)
        .filter(|home| !home.is_empty())
        .unwrap_or("/");
    Ok(Identity {
        uid,
        gid,
        groups,
        home: home.to_owned(),
    })
}

struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn entries(passwd: &str) -> impl Iterator<Item = Entry<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, uid, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
        Some(Entry {
            name,
            uid: number(uid)?,
            gid: number(gid)?,
            home: fields.nth(1).unwrap_or_default(),
        })
    })
}

fn user_entry<'a>(user: &str, passwd: &'a str) -> Outcome<(u32, Option<Entry<'a>>)> {
    if is_digits(user) {
        let uid = number(user).ok_or_else(|| Fault::new("user", Errno::EINVAL).on(user))?;
        return Ok((uid, entries(passwd).find(|entry| entry.uid == uid)));
    }
    let entry = entries(passwd).find(|entry| entry.name == user);
    let entry = entry.ok_or_else(|| Fault::new("user", Errno::ENOENT).on(user))?;
    Ok((entry.uid, Some(entry)))
}

fn group_id(spec: &str, group: &str) -> Outcome<u32> {
    if is_digits(spec) {
        return number(spec).ok_or_else(|| Fault::new("group", Errno::EINVAL).on(spec));
    }
    let mut lines = group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, number(fields.nth(1)?)?))
    });
    lines
        .find(|(name, _)| *name == spec)
        .map(|(_, gid)| gid)
        .ok_or_else(|| Fault::new("group", Errno::ENOENT).on(spec))
}

fn memberships<'a>(name: Option<&'a str>, group: &'a str) -> impl Iterator<Item = u32> + 'a {
    group.lines().filter_map(move |line| {
        let mut fields = line.split(':');
        let gid = number(fields.nth(2)?)?;
        let members = fields.next()?;
        members
            .split(',')
            .any(|member| Some(member.trim()) == name)
            .then_some(gid)
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An id: digits only, and not 2^32-1, which setresuid(2) takes for "as it is".
fn number(text: &str) -> Option<u32> {
    is_digits(text)
        .then(|| text.parse().ok())
        .flatten()
        .filter(|id| *id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n1000:x:0:0::/evil:/bin/sh\nbob:x:1001:1002::/home/bob:/bin/sh\nbad\n";
    const GROUP: &str =
        "root:x:0:\nbin:x:1:root,daemon\nbob:x:1002:\nwheel:x:10:alice,bob\nbroken:x\n";

    fn groups(spec: &str) -> Vec<u32> {
        resolve(spec, PASSWD, GROUP).unwrap().groups
    }

    #[test]
    fn digits_are_an_id_even_when_a_user_has_that_name() {
        let found = resolve("1000", PASSWD, GROUP).unwrap();
        assert_eq!((found.uid, found.gid, found.home.as_str()), (1000, 0, "/"));
    }

    #[test]
    fn a_name_brings_its_group_home_and_memberships() {
        let found = resolve("bob", PASSWD, GROUP).unwrap();
        assert_eq!(
            (found.uid, found.gid, found.home.as_str()),
            (1001, 1002, "/home/bob")
        );
        assert_eq!(found.groups, [1002, 10]);
        assert_eq!(groups(""), [0, 1]);
        assert_eq!(
            groups("bob:bin"),
            [1],
            "a group that is given is the only one"
        );
    }

    #[test]
    fn what_is_no_user_is_refused() {
        assert_eq!(
            resolve("eve", PASSWD, GROUP).unwrap_err().errno,
            Errno::ENOENT
        );
        for spec in ["4294967295", "4294967296", "99999999999"] {
            assert_eq!(
                resolve(spec, PASSWD, GROUP).unwrap_err().errno,
                Errno::EINVAL,
                "{spec}"
            );
        }
        for spec in ["-1", "0x10", "+5", " 5"] {
            assert_eq!(
                resolve(spec, PASSWD, GROUP).unwrap_err().errno,
                Errno::ENOENT,
                "{spec}"
            );
        }
        assert_eq!(resolve("0:nope", PASSWD, GROUP).unwrap_err().call, "group");
    }

    #[test]
    fn a_root_without_passwd_still_has_ids() {
        let found = resolve("5:6", "", "").unwrap();
        assert_eq!((found.uid, found.gid, found.groups), (5, 6, vec![6]));
    }
}
