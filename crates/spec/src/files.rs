//! The files that an engine puts into every container: hostname, hosts, resolv.conf.

use crate::host::HostFacts;

/// Path below /etc and content.
pub type File = (&'static str, Vec<u8>);

/// The files of a container called `hostname`.
#[must_use]
pub fn make(hostname: &str, has_hosts_network: bool, host: &HostFacts) -> [File; 3] {
    let (hosts, resolv_conf) = if has_hosts_network {
        (host.hosts.clone(), host.resolv_conf.clone())
    } else {
        // No name server: the resolver then asks 127.0.0.1, where nobody listens, and fails at once instead of waiting.
        (loopback_hosts(hostname), b"# no network\n".to_vec())
    };
    [
        ("hostname", format!("{hostname}\n").into_bytes()),
        ("hosts", hosts),
        ("resolv.conf", resolv_conf),
    ]
}

fn loopback_hosts(hostname: &str) -> Vec<u8> {
    format!(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t{hostname}\n"
    )
    .into_bytes()
}
