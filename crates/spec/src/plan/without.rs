//! What a container does without because this machine has refused it: found out by trying, never by a version.

/// Everything that has an older or plainer way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// Id-mapped mounts of this machine's own directories, for the image `host`: its programs are read-only then.
    pub mapped_system: bool,
    /// Id-mapped volumes: what they hold belongs to nobody, unless the user namespace is given up.
    pub mapped_volumes: bool,
    /// An overlay as the root of the image `host`: the root is a directory of the container's own then.
    pub overlay: bool,
    /// A writable layer on disk: it is in memory then, and ends with the container.
    pub disk_layer: bool,
}
