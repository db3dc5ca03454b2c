//! Typed messages with fds over SEQPACKET sockets.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keelbox_spec::op::SLOTS;
use keelbox_sys::{Errno, Result};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message; the texts in them are cut to fit.
const LONGEST: usize = 4096;
/// As many fds as there are slots.
const MOST_FDS: usize = SLOTS;

/// Two connected sockets that keep messages apart.
///
/// # Errors
///
/// The kernel's: EMFILE.
pub fn seqpacket_pair() -> Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Sends one message, with fds.
///
/// # Errors
///
/// EPIPE: the other side is gone. EAGAIN: a non-blocking socket is full.
pub fn send<M: Serialize>(socket: impl AsFd, message: &M, fds: &[BorrowedFd<'_>]) -> Result<()> {
    let mut buffer = [0; LONGEST];
    let bytes = postcard::to_slice(message, &mut buffer).map_err(|_| Errno::E2BIG)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::E2BIG);
    }
    rustix::net::sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// A message and the fds that came along.
#[derive(Debug)]
pub struct Received<M> {
    /// The message.
    pub message: M,
    /// The fds, marked close-on-exec.
    pub fds: Vec<OwnedFd>,
}

/// Receives one message; None: the other side has closed.
///
/// # Errors
///
/// EPROTO for a datagram that is no such message; the kernel's.
pub fn receive<M: DeserializeOwned>(socket: impl AsFd) -> Result<Option<Received<M>>> {
    let mut buffer = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        match rustix::net::recvmsg(&socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            other => break other?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let bytes = buffer.get(..received.bytes).unwrap_or_default();
    let message = postcard::from_bytes(bytes).map_err(|_| Errno::EPROTO)?;
    Ok(Some(Received { message, fds }))
}
