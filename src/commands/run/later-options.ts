import type {LaterOptions} from '../definition';

/** The rest of what docker, podman and `cli.md` have for `run` and `create`: known, parsed, answered with "not yet". */
export const laterRunOptions: LaterOptions = {
  boolean: `
    detach/d publish-all/P disable-content-trust env-host http-proxy no-healthcheck no-hostname no-hosts no-dns
    oom-kill-disable passwd replace rmi read-only-tmpfs sig-proxy tls-verify unsetenv-all use-api-socket health-first-log
    landlock`,
  list: `
    add-host annotation attach/a blkio-weight-device build-arg cap cgroup-conf chrootdirs decryption-key device
    device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-opt dns-option
    dns-search env-merge expose gpus group-add group-entry hostuser hosts-file label-file label/l link
    link-local-ip log-opt network-alias net-alias passwd-entry publish/p requires secret storage-opt sysctl ulimit
    unsetenv volumes-from egress io-max io-maxbandwidth io-maxiops`,
  value: `
    arch authfile blkio-weight cert-dir cgroup-parent cgroups conmon-pidfile cpu-count cpu-percent cpu-period
    cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares/c cpus cpuset-cpus cpuset-mems creds detach-keys domainname
    health-cmd health-interval health-log-destination health-max-log-count health-max-log-size health-on-failure
    health-retries health-start-interval health-start-period health-startup-cmd health-startup-interval
    health-startup-retries health-startup-success health-startup-timeout health-timeout image-volume init-ctr init-path
    ip ip6 isolation kernel-memory log-driver mac-address memory/m memory-high memory-reservation memory-swap
    memory-swappiness oom-score-adj os personality pids-limit platform pod pod-id-file preserve-fd preserve-fds pull
    rdt-class restart retry retry-delay runtime sched sdnotify seccomp-policy shm-size shm-size-systemd stop-signal
    stop-timeout systemd timeout tz umask variant volume-driver from-binary`,
};
