import {engine} from '../engine';
import {notYet} from '../errors/keelbox-error';
import type {HostReport} from '../native';
import {writeOut} from '../output/write';
import {defineCommand} from './definition';

export const infoCommand = defineCommand({
  path: ['info'],
  aliases: [['system', 'info']],
  summary: 'Show what keelbox found on this machine',
  positionals: {usage: '', min: 0, max: 0},
  options: {
    format: {kind: 'value', short: 'f', value: 'json', group: 'Output', help: 'As JSON'},
    json: {kind: 'boolean', group: 'Output', help: 'The same as --format json'},
  },
  execute(options) {
    if (options.format !== undefined && options.format !== 'json') {
      throw notYet(`keelbox info --format '${options.format}'`);
    }
    const host = engine().info();
    writeOut(options.json || options.format ? `${JSON.stringify(host, null, 2)}\n` : infoText(host));
    return 0;
  },
});

function infoText(host: HostReport): string {
  const controllers = Object.entries(host.controllers).map(([name, place]) => `${name} (${place})`);
  const {total, running, exited} = host.containers;
  const rows: [string, string][] = [
    ['Version', host.version],
    ['Runtime', host.runtimePath],
    ['Kernel', `${host.kernel} ${host.arch}`],
    ['Mode', host.rootless ? 'rootless' : 'root'],
    ['State', host.root],
    ['Run state', host.runRoot],
    ['Cgroups', host.cgroups],
    ['Controllers', controllers.join(', ') || 'none that can be used'],
    ['AppArmor', host.apparmor ? 'on' : 'off'],
    ['User ids', host.idRange],
    ['Containers', `${total} (${running} running, ${exited} exited)`],
  ];
  return rows.map(([name, value]) => `${`${name}:`.padEnd(13)} ${value}\n`).join('');
}
