/** From samples to figures, and from figures to goals. */
import {CRUN, LIBRARY, NODE, OWN, OWN_USERNS, RUN} from './scenarios.mjs';

const MS = 1e6;

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** In milliseconds. */
export function figure(nanoseconds) {
  const sorted = nanoseconds.map(each => each / MS).sort((a, b) => a - b);
  return {n: sorted.length, min: sorted[0], p25: quantile(sorted, 0.25), median: quantile(sorted, 0.5)};
}

const ratio = (a, b) => value => a[value] / b[value];
const difference = (a, b) => value => a[value] - b[value];
const itself = a => value => a[value];

/** `[what, ours, the other's, how they are compared, limit, unit]`; issue 3 and performance.md have the limits. */
function timeGoals(pause) {
  const paused = [['executable, paused', OWN, OWN, itself, 4, 'ms']];
  const busy = [
    ['executable / crun', OWN, CRUN, ratio, 0.6, 'x'],
    ['the user namespace adds', OWN_USERNS, OWN, difference, 0.5, 'ms'],
    ['keelbox run --rm, beyond a bare node', RUN, NODE, difference, 12, 'ms'],
    ['library run()', LIBRARY, LIBRARY, itself, 5, 'ms'],
  ];
  return pause ? paused : busy;
}

/** Both the minimum and the median have to meet a goal. */
export function judgeTimes(figures, pause) {
  const known = timeGoals(pause).filter(([, ours, other]) => figures[ours] && figures[other]);
  return known.map(([what, ours, other, compare, limit, unit]) => {
    const value = compare(figures[ours], figures[other]);
    const [min, median] = [value('min'), value('median')];
    return {what, min, median, limit, unit, met: Math.max(min, median) <= limit};
  });
}

function atMost(what, value, limit, unit) {
  return {what, value, limit, unit, met: value <= limit};
}

/** What noise cannot touch; these fail a check. */
export function judgeCounts(counts, pss) {
  const own = counts[OWN];
  const mean = pss && pss.reduce((sum, each) => sum + each, 0) / pss.length;
  return [
    ...(own ? [atMost('system calls of the executable', own.calls, 450, '')] : []),
    ...(own ? [atMost('fsyncs of the executable', own.syncs, 0, '')] : []),
    ...(mean ? [atMost('PSS of a supervisor, mean of 20', mean, 150, 'kB')] : []),
  ];
}

/** Of issue 4; the minima, since a load is long. What is quick to make is no measure of milliseconds. */
export function judgeImages({isFull, figures, peak}, names) {
  const [load, podman, images, bare] = names.map(name => figures[name]);
  const counted = [
    ...(load && podman ? [atMost('keelbox load / podman load', load.min / podman.min, 0.33, 'x')] : []),
    ...(peak === undefined ? [] : [atMost('memory of a load, beyond a bare node', peak / 1024, 64, 'MiB')]),
  ];
  const timed = [
    ...(load && isFull ? [atMost('keelbox load', load.min, 650, 'ms')] : []),
    ...(images && bare ? [atMost('keelbox images, beyond a bare node', images.min - bare.min, 20, 'ms')] : []),
  ];
  return {counted, timed};
}
