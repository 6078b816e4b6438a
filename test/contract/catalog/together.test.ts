import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import { INTEGRATION, MODEL, startCatalog, until } from '../support/live-catalog.ts';

/** A Redis of its own, which may be emptied. */
let server: Server;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const GRANT = 'INTEGRATION:p:m';
const ALICE = 'USER:alice' as SubjectId;

describe('keys that one transaction changes', () => {
  it('are seen together: no snapshot shows one of them without the other', async () => {
    await using under = await startCatalog(server.url);
    const { other, names, current } = under;
    for (let round = 1; round <= 40; round += 1) {
      await other
        .multi()
        .hset(names.hash('models'), 'p:m', JSON.stringify({ description: `${round}` }))
        .hset(names.hash('groups'), 'analysts', JSON.stringify({ description: `${round}` }))
        .del(names.grants(ALICE))
        .hset(names.grants(ALICE), `PROMPT:${round}`, 'READ')
        .exec();
      await until(() => current().group('analysts')?.description === `${round}`);
      await until(() =>
        current()
          .grantsOf(ALICE)
          .has(`PROMPT:${round}` as never),
      );
    }
    const torn = under.seen
      .map((snapshot) => {
        const model = snapshot.model('p', 'm');
        return {
          model: model.kind === 'found' ? model.record.description : undefined,
          group: snapshot.group('analysts')?.description,
          grant: [...snapshot.grantsOf(ALICE).keys()][0]?.slice('PROMPT:'.length),
        };
      })
      .filter(({ model, group, grant }) => model !== group || group !== grant);
    expect(torn).toEqual([]);
  });
});

describe.each(['flushall', 'flushdb'] as const)('%s', (command) => {
  it('empties the catalog, and what is written afterwards is read', async () => {
    await using under = await startCatalog(server.url);
    const { other, names, current } = under;
    const seed = () =>
      other
        .multi()
        .hset(names.hash('integrations'), 'p', INTEGRATION)
        .hset(names.hash('models'), 'p:m', MODEL)
        .sadd(names.members('analysts'), 'alice')
        .hset(names.grants(ALICE), GRANT, 'EXECUTE')
        .exec();
    await seed();
    await until(() => !current().empty && current().grantsOf(ALICE).size === 1);
    await other[command]();
    await until(() => current().empty);
    expect(current().model('p', 'm').kind).toBe('absent');
    expect(current().grantsOf(ALICE).size).toBe(0);
    expect(current().groupsOf('alice')).toEqual([]);
    await seed();
    await until(() => current().grantsOf(ALICE).size === 1 && current().groupsOf('alice').length === 1);
  });
});

describe('prefixes', () => {
  it.each(['x:', '{cohere}:', 'c*:', '[ab]?:', 'back\\slash:', 'h\\*[^a]:', 'ü:', ''])(
    'a catalog under "%s" is read and followed, and no other',
    async (prefix) => {
      await using under = await startCatalog(server.url, { prefix, load: false });
      const { other, names, current } = under;
      await other.flushall();
      // What the prefix would match, were it taken as a pattern.
      for (const stranger of ['cx:', 'cc*:', 'ab:', 'a:', 'backslash:', 'hx[b]:', 'h*a:']) {
        await other.sadd(`${stranger}members:strangers`, 'alice');
        await other.hset(`${stranger}grants:USER:alice`, 'PROMPT:strange', 'EXECUTE');
      }
      await other.sadd(names.members('analysts'), 'alice');
      await other.hset(names.grants(ALICE), GRANT, 'EXECUTE');
      await under.loaded();
      await until(() => current().groupsOf('alice').length > 0 && current().grantsOf(ALICE).size > 0);
      expect(current().groupsOf('alice')).toEqual(['analysts']);
      expect([...current().grantsOf(ALICE).keys()]).toEqual([GRANT]);

      await other.sadd(names.members('gl*b'), 'alice');
      await other.hset(names.hash('integrations'), 'p', INTEGRATION);
      await until(() => current().groupsOf('alice').length === 2 && !current().empty);
      expect(current().groupsOf('alice')).toContain('gl*b');
    },
  );
});
