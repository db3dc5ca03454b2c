//! What a request's root is made of: read from the machine before anything is made.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::image::{ImageConfig, Root};
use keelbox_spec::request::{MountRequest, RootRequest, RunRequest, SeccompRequest};
use keelbox_spec::seccomp_profile::{self, Document};

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
    let is_stored = matches!(&request.root, RootRequest::Image { name } if name != "host");
    let mounts_one = |mount: &MountRequest| matches!(mount, MountRequest::Image { .. });
    // Another container's mounts are not looked at yet.
    let may_mount =
        request.mounts.iter().any(mounts_one) || !request.storage.volumes_from.is_empty();
    if is_stored || may_mount {
        return images::hold(roots);
    }
    Ok(None)
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

/// The seccomp profile that the request names: a regular file, of a bounded size, in docker's JSON.
pub(crate) fn seccomp(request: &RunRequest) -> Result<Option<Document>, Failure> {
    let SeccompRequest::Profile(path) = &request.seccomp else {
        return Ok(None);
    };
    let refuse = |why: String| {
        Failure::new(
            Code::InvalidArg,
            format!("cannot use the seccomp profile {path}"),
        )
        .why(why)
        .path(path)
        .hint("name a file in docker's format: --security-opt seccomp=FILE; or seccomp=default, seccomp=unconfined")
    };
    let text = read_regular(Path::new(path), seccomp_profile::LIMIT).map_err(refuse)?;
    let document = serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
    Ok(Some(document))
}

/// A file's content. Not that of a pipe or a device: those may never end.
fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let said = |error: std::io::Error| keelbox_sys::Errno::from(error).text().to_owned();
    let mut options = fs::OpenOptions::new();
    let options = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).map_err(said)?;
    if !file.metadata().map_err(said)?.is_file() {
        return Err("it is not a regular file".into());
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(said)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(format!("it exceeds {limit} bytes"));
    }
    Ok(bytes)
}
