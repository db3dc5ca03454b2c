/** What the container may do, beyond the words that `docker run` had first. Mirrors `request/confinement.rs`. */
export interface ConfinementRequest {
  /** A container engine works inside: namespaces and mounts are open to it, inside its own user namespace. */
  nested?: boolean;
  /** An AppArmor profile, or `unconfined`. */
  apparmor?: string;
  /** Absolute paths to hide, beyond the usual ones. */
  masks?: string[];
  /** Patterns of usual paths not to hide, nor to make read-only. */
  unmasks?: string[];
  /** Options of /proc, `hidepid=VALUE`. */
  procOptions?: string[];
  /** The container may change its own control group. */
  writableCgroups?: boolean;
  /** Settings of the container's own namespaces, `KEY=VALUE`. */
  sysctls?: string[];
  /** `TYPE=SOFT[:HARD]`, or `host`. */
  ulimits?: string[];
  /** More groups of the user, by name or number, or `keep-groups`. */
  groupAdd?: string[];
  /** The command's umask. Default 0o022. */
  umask?: number;
  /** Whom the kernel ends first when memory is short: -1000 (never) to 1000. */
  oomScoreAdj?: number;
  /** The NIS domain name. */
  domainname?: string;
  /** `LINUX` or `LINUX32`. */
  personality?: string;
  /** `KEY=VALUE`, recorded and nothing else. */
  annotations?: string[];
  /** `KEY=VALUE`, recorded and nothing else. */
  labels?: string[];
  /** Variables of the image and of the engine that the command does not get. */
  unsetEnv?: string[];
  /** The command gets no variable but those that the request names. */
  unsetEnvAll?: boolean;
  /** /etc/hosts stays as the image has it. */
  noHosts?: boolean;
  /** /etc/hostname stays as the image has it. */
  noHostname?: boolean;
}
