import type {LaterOptions} from '../definition';

/** The rest of what docker, podman and `cli.md` have for `run` and `create`: known, parsed, answered with "not yet". */
export const laterRunOptions: LaterOptions = {
  boolean: `
    publish-all/P disable-content-trust http-proxy no-dns oom-kill-disable passwd rmi read-only-tmpfs tls-verify
    use-api-socket health-first-log landlock`,
  list: `
    add-host blkio-weight-device build-arg cap cgroup-conf chrootdirs decryption-key
    device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-opt dns-option
    dns-search env-merge gpus group-entry hostuser hosts-file link link-local-ip network-alias net-alias
    passwd-entry publish/p requires secret storage-opt egress io-max io-maxbandwidth io-maxiops`,
  value: `
    arch authfile blkio-weight cert-dir cgroup-parent cgroups conmon-pidfile cpu-count cpu-percent cpu-period
    cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares/c cpus cpuset-cpus cpuset-mems creds
    health-log-destination health-max-log-count health-max-log-size health-startup-cmd health-startup-interval
    health-startup-retries health-startup-success health-startup-timeout image-volume init-ctr init-path
    ip ip6 isolation kernel-memory mac-address memory/m memory-high memory-reservation memory-swap
    memory-swappiness os pids-limit platform pod pod-id-file preserve-fd preserve-fds pull rdt-class retry
    retry-delay runtime sched sdnotify seccomp-policy shm-size-systemd systemd variant`,
};
