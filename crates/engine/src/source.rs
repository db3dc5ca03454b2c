//! What a request's root is made of, and what its mounts are: read from the machine before anything is made.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::{ImageConfig, Root};
use keelbox_spec::request::{MountRequest, RootRequest, RunRequest};

use crate::roots::Roots;
use crate::{binaries, host_root, images};

/// The image of a request; with `make`, what is made once for all its containers is made now.
pub(crate) fn image(
    roots: &Roots,
    request: &RunRequest,
    make: bool,
) -> Result<ImageConfig, Failure> {
    match &request.root {
        RootRequest::Image { name } if name == "host" => host_root::image(roots, make),
        RootRequest::Image { name } => images::image_config(roots, name),
        RootRequest::Binaries { programs } => binaries::image(roots, programs, make),
        RootRequest::Rootfs { path, overlay } => rootfs(path, *overlay),
    }
}

/// The store's lock, for a request whose image is in the store.
pub(crate) fn hold(roots: &Roots, request: &RunRequest) -> Result<Option<OwnedFd>, Failure> {
    match &request.root {
        RootRequest::Image { name } if name != "host" => images::hold(roots),
        _ => Ok(None),
    }
}

/// What to tell of an image for another kind of machine: its programs run only where the kernel has an emulator for them.
pub(crate) fn notice(image: &ImageConfig) -> Option<String> {
    let stored = image.stored.as_ref()?;
    let machine = keelbox_image::machine();
    (stored.architecture != machine && !stored.architecture.is_empty()).then(|| {
        format!(
            "the image {} is for {}, and this machine is {machine}",
            image.name, stored.architecture
        )
    })
}

fn rootfs(given: &str, overlay: bool) -> Result<ImageConfig, Failure> {
    let fail = |why: &str| {
        Failure::new(Code::Rootfs, format!("cannot use {given:?} as a root"))
            .why(why)
            .path(given)
            .hint("give --rootfs a directory that has the container's /bin, /usr and so on")
    };
    let path =
        fs::canonicalize(given).map_err(|error| fail(keelbox_sys::Errno::from(error).text()))?;
    if !path.is_dir() {
        return Err(fail("it is not a directory"));
    }
    if path == Path::new("/") {
        return Err(fail("it is this machine's own root")
            .hint("use the image `host`, which shows what of it is safe to show"));
    }
    let root = if overlay {
        Root::Layers(vec![path])
    } else {
        Root::InPlace(path)
    };
    Ok(ImageConfig {
        name: given.to_owned(),
        cmd: vec!["/bin/sh".into()],
        root,
        ..ImageConfig::default()
    })
}

/// Which of the bind sources are no directories; one that is missing is an error here, before anything is made.
pub(crate) fn file_sources(request: &RunRequest) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    for mount in &request.mounts {
        let MountRequest::Bind { source, .. } = mount else {
            continue;
        };
        let stat = fs::metadata(source).map_err(|error| {
            Failure::new(Code::Mount, format!("cannot mount {source}"))
                .why(keelbox_sys::Errno::from(error).text())
                .hint(format!(
                    "make it first (mkdir -p {source}), or correct the path"
                ))
                .path(source)
        })?;
        if !stat.is_dir() {
            files.push(source.clone());
        }
    }
    Ok(files)
}
