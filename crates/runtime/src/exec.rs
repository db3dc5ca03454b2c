//! The role `exec`: a command in a container that runs.

use keelbox_spec::start::exec_fds as fds;
use keelbox_supervisor::{ExecInherited, exec};

use crate::roles::{FAILED, begin, read_message};

/// Starts the command of the message, and stays beside it.
pub(crate) fn role() -> i32 {
    begin();
    let Ok([control, message, stdout, stderr, terminal, journal]) =
        keelbox_sys::fd::inherit::<6>(fds::CONTROL)
    else {
        return FAILED;
    };
    let Some(start) = read_message(&message) else {
        return FAILED;
    };
    exec(
        &start,
        ExecInherited {
            control,
            drains: [stdout, stderr],
            terminal,
            journal,
        },
    );
    0
}
