import { describe, expect, inject, it } from 'vitest';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import type {} from '../../support/redis-for-all.ts';
import { INTEGRATION, MODEL, startCatalog, until } from '../support/live-catalog.ts';

const start = () => startCatalog(inject('redisUrl'));
const GROUP = '{"description":"…","roles":["USER"]}';
const ALICE = 'USER:alice@example.com' as SubjectId;
const TARGET = 'INTEGRATION:bedrock-prod:cohere.embed-v4:0';

describe('a change made by another connection reaches the catalog', () => {
  it('when a record is added, replaced and removed', async () => {
    await using under = await start();
    const { other, names, current } = under;
    const models = names.hash('models');
    expect(current().model('p', 'm').kind).toBe('absent');

    await other.hset(models, 'p:m', MODEL);
    await until(() => current().model('p', 'm').kind === 'found');

    await other.hset(models, 'p:m', '{"enabled":false}');
    await until(() => {
      const found = current().model('p', 'm');
      return found.kind === 'found' && !found.record.enabled;
    });

    await other.hdel(models, 'p:m');
    await until(() => current().model('p', 'm').kind === 'absent');
  });

  it('when members come and go, and with the last of them the whole set', async () => {
    await using under = await start();
    const { other, names, current } = under;
    await other.sadd(names.members('analysts'), 'alice', 'app:claims');
    await until(() => current().groupsOf('app:claims').length === 1);
    expect(current().groupsOf('alice')).toEqual(['analysts']);

    await other.srem(names.members('analysts'), 'app:claims');
    await until(() => current().groupsOf('app:claims').length === 0);
    expect(current().groupsOf('alice')).toEqual(['analysts']);

    await other.srem(names.members('analysts'), 'alice');
    await until(() => current().groupsOf('alice').length === 0);
  });

  it.each(['del', 'unlink'] as const)('when grants go by %s', async (command) => {
    await using under = await start();
    const { other, names, current } = under;
    await other.hset(names.grants(ALICE), TARGET, 'EXECUTE');
    await until(() => current().grantsOf(ALICE).size === 1);
    await other[command](names.grants(ALICE));
    await until(() => current().grantsOf(ALICE).size === 0);
  });

  it('when a key is renamed, under both names', async () => {
    await using under = await start();
    const { other, names, current } = under;
    const bob = 'USER:bob' as SubjectId;
    await other.hset(names.grants(ALICE), TARGET, 'EXECUTE');
    await until(() => current().grantsOf(ALICE).size === 1);
    await other.rename(names.grants(ALICE), names.grants(bob));
    await until(() => current().grantsOf(bob).size === 1 && current().grantsOf(ALICE).size === 0);
  });

  it('when a key is renamed out of the catalog and back into it', async () => {
    await using under = await start();
    const { other, names, current } = under;
    await other.hset(names.hash('groups'), 'analysts', GROUP);
    await until(() => current().group('analysts') !== undefined);
    await other.rename(names.hash('groups'), `${names.prefix}elsewhere`);
    await until(() => current().group('analysts') === undefined);
    await other.rename(`${names.prefix}elsewhere`, names.hash('groups'));
    await until(() => current().group('analysts') !== undefined);
  });

  it('when a key expires', async () => {
    await using under = await start();
    const { other, names, current } = under;
    await other.hset(names.grants(ALICE), TARGET, 'EXECUTE');
    await until(() => current().grantsOf(ALICE).size === 1);
    await other.pexpire(names.grants(ALICE), 20);
    await until(() => current().grantsOf(ALICE).size === 0, 5_000);
  });

  it('when a transaction writes several keys', async () => {
    await using under = await start();
    const { other, names, current } = under;
    await other
      .multi()
      .hset(names.hash('integrations'), 'p', INTEGRATION)
      .hset(names.hash('models'), 'p:m', MODEL)
      .hset(names.hash('groups'), 'analysts', GROUP)
      .sadd(names.members('analysts'), 'alice')
      .hset(names.grants('GROUP:analysts'), TARGET, 'READ,EXECUTE')
      .exec();
    await until(() => current().integration('p').kind === 'found');
    await until(() => current().grantsOf('GROUP:analysts' as SubjectId).size === 1);
    expect(current().model('p', 'm').kind).toBe('found');
    expect(current().group('analysts')?.roles).toEqual(['USER']);
    expect(current().groupsOf('alice')).toEqual(['analysts']);
  });

  it('when many changes follow each other without a pause, the last of each counts', async () => {
    await using under = await start();
    const { other, names, current } = under;
    const pipeline = other.pipeline();
    for (let round = 0; round < 300; round += 1) {
      pipeline.hset(names.hash('users'), `user-${round % 10}`, JSON.stringify({ name: `round ${round}` }));
      pipeline.hset(names.grants(`USER:user-${round % 10}`), TARGET, round % 2 === 0 ? 'READ' : 'EXECUTE');
    }
    await pipeline.exec();
    await until(() => [...Array(10).keys()].every((n) => current().user(`user-${n}`)?.name === `round ${290 + n}`));
    await until(() =>
      [...Array(10).keys()].every((n) => {
        const access = current()
          .grantsOf(`USER:user-${n}` as SubjectId)
          .get(TARGET as never);
        return access?.size === 1 && access.has(n % 2 === 0 ? 'READ' : 'EXECUTE');
      }),
    );
  });

  it('a snapshot taken before a change does not change with it', async () => {
    await using under = await start();
    const { other, names, current } = under;
    await other.hset(names.hash('users'), 'alice', '{"name":"Alice"}');
    await until(() => current().user('alice') !== undefined);
    const before = current();
    await other.hset(names.hash('users'), 'alice', '{"name":"Alison"}');
    await until(() => current().user('alice')?.name === 'Alison');
    expect(before.user('alice')?.name).toBe('Alice');
    expect(current()).not.toBe(before);
  });
});
