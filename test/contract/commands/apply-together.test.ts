import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, inject, it } from 'vitest';
import { apply } from '../../../src/manifests/apply.ts';
import { parseManifests } from '../../../src/manifests/parse.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { startCli } from '../../support/cli.ts';
import { testTrail } from '../../support/trail.ts';
import { startCatalog, until } from '../support/live-catalog.ts';
import { INTEGRATION, type Installation, install } from './installation.ts';

const wantedOf = (text: string) => parseManifests([{ file: 'm.yaml', text }]).wanted;

/** Applies in this process, with somebody else doing something between what is read and what is written. */
async function applyWhile(
  { names, redis: other }: Installation,
  text: string,
  meanwhile: (other: Redis, attempt: number) => Promise<unknown>,
  prune = false,
) {
  const redis = new Redis(inject('redisUrl'));
  let attempts = 0;
  try {
    const agree = async () => {
      attempts += 1;
      await meanwhile(other, attempts);
      return true;
    };
    const parts = { redis, names, wanted: wantedOf(text), keyring: parseKeyring(undefined), prune, agree };
    const plan = await apply({ ...parts, trail: testTrail(names) });
    return { plan, attempts };
  } finally {
    redis.disconnect();
  }
}

describe('a key that holds another Redis type', () => {
  it.each([
    ['a hash of records', 'users', 'users: { a: {} }'],
    ['members', 'members:g', 'groups: { g: { members: [a] } }'],
    ['grants', 'grants:USER:a', 'grants: [{ subject: "USER:a", target: "TAG:tier:gold", access: [READ] }]'],
  ])('is refused where %s should be, and nothing is written', async (_, key, manifest) => {
    await using here = await install();
    await here.redis.set(`${here.names.prefix}${key}`, 'a string');
    const { code, stderr } = await here.apply(`${manifest}\nroles: { r: {} }`);
    expect(code).toBe(1);
    expect(stderr).toContain(`${here.names.prefix}${key}`);
    expect(await here.contents()).toEqual({ [key]: 'a string' });
  });

  it('is no matter where the manifest does not need it', async () => {
    await using here = await install();
    await here.redis.set(here.names.hash('users'), 'a string');
    expect((await here.apply('roles: { r: {} }')).code).toBe(0);
  });
});

describe('somebody who writes meanwhile', () => {
  it.each<[string, (other: Redis, here: Installation) => Promise<unknown>]>([
    ['a record of the same hash', (other, { names }) => other.hset(names.hash('users'), 'bob', '{}')],
    ['the very record', (other, { names }) => other.hset(names.hash('users'), 'alice', '{"name":"Else"}')],
    ['a set of members that was not there', (other, { names }) => other.sadd(names.members('g'), 'bob')],
    ['grants that were not there', (other, { names }) => other.hset(names.grants('USER:alice'), 'PROMPT:q', 'READ')],
  ])('%s is seen, and the plan made anew', async (_, meanwhile) => {
    await using here = await install();
    const manifest =
      'users: { alice: {} }\ngroups: { g: { members: [alice] } }\ngrants: [{ subject: "USER:alice", target: "TAG:tier:gold", access: [READ] }]';
    const { attempts } = await applyWhile(here, manifest, async (other, attempt) => {
      if (attempt === 1) await meanwhile(other, here);
    });
    expect(attempts).toBe(2);
    expect((await applyWhile(here, manifest, async () => undefined)).plan.changes).toEqual([]);
  });

  it('is not deleted by --prune unseen: the plan that is agreed to names it', async () => {
    await using here = await install();
    await here.put('users', 'alice', {});
    const { plan, attempts } = await applyWhile(
      here,
      'users: {}',
      async (other, attempt) => attempt === 1 && other.hset(here.names.hash('users'), 'bob', '{}'),
      true,
    );
    expect(attempts).toBe(2);
    expect(plan.changes.map(({ name }) => name).sort()).toEqual(['alice', 'bob']);
  });

  it('and never stops is given way to: nothing is written', async () => {
    await using here = await install();
    const endless = applyWhile(here, 'users: { alice: {} }', (other, attempt) =>
      other.hset(here.names.hash('users'), `bob${attempt}`, '{}'),
    );
    await expect(endless).rejects.toMatchObject({ code: 'CATALOG_CHANGED' });
    expect(await here.redis.hexists(here.names.hash('users'), 'alice')).toBe(0);
  });

  it('keys of other purposes does not disturb', async () => {
    await using here = await install();
    const { attempts } = await applyWhile(here, 'users: { alice: {} }', (other) =>
      other.hset(`${here.names.prefix}run:ledger`, 'w', 'x'),
    );
    expect(attempts).toBe(1);
  });

  it('as fast as it can loses nothing, and the command writes all of it or none', async () => {
    await using here = await install();
    const { redis, names } = here;
    const file = await here.manifest(
      'm.yaml',
      `users: {${Array.from({ length: 300 }, (_, n) => ` u${n}: { name: new }`).join(',')} }`,
    );
    for (let round = 0; round < 4; round += 1) {
      await redis.del(names.hash('users'));
      const cli = await startCli(['apply', '-f', file], here.env);
      let written = 0;
      while (cli.exit() === undefined) {
        await redis.hset(names.hash('users'), `bob${written}`, `${written}`);
        written += 1;
        // Rarer from round to round, so that some commands get through.
        if (round > 0) await sleep(round * 4);
      }
      const [{ code }, stderr] = [await cli.exited, await cli.stderr()];
      await cli.remove();
      const held = await redis.hgetall(names.hash('users'));
      const lost = Array.from({ length: written }, (_, n) => `bob${n}`).filter((name) => held[name] === undefined);
      expect(lost).toEqual([]);
      const applied = Object.keys(held).filter((name) => name.startsWith('u')).length;
      expect([code, applied]).toEqual(code === 0 ? [0, 300] : [1, 0]);
      if (code !== 0) expect(stderr).toContain('nothing was written');
    }
  });

  it('is another apply: both are done', async () => {
    await using here = await install();
    const [a, b] = [
      await here.manifest('a.yaml', 'users: { a: {} }'),
      await here.manifest('b.yaml', 'users: { b: {} }'),
    ];
    const ran = await Promise.all([here.run(['apply', '-f', a]), here.run(['apply', '-f', b])]);
    expect(ran.map(({ code }) => code)).toEqual([0, 0]);
    expect((await here.redis.hkeys(here.names.hash('users'))).sort()).toEqual(['a', 'b']);
  });
});

describe('a worker', () => {
  it('sees what one apply writes as one change, never half of it', async () => {
    await using here = await install();
    await using under = await startCatalog(inject('redisUrl'), { prefix: here.names.prefix });
    const manifest = (word: string) =>
      `integrations: { p: ${JSON.stringify(INTEGRATION)} }\nmodels: { "p:m": { description: ${word} } }\n` +
      `groups: { g: { description: ${word}, members: [${word}] } }\ngrants: [{ subject: "USER:${word}", target: "INTEGRATION:p:m", access: [READ] }]`;
    const words = ['first', 'second', 'third'];
    for (const word of words) {
      expect((await here.apply(manifest(word), '--prune', '--yes')).code).toBe(0);
      await until(() => under.current().group('g')?.description === word);
    }
    const shown = under.seen
      .filter((snapshot) => !snapshot.empty)
      .map((snapshot) => {
        const model = snapshot.model('p', 'm');
        return [
          model.kind === 'found' ? model.record.description : undefined,
          snapshot.group('g')?.description,
          ...(snapshot.parts.members.get('g') ?? []),
          ...[...snapshot.parts.grants.keys()].map((subject) => subject.slice('USER:'.length)),
        ].join(' ');
      });
    expect([...new Set(shown)]).toEqual(words.map((word) => Array(4).fill(word).join(' ')));
  });
});
