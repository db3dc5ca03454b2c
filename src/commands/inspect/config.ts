/** `Config`: what runs in the container. */
import type {ContainerDetails, LifeRequest} from '../../native';

const nanoseconds = 1e6;

export function config(container: ContainerDetails): Record<string, unknown> {
  const {image, request, imageConfig, env, workingDir, user, hostname, labels, stopSignal, stopTimeout} = container;
  const {life = {}, tty = false, interactive = false} = request;
  const attached = life.attach ?? (life.detach ? [] : [...(interactive ? ['stdin'] : []), 'stdout', 'stderr']);
  const exposed = {
    ...record(imageConfig.ExposedPorts),
    ...Object.fromEntries((life.expose ?? []).map(port => [port, {}])),
  };
  const healthcheck = healthcheckOf(life.health, checkOf(imageConfig.Healthcheck));
  return {
    Hostname: hostname,
    Domainname: request.confinement?.domainname ?? '',
    User: user,
    AttachStdin: attached.includes('stdin'),
    AttachStdout: attached.includes('stdout'),
    AttachStderr: attached.includes('stderr'),
    ...(Object.keys(exposed).length > 0 && {ExposedPorts: exposed}),
    Tty: tty,
    OpenStdin: interactive,
    StdinOnce: attached.includes('stdin'),
    Env: env,
    Cmd: commandOf(container),
    ...(healthcheck !== undefined && {Healthcheck: healthcheck}),
    Image: image,
    Volumes: imageConfig.Volumes ?? null,
    WorkingDir: workingDir,
    Entrypoint: request.entrypoint ?? imageConfig.Entrypoint ?? null,
    OnBuild: null,
    Labels: labels,
    StopSignal: stopSignal,
    StopTimeout: stopTimeout,
  };
}

/** The image's words stand for none of one's own, unless its entry point was replaced too. */
function commandOf({request, imageConfig}: ContainerDetails): unknown {
  if (request.command.length > 0) return request.command;
  return request.entrypoint ? null : (imageConfig.Cmd ?? null);
}

/** What was said, over what the image says. */
function healthcheckOf(
  health: LifeRequest['health'],
  ofImage: Readonly<Record<string, unknown>>,
): Record<string, unknown> | undefined {
  const given = {
    Test: health?.test,
    Interval: times(health?.interval),
    Timeout: times(health?.timeout),
    StartPeriod: times(health?.startPeriod),
    StartInterval: times(health?.startInterval),
    Retries: health?.retries,
  };
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const all = {...ofImage, ...said};
  return Object.keys(all).length > 0 ? all : undefined;
}

function times(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds * nanoseconds;
}

/** The image's check, or its test alone. */
function checkOf(value: unknown): Readonly<Record<string, unknown>> {
  return Array.isArray(value) ? {Test: value} : record(value);
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
