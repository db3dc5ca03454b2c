//! How often the kernel has ended a process of a group for want of memory.

use std::ffi::CString;

/// The kills that the groups count, of those that do: v2's `memory.events`, v1's `memory.oom_control` (Linux 4.13).
#[must_use]
pub fn oom_kills(groups: &[CString]) -> u64 {
    let counted = groups.iter().filter_map(|group| {
        let group = group.to_str().ok()?;
        ["memory.events", "memory.oom_control"]
            .iter()
            .find_map(|name| std::fs::read_to_string(format!("{group}/{name}")).ok())
    });
    counted.filter_map(|text| in_file(&text)).sum()
}

fn in_file(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::in_file;

    #[test]
    fn both_files_have_the_line() {
        let v2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n";
        assert_eq!((in_file(v2), in_file(v1)), (Some(2), Some(5)));
        assert_eq!(in_file("oom_kill_disable 0\n"), None);
    }
}
