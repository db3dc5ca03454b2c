//! Namespaces of others: containers and paths of a request, looked up and held open until the start has taken them over.

mod file;
mod other;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::failure::{Code, Failure};
use keelbox_spec::host::HostFacts;
use keelbox_spec::image::ImageConfig;
use keelbox_spec::namespaces::{
    Asked, Found, Join, Source, User, Userns, check_largest, decide, pool,
};
use keelbox_spec::op::namespace;
use keelbox_spec::request::RunRequest;

use crate::caller;
pub(crate) use crate::namespaces::file::number as file_number;
pub(crate) use crate::namespaces::other::Other;
use crate::roots::Roots;

/// What a request's namespaces came to.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// As asked for.
    pub(crate) asked: Asked,
    /// As found.
    pub(crate) found: Found,
    /// The namespaces of `found.joins` in the same order, and the mount namespace that shared memory comes from.
    pub(crate) fds: Vec<OwnedFd>,
    /// A share in the lock on the ids of the user namespace that is entered.
    pub(crate) range: Option<OwnedFd>,
    /// Whose that is.
    owner: Option<(OwnedFd, String)>,
}

impl Looked {
    /// Reads the request, and opens what it names.
    ///
    /// # Errors
    ///
    /// A word, container or path that cannot be used; two that belong to different user namespaces.
    pub(crate) fn up(roots: &Roots, request: &RunRequest) -> Result<Self, Failure> {
        let asked = Asked::read(request)?;
        let mut looked = Self {
            asked: asked.clone(),
            ..Self::default()
        };
        let usual = matches!(asked.user, User::Usual);
        // Root without a user namespace has rights over everybody's.
        let stays_root =
            caller::is_host_root() && (asked.user == User::Host || usual && request.privileged);
        for (kind, source, flag) in asked.sources() {
            looked.source(roots, kind, source, flag, !stays_root)?;
        }
        if let User::Join(source) = &asked.user {
            looked.user_source(roots, source)?;
        }
        if let Source::Container(name) = &asked.ipc.source {
            looked.shared_memory(roots, name)?;
        }
        Ok(looked)
    }

    fn source(
        &mut self,
        roots: &Roots,
        kind: u64,
        source: &Source,
        flag: &str,
        with_user: bool,
    ) -> Result<(), Failure> {
        match source {
            Source::New | Source::Host => Ok(()),
            Source::Container(name) => {
                let other = Other::find(roots, name)?;
                let namespace = other.open(kind)?;
                if other.has_callers_ids()? {
                    self.found.without_userns = Some(other.whose());
                    self.found.foreign |= kind;
                } else if with_user {
                    self.enter_user_of(&other)?;
                }
                if kind == namespace::CLONE_NEWUTS {
                    self.found.hostname = other.hostname();
                }
                self.enter(kind, namespace, other.whose());
                Ok(())
            }
            Source::Path(path) => {
                let namespace = file::open(flag, path, kind)?;
                let owner = owner(flag, path, namespace.as_fd())?;
                if is_own(owner.as_fd(), namespace::CLONE_NEWUSER) {
                    self.found.foreign |= kind;
                } else if with_user {
                    self.enter_user(owner, path, None)?;
                }
                self.enter(kind, namespace, path.clone());
                Ok(())
            }
        }
    }

    fn user_source(&mut self, roots: &Roots, source: &Source) -> Result<(), Failure> {
        match source {
            Source::Container(name) => {
                let other = Other::find(roots, name)?;
                if other.has_callers_ids()? {
                    return Ok(());
                }
                self.enter_user_of(&other)
            }
            Source::Path(path) => {
                let user = file::open("--userns", path, namespace::CLONE_NEWUSER)?;
                if is_own(user.as_fd(), namespace::CLONE_NEWUSER) {
                    return Ok(());
                }
                self.enter_user(user, path, None)
            }
            Source::New | Source::Host => Ok(()),
        }
    }

    /// Notes a namespace, unless it is the caller's own already.
    fn enter(&mut self, kind: u64, namespace: OwnedFd, whose: String) {
        if is_own(namespace.as_fd(), kind) {
            self.found.host |= kind;
            return;
        }
        self.found.joins.push(Join { kind, whose });
        self.fds.push(namespace);
    }

    fn enter_user_of(&mut self, other: &Other) -> Result<(), Failure> {
        let user = other.open(namespace::CLONE_NEWUSER)?;
        let is_first = self.owner.is_none();
        self.enter_user(user, &other.whose(), Some(other))?;
        if is_first && caller::is_host_root() {
            self.range = Some(other.share_range()?);
        }
        Ok(())
    }

    /// Goes before all others: rights over them come with it.
    fn enter_user(
        &mut self,
        user: OwnedFd,
        whose: &str,
        other: Option<&Other>,
    ) -> Result<(), Failure> {
        if let Some((first, its)) = &self.owner {
            if file::is_same(first.as_fd(), user.as_fd()) {
                return Ok(());
            }
            return Err(Failure::new(
                Code::InvalidArg,
                format!("the namespaces of {its} and of {whose} cannot be joined together"),
            )
            .why("they belong to two user namespaces, and a process can be in one only")
            .hint(
                "join namespaces of one container, or of containers that share a user namespace",
            ));
        }
        let ids = match other {
            Some(other) => Some(other.ids()?),
            None => file::member(user.as_fd()).and_then(|process| file::ids(&process)),
        };
        self.found.ids = Some(ids.ok_or_else(|| nobody(whose))?);
        let kept = user.try_clone().map_err(|_| nobody(whose))?;
        self.owner = Some((kept, whose.to_owned()));
        let join = Join {
            kind: namespace::CLONE_NEWUSER,
            whose: whose.to_owned(),
        };
        self.found.joins.insert(0, join);
        self.fds.insert(0, user);
        Ok(())
    }

    /// Whoever has a container's semaphores has its /dev/shm too; with this machine's namespace it is this machine's.
    fn shared_memory(&mut self, roots: &Roots, name: &str) -> Result<(), Failure> {
        let joined = self.found.joins.iter();
        if !joined
            .clone()
            .any(|join| join.kind == namespace::CLONE_NEWIPC)
        {
            return Ok(());
        }
        let other = Other::find(roots, name)?;
        self.fds.push(other.open(namespace::CLONE_NEWNS)?);
        self.found.shm_of = Some(other.whose());
        Ok(())
    }

    /// How many ids of the pool the container is to have.
    pub(crate) fn range(
        &self,
        request: &RunRequest,
        image: &ImageConfig,
        host: &HostFacts,
    ) -> Result<u32, Failure> {
        let userns = decide(&self.asked, &self.found, request, image, host)?;
        if host.is_rootless() || userns != Userns::Own {
            return Ok(0);
        }
        check_largest(&self.asked.user, image)?;
        Ok(pool(&self.asked.user, image))
    }
}

fn is_own(namespace: BorrowedFd<'_>, kind: u64) -> bool {
    file::own(kind).is_some_and(|own| file::is_same(own.as_fd(), namespace))
}

fn owner(flag: &str, path: &str, namespace: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    keelbox_sys::namespace::owner(namespace).map_err(|errno| {
        Failure::new(
            Code::Permission,
            format!("{flag}=ns:{path} cannot be joined"),
        )
        .why(format!(
            "it belongs to a user namespace that yours has no rights over ({})",
            errno.text()
        ))
        .hint("run keelbox as the user who made it")
    })
}

fn nobody(whose: &str) -> Failure {
    Failure::new(
        Code::Userns,
        format!("the user namespace of {whose} cannot be joined"),
    )
    .why("no process that you can see is in it, so its ids are not known")
    .hint("join it while one of its processes runs")
}
