//! An entry for a user that the container's /etc/passwd and /etc/group may lack.

use std::os::fd::BorrowedFd;

use keelbox_rootfs::{Outcome, etc_files};
use keelbox_spec::op::Account;

use crate::user;

/// Puts files of ours over /etc/passwd and /etc/group, with all that these have and the account; what the root itself has
/// is not changed.
///
/// # Errors
///
/// The kernel's; E2BIG for a file that is too large.
pub(crate) fn add(root: BorrowedFd<'_>, account: &Account) -> Outcome {
    let passwd = user::read(root, c"etc/passwd")?;
    let group = user::read(root, c"etc/group")?;
    let Account {
        name,
        uid,
        gid,
        home,
    } = account;
    let mut files = Vec::new();
    if !has_id(&passwd, *uid) {
        let name = free_name(&passwd, name, *uid);
        let line = format!("{name}:x:{uid}:{gid}::{home}:/bin/sh\n");
        files.push((c"passwd".to_owned(), with_line(passwd, &line)));
    }
    if !has_id(&group, *gid) {
        let name = free_name(&group, name, *gid);
        files.push((
            c"group".to_owned(),
            with_line(group, &format!("{name}:x:{gid}:\n")),
        ));
    }
    if files.is_empty() {
        return Ok(());
    }
    etc_files(root, &files)
}

/// Both files have the id as their third field.
fn has_id(text: &str, id: u32) -> bool {
    text.lines()
        .any(|line| line.split(':').nth(2).and_then(|id| id.parse().ok()) == Some(id))
}

/// Another user of that name is another user.
fn free_name(text: &str, name: &str, id: u32) -> String {
    let taken = text
        .lines()
        .any(|line| line.split(':').next() == Some(name));
    if taken {
        format!("user{id}")
    } else {
        name.to_owned()
    }
}

fn with_line(mut text: String, line: &str) -> Vec<u8> {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_after_the_last_one() {
        assert_eq!(with_line("a:x:1".into(), "b:x:2\n"), b"a:x:1\nb:x:2\n");
        assert_eq!(with_line(String::new(), "b:x:2\n"), b"b:x:2\n");
    }

    #[test]
    fn a_name_that_is_taken_is_not_taken_twice() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbob:x:1:1::/:/bin/sh\n";
        assert!(has_id(passwd, 1) && !has_id(passwd, 1000));
        assert_eq!(free_name(passwd, "bob", 1000), "user1000");
        assert_eq!(free_name(passwd, "eve", 1000), "eve");
    }
}
