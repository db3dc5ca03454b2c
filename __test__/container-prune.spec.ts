/** What removes many at once: `container prune` and `system prune`, and the question before. */
import {lane} from './helpers/lane';
import {answered, asked, refusedStub} from './helpers/stubbed';

const test = lane({host: true});
const [heron, wren] = ['b', 'c'].map(letter => letter.repeat(64));

test('container prune prints what went, as docker', t => {
  t.deepEqual(asked(t, 'container prune -f'), {
    actions: [{verb: 'prune'}],
    stdout: `Deleted Containers:\n${heron}\n${wren}\n\nTotal reclaimed space: 4.1kB\n`,
  });
});

test('container prune --filter hands on those that match', t => {
  const candidates = (...filters: string[]) => {
    const words = filters.flatMap(filter => ['--filter', filter]);
    const [action] = asked(t, ['container', 'prune', '-f', ...words]).actions;
    return action?.candidates;
  };
  t.deepEqual(candidates('label=tier=front'), [heron]);
  t.deepEqual(candidates('label!=tier'), ['a'.repeat(64), wren]);
  t.deepEqual(candidates('until=24h'), [wren]);
  t.deepEqual(candidates('until=1h30m', 'label=tier'), [heron]);
  t.deepEqual(candidates('until=2001-01-01'), []);
  refusedStub(t, 'container prune -f --filter until=noon', /expected a duration such as 24h, or a date/);
  refusedStub(t, 'container prune -f --filter name=x', /unknown filter "name"/);
});

test('without -f and without a terminal nothing is removed', t => {
  for (const verb of ['container prune', 'system prune', 'image prune', 'volume prune'])
    refusedStub(
      t,
      verb,
      new RegExp(`nobody can be asked\\n {2}why: stdin is no terminal\\n {2}fix: .*keelbox ${verb} -f`),
    );
});

test('system prune takes containers, images, and with --volumes volumes, and says what was left over', t => {
  const stdout = answered(t, 'system prune -f --volumes');
  t.regex(stdout, /^Deleted Containers:\n/);
  t.regex(stdout, /\nDeleted Volumes:\nv1\n\n/);
  t.regex(stdout, /\nDeleted Images:\nuntagged: x:1\ndeleted: sha256:1\n\n/);
  t.regex(stdout, /\nDeleted Leftovers:\n\/nowhere\/left\n\n/);
  t.notRegex(stdout, /\/proc\/self/);
  t.regex(stdout, /\nTotal reclaimed space: 4\.12kB\n$/);
  t.notRegex(answered(t, 'system prune -f'), /Volumes/);
  refusedStub(t, 'system prune -f --volumes --filter until=1h', /not supported with --volumes/);
});
