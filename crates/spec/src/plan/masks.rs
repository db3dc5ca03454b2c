//! The masks, as steps.

use crate::failure::Failure;
use crate::mask;
use crate::op::Op;
use crate::plan::{Context, Steps, slots, text};

/// The masks, once the mounts that they go over are there.
pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let named =
        |(path, kind): (String, mask::Kind)| Ok((text(path)?, kind == mask::Kind::Directory));
    let proc = mask::PROC
        .iter()
        .map(|(path, kind)| named(((*path).to_owned(), *kind)))
        .collect::<Result<_, Failure>>()?;
    steps.init(
        Op::Mask {
            base: slots::PROC,
            paths: proc,
        },
        "kernel memory, addresses and keys are nobody's business",
    );
    let sys = mask::sys(context.host)
        .into_iter()
        .map(named)
        .collect::<Result<_, Failure>>()?;
    steps.init(
        Op::Mask {
            base: slots::SYS,
            paths: sys,
        },
        "firmware tables and side channels such as power and heat",
    );
    let paths = mask::PROC_READ_ONLY
        .iter()
        .map(|path| text(*path))
        .collect::<Result<_, Failure>>()?;
    steps.init(
        Op::ReadOnlyPaths {
            base: slots::PROC,
            paths,
        },
        "kernel settings can be read, not changed",
    );
    Ok(())
}
