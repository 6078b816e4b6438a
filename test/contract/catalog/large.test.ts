import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { loadSnapshot } from '../../../src/catalog/load.ts';
import type { Snapshot } from '../../../src/catalog/snapshot.ts';
import type { TargetId } from '../../../src/rbac/grants.ts';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import { type CatalogUnderTest, commandCounts, startCatalog, until } from '../support/live-catalog.ts';

/** A Redis of its own: what is read is counted. */
let server: Server;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** Larger than one step of a scan brings, several times. */
const USERS = 4_000;
const ALICE = 'USER:alice' as SubjectId;
const FAR_APART = ['user-0', 'user-1300', 'user-2600', 'user-3999'];

/** A hash of users, a set of members and the grants of one subject, all of them large. */
async function writeLarge({ other, names }: CatalogUnderTest): Promise<void> {
  const ids = Array.from({ length: USERS }, (_, n) => `user-${n}`);
  await other.hset(names.hash('users'), ...ids.flatMap((id) => [id, '{"name":"0"}']));
  await other.sadd(names.members('all'), ...ids);
  await other.hset(names.grants(ALICE), ...ids.flatMap((id) => [`PROMPT:${id}`, 'READ']));
}

/** One transaction, of which something is to be seen in every part of every large key and in small ones. */
async function writeRound({ other, names }: CatalogUnderTest, round: number): Promise<void> {
  const record = JSON.stringify({ name: `${round}` });
  const transaction = other.multi();
  for (const id of FAR_APART) transaction.hset(names.hash('users'), id, record);
  await transaction
    .srem(names.members('all'), `round-${round - 1}`)
    .sadd(names.members('all'), `round-${round}`)
    .hdel(names.grants(ALICE), `PROMPT:round-${round - 1}`)
    .hset(names.grants(ALICE), `PROMPT:round-${round}`, 'EXECUTE')
    .hset(names.hash('groups'), 'all', JSON.stringify({ description: `${round}` }))
    .exec();
}

/** Which rounds a snapshot shows: one, where it is not torn. */
function roundsIn(snapshot: Snapshot, rounds: number): Set<string | undefined> {
  const shown = new Set<string | undefined>(FAR_APART.map((id) => snapshot.user(id)?.name ?? undefined));
  shown.add(snapshot.group('all')?.description ?? undefined);
  for (let round = 1; round <= rounds; round += 1) {
    if (snapshot.groupsOf(`round-${round}`).length > 0) shown.add(`${round}`);
    if (snapshot.grantsOf(ALICE).has(`PROMPT:round-${round}` as TargetId)) shown.add(`${round}`);
  }
  return shown;
}

describe.each([
  ['is told of changes', false],
  ['polls', true],
])('large keys of a catalog that %s', (_, polled) => {
  it('show what one transaction wrote together, though it was written while they were read', async () => {
    await using under = await startCatalog(server.url, { polled, load: false });
    const { names, catalog, seen } = under;
    await writeLarge(under);
    await writeRound(under, 1);
    await under.loaded();
    const keys = [names.hash('users'), names.members('all'), names.grants(ALICE), names.hash('groups')];
    const rounds = 60;
    for (let round = 2; round <= rounds; round += 2) {
      await writeRound(under, round);
      const refreshed = catalog.refresh(keys);
      await sleep(Math.random() * 15);
      await writeRound(under, round + 1);
      await refreshed;
      await catalog.refresh(keys);
      expect(roundsIn(catalog.current(), rounds + 1)).toEqual(new Set([`${round + 1}`]));
    }
    expect(seen.map((snapshot) => [...roundsIn(snapshot, rounds + 1)]).filter(({ length }) => length > 1)).toEqual([]);
  });

  it('keep the records that have not changed, and are read in pieces', async () => {
    await using under = await startCatalog(server.url, { polled, load: false });
    const { other, names, catalog, current } = under;
    await writeLarge(under);
    await under.loaded();
    const before = current();
    const counts = await commandCounts(other);
    await other.hset(names.hash('users'), 'user-2000', '{"name":"1"}');
    await catalog.refresh([names.hash('users')]);
    const after = await commandCounts(other);
    expect((after['hscan'] ?? 0) - (counts['hscan'] ?? 0)).toBeGreaterThan(4);
    const changed = [...before.parts.tables.users].filter(
      ([id, { lookup }]) => lookup !== current().lookup('users', id),
    );
    expect(changed.map(([id]) => id)).toEqual(['user-2000']);
    expect(current().parts.members).toBe(before.parts.members);
  });

  it('lose and gain elements', async () => {
    await using under = await startCatalog(server.url, { polled, load: false });
    const { other, names, catalog, current } = under;
    await writeLarge(under);
    await under.loaded();
    await other
      .multi()
      .hdel(names.hash('users'), 'user-7')
      .srem(names.members('all'), 'user-7')
      .hdel(names.grants(ALICE), 'PROMPT:user-7')
      .sadd(names.members('all'), 'newcomer')
      .exec();
    await catalog.refresh([names.hash('users'), names.members('all'), names.grants(ALICE)]);
    expect(current().user('user-7')).toBeUndefined();
    expect([current().groupsOf('user-7'), current().groupsOf('user-8'), current().groupsOf('newcomer')]).toEqual([
      [],
      ['all'],
      ['all'],
    ]);
    expect(current().grantsOf(ALICE).size).toBe(USERS - 1);
    await other.del(names.hash('users'), names.members('all'), names.grants(ALICE));
    await catalog.refresh([names.hash('users'), names.members('all'), names.grants(ALICE)]);
    expect([current().parts.tables.users.size, current().groupsOf('user-8'), current().grantsOf(ALICE).size]).toEqual([
      0,
      [],
      0,
    ]);
  });
});

it('a snapshot read once, for a command, shows them together, too', async () => {
  await using under = await startCatalog(server.url, { load: false });
  await writeLarge(under);
  await writeRound(under, 1);
  const redis = new Redis(server.url);
  for (let round = 2; round <= 20; round += 1) {
    const read = loadSnapshot(redis, under.names);
    await sleep(Math.random() * 10);
    await writeRound(under, round);
    expect(roundsIn(await read, round).size).toBe(1);
  }
  redis.disconnect();
});

it('many small keys that no transaction reads at once are all read, and forgotten when they are gone', async () => {
  await using under = await startCatalog(server.url, { load: false });
  const { other, names, current } = under;
  const pipeline = other.pipeline();
  for (let n = 0; n < 3_000; n += 1) {
    pipeline.hset(names.grants(`USER:u${n}`), `PROMPT:p${n % 10}`, 'READ', 'PROMPT:all', 'EXECUTE');
    pipeline.sadd(names.members(`g${n}`), `u${n}`, 'everyone');
  }
  await pipeline.exec();
  await under.loaded();
  expect([...current().subjectsOn(['PROMPT:p3' as TargetId])]).toHaveLength(300);
  expect(current().groupsOf('everyone')).toHaveLength(3_000);
  // Nobody hears of what goes in the same moment as the subscriber.
  const gone = other.multi().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  for (let n = 0; n < 3_000; n += 2) gone.del(names.grants(`USER:u${n}`)).del(names.members(`g${n}`));
  await gone.exec();
  await until(() => current().groupsOf('everyone').length === 1_500 && current().parts.grants.size === 1_500, 10_000);
});
