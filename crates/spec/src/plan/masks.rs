//! The masks, as steps: the usual ones less what `unmask` names, and what `mask` adds.

use crate::failure::{Code, Failure};
use crate::image::Root;
use crate::mask::{self, matches};
use crate::op::{Confine, Op};
use crate::plan::{Context, Steps, slots, text};

/// The masks, once the mounts that they go over are there.
pub(crate) fn make(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    if context.choices.masked_paths {
        usual(context, steps)?;
    }
    Ok(())
}

/// What `mask` adds, when nothing of ours looks at paths any more: /etc/passwd may be among them.
pub(crate) fn add(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    private(context, steps)?;
    let asked = &context.request.confinement.masks;
    if asked.is_empty() {
        return Ok(());
    }
    let hide = Op::Confine(Confine::HidePaths {
        paths: asked
            .iter()
            .map(|path| hidden(path))
            .collect::<Result<_, _>>()?,
    });
    steps.init(hide, "as --security-opt mask= asks");
    Ok(())
}

/// What only root may read, of an image that is this machine, for a root that is this machine's too.
fn private(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let Root::Host(host) = &context.image.root else {
        return Ok(());
    };
    if host.private.is_empty() {
        return Ok(());
    }
    let paths = host.private.iter().map(|path| text(path.as_str()));
    let hide = Op::Confine(Confine::HidePaths {
        paths: paths.collect::<Result<_, _>>()?,
    });
    steps.init(
        hide,
        "not for everybody on this machine, and the container's root has the owner's id",
    );
    Ok(())
}

fn hidden(path: &str) -> Result<std::ffi::CString, Failure> {
    let names = path.split('/').filter(|part| !part.is_empty());
    if path.starts_with('/') && names.clone().count() > 0 && !names.clone().any(|part| part == "..")
    {
        return text(path);
    }
    Err(
        Failure::new(Code::InvalidArg, format!("cannot mask {path:?}"))
            .why("it is not an absolute path of something in the container")
            .hint("write --security-opt mask=/proc/PATH, several with colons between them"),
    )
}

fn usual(context: &Context<'_>, steps: &mut Steps) -> Result<(), Failure> {
    let unmasks = &context.request.confinement.unmasks;
    let stays = |base: &str, path: &str| {
        unmasks.is_empty() || {
            let path = format!("{base}/{path}");
            !unmasks.iter().any(|pattern| matches(pattern, &path))
        }
    };
    let named =
        |(path, kind): (String, mask::Kind)| Ok((text(path)?, kind == mask::Kind::Directory));
    let proc = mask::PROC
        .iter()
        .filter(|(path, _)| stays("/proc", path))
        .map(|(path, kind)| named(((*path).to_owned(), *kind)))
        .collect::<Result<_, Failure>>()?;
    let hide = Op::Mask {
        base: slots::PROC,
        paths: proc,
    };
    steps.init(
        hide,
        "kernel memory, addresses and keys are nobody's business",
    );
    let sys = mask::sys(context.host)
        .into_iter()
        .filter(|(path, _)| stays("/sys", path))
        .map(named)
        .collect::<Result<_, Failure>>()?;
    let hide = Op::Mask {
        base: slots::SYS,
        paths: sys,
    };
    steps.init(
        hide,
        "firmware tables and side channels such as power and heat",
    );
    let paths = mask::PROC_READ_ONLY
        .iter()
        .filter(|path| stays("/proc", path))
        .map(|path| text(*path))
        .collect::<Result<_, Failure>>()?;
    let guard = Op::ReadOnlyPaths {
        base: slots::PROC,
        paths,
    };
    steps.init(guard, "kernel settings can be read, not changed");
    Ok(())
}
