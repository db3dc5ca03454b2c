/** `--network` and `--userns`: the words that are understood today. */
import {invalidArgument, notYet} from '../../errors/keelbox-error';

export function readNetwork(network: string): 'none' | 'host' {
  if (network === 'none' || network === 'host') return network;
  if (network === '') throw invalidArgument('invalid value "" for --network', {why: 'expected none or host'});
  throw notYet(`keelbox run --network ${network}`);
}

export function readUserns(userns: string): 'auto' | 'host' {
  if (userns === 'auto' || userns === 'host') return userns;
  if (/^(auto:|keep-id|nomap|private|container:|ns:)/.test(userns)) throw notYet(`keelbox run --userns ${userns}`);
  throw invalidArgument(`invalid value "${userns}" for --userns`, {why: 'expected auto or host'});
}
