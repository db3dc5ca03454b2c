/**
 * The words of the flags about namespaces, as given: `crates/spec/src/namespaces` knows what they mean. Mirrors
 * `crates/spec/src/request/namespaces.rs`.
 */
export interface NamespacesRequest {
  /** `private`, `host`, `container:NAME` or `ns:PATH`; so are the next three. Default: private. */
  pid?: string;
  /** Also `none` (no /dev/shm) and `shareable`. */
  ipc?: string;
  uts?: string;
  cgroup?: string;
  /** `[boottime=|monotonic=]OFFSET`, with commas between. */
  timeOffset?: string;
  /** `[FLAGS]CONTAINER[:HOST[:COUNT]]` each. */
  uidMap?: string[];
  gidMap?: string[];
  /** Whose ranges of /etc/subuid and /etc/subgid are mapped. */
  subuidName?: string;
  subgidName?: string;
}
