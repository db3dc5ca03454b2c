import {codePages} from './codes';
import {topicPages} from './topics';

/** Other words for a topic. */
const synonyms: Readonly<Record<string, string>> = {
  namespace: 'namespaces',
  userns: 'user_namespaces',
  'user-namespaces': 'user_namespaces',
  'user namespaces': 'user_namespaces',
  overlayfs: 'overlay',
  cgroup: 'cgroups',
  capability: 'capabilities',
  caps: 'capabilities',
  nnp: 'no_new_privs',
  'no-new-privileges': 'no_new_privs',
  propagation: 'mount_propagation',
  'mount propagation': 'mount_propagation',
  idmap: 'idmapped_mounts',
  'idmapped mounts': 'idmapped_mounts',
  host: 'host_image',
  'host image': 'host_image',
  pid1: 'pid_1',
  'pid 1': 'pid_1',
  init: 'pid_1',
  'masked paths': 'masked_paths',
  chroot: 'pivot_root',
};

export function pageNames(): string[] {
  return [...Object.keys(topicPages), ...Object.keys(synonyms), ...Object.keys(codePages)];
}

/** Case, and the difference between "-", "_" and " ", do not matter. */
export function findPage(name: string): string | undefined {
  const key = name.trim().toLowerCase();
  const topic = synonyms[key] ?? key.replace(/[- ]/g, '_');
  const code = topic.toUpperCase();
  const body = topicPages[topic] ?? codePages[code] ?? codePages[`ERR_KEELBOX_${code}`];
  return body === undefined ? undefined : body.trim();
}

export function topicList(): string {
  const topics = Object.entries(topicPages).map(([name, page]) => `  ${name.padEnd(18)}${titleOf(name, page)}\n`);
  const codes = Object.keys(codePages).map(code => `  ${code}\n`);
  return [
    `Topics:\n${topics.join('')}`,
    `Error codes:\n${codes.join('')}`,
    'keelbox explain NAME shows the page; keelbox run --dry-run host -- true shows what a start is made of.\n',
  ].join('\n');
}

/** A page begins with `name: title`. */
function titleOf(name: string, page: string): string {
  return (page.trim().split('\n')[0] ?? '').replace(`${name}: `, '');
}
