import type {LaterOptions} from '../definition';

/** The rest of what docker, podman and `cli.md` have for `run` and `create`: known, parsed, answered with "not yet". */
export const laterRunOptions: LaterOptions = {
  boolean: `
    detach/d publish-all/P disable-content-trust http-proxy no-healthcheck no-dns
    oom-kill-disable passwd replace rmi read-only-tmpfs sig-proxy tls-verify use-api-socket health-first-log
    landlock`,
  list: `
    add-host attach/a blkio-weight-device build-arg cap cgroup-conf chrootdirs decryption-key
    device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-opt dns-option
    dns-search env-merge expose gpus group-entry hostuser hosts-file link link-local-ip log-opt network-alias net-alias
    passwd-entry publish/p requires secret storage-opt egress io-max io-maxbandwidth io-maxiops`,
  value: `
    arch authfile blkio-weight cert-dir cgroup-parent cgroups conmon-pidfile cpu-count cpu-percent cpu-period
    cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares/c cpus cpuset-cpus cpuset-mems creds detach-keys
    health-cmd health-interval health-log-destination health-max-log-count health-max-log-size health-on-failure
    health-retries health-start-interval health-start-period health-startup-cmd health-startup-interval
    health-startup-retries health-startup-success health-startup-timeout health-timeout image-volume init-ctr init-path
    ip ip6 isolation kernel-memory log-driver mac-address memory/m memory-high memory-reservation memory-swap
    memory-swappiness os pids-limit platform pod pod-id-file preserve-fd preserve-fds pull rdt-class restart retry
    retry-delay runtime sched sdnotify seccomp-policy shm-size-systemd stop-signal stop-timeout systemd timeout
    tz variant`,
};
