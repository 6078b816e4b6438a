import { describe, expect, inject, it } from 'vitest';
import { createCatalogWriter } from '../../../../src/catalog/changes/writer.ts';
import { ServiceError } from '../../../../src/errors.ts';
import type {} from '../../../support/redis-for-all.ts';
import { testTrail } from '../../../support/trail.ts';
import { type CatalogUnderTest, startCatalog } from '../../support/live-catalog.ts';

const under = () => startCatalog(inject('redisUrl'));
const writerOf = ({ redis, catalog, names }: CatalogUnderTest) =>
  createCatalogWriter({ redis, catalog, trailNow: () => testTrail(names) });

describe('a change of the catalog', () => {
  it('is in the snapshot once it is written', async () => {
    await using test = await under();
    const key = test.names.hash('users');
    const writer = writerOf(test);
    for (let round = 0; round < 50; round += 1) {
      const name = `user-${round}`;
      const result = await writer.change([key], () => ({
        edits: [{ key, field: name, before: undefined, after: '{"name":"new"}' }],
        result: round,
      }));
      expect(result).toBe(round);
      expect(test.current().user(name)?.name).toBe('new');
    }
  });

  it('that somebody else was quicker with is planned anew on what they wrote', async () => {
    await using test = await under();
    const key = test.names.hash('users');
    const writer = writerOf(test);
    await test.other.hset(key, 'alice', '{"name":"0"}');
    await test.catalog.refresh([key]);
    const planned: (string | null | undefined)[] = [];
    await writer.change([key], (snapshot) => {
      const before = snapshot.parts.tables.users.get('alice')?.raw;
      planned.push(snapshot.user('alice')?.name);
      // Written by another connection after the plan, before the commit: in order, since it was sent first.
      if (planned.length === 1) void test.redis.hset(key, 'alice', '{"name":"1"}');
      return { edits: [{ key, field: 'alice', before, after: '{"name":"mine"}' }], result: undefined };
    });
    expect(planned).toEqual(['0', '1']);
    expect(test.current().user('alice')?.name).toBe('mine');
  });

  it('that is refused on old records is planned on new ones before the refusal counts', async () => {
    await using test = await under();
    const key = test.names.hash('users');
    const writer = writerOf(test);
    await test.loaded();
    // Nothing has told the catalog of it yet: the plan begins in the same turn in which Redis acknowledged it.
    const seen: boolean[] = [];
    await test.redis.hset(key, 'late', '{}');
    await writer.change([key], (snapshot) => {
      seen.push(snapshot.user('late') !== undefined);
      if (seen.length === 1) throw new ServiceError('NOT_FOUND', 'not seen yet');
      return { edits: [], result: undefined };
    });
    expect(seen).toHaveLength(2);
    expect(seen.at(-1)).toBe(true);
  });

  it('that is refused on new records, too, is refused', async () => {
    await using test = await under();
    const writer = writerOf(test);
    const change = writer.change([test.names.hash('users')], () => {
      throw new ServiceError('NOT_FOUND', 'nobody');
    });
    await expect(change).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'nobody' });
  });

  it('of a record that never stands still is given up, and says so', async () => {
    await using test = await under();
    const key = test.names.hash('users');
    const writer = writerOf(test);
    let round = 0;
    const change = writer.change([key], (snapshot) => {
      const before = snapshot.parts.tables.users.get('busy')?.raw;
      round += 1;
      void test.redis.hset(key, 'busy', JSON.stringify({ name: `${round}` }));
      return { edits: [{ key, field: 'busy', before, after: '{"name":"mine"}' }], result: undefined };
    });
    await expect(change).rejects.toMatchObject({ code: 'CATALOG_CHANGED', retryable: true });
    expect(JSON.parse((await test.other.hget(key, 'busy')) ?? '')).not.toMatchObject({ name: 'mine' });
  });
});
