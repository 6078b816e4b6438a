import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadSnapshot } from '../../../src/catalog/load.ts';
import type { NewAccessKey } from '../../../src/identity/access-keys.ts';
import { verifySecret } from '../../../src/identity/access-keys.ts';
import { bootstrap } from '../../../src/identity/bootstrap.ts';
import { keyHashOf } from '../../../src/identity/key-store.ts';
import { isAdmin } from '../../../src/rbac/decision.ts';
import { applicationUser } from '../../../src/rbac/subject.ts';
import { testTrail } from '../../support/trail.ts';
import { type Installation, install, resultOf } from './installation.ts';

const ENCRYPTION_KEYS = `k1:${randomBytes(32).toString('base64')}`;

const run = (here: Installation, ...args: string[]) => here.run(['bootstrap', ...args], { ENCRYPTION_KEYS });

async function adminOf(here: Installation, { id }: Pick<NewAccessKey, 'id'>) {
  const snapshot = await loadSnapshot(here.redis, here.names);
  const key = snapshot.accessKey(id);
  return { key, isAdmin: key !== undefined && isAdmin(snapshot, applicationUser(key.application)), snapshot };
}

describe('bootstrap', () => {
  it('makes an administrator’s key and prints it as JSON, the secret for this once', async () => {
    await using here = await install();
    const result = await run(here, '--output', 'json');
    expect([result.code, result.stderr]).toEqual([0, '']);
    const { id, secret } = resultOf<NewAccessKey>(result);
    const { key, isAdmin: is, snapshot } = await adminOf(here, { id });
    expect([key?.enabled, is]).toEqual([true, true]);
    expect(snapshot.application(key?.application ?? '')).toMatchObject({
      name: 'Bootstrap administrator',
      roles: ['ADMIN'],
      uid: key?.applicationUid,
    });
    expect(await verifySecret(secret, await keyHashOf(here, id))).toBe(true);
    expect(JSON.stringify(await here.contents())).not.toContain(secret);
    expect([...snapshot.faults()]).toEqual([]);
  });

  it('prints it for people, and that it cannot be shown again', async () => {
    await using here = await install();
    const { code, stdout } = await run(here);
    expect(code).toBe(0);
    const [, id = ''] = /^ {2}id +(\S+)$/m.exec(stdout) ?? [];
    const [, secret = ''] = /^ {2}secret +(\S+)$/m.exec(stdout) ?? [];
    expect(await verifySecret(secret, await keyHashOf(here, id))).toBe(true);
    expect(stdout).toContain('cannot be shown again');
  });

  it('refuses the second time, writes nothing and says how to get another', async () => {
    await using here = await install();
    const { id } = resultOf<NewAccessKey>(await run(here, '--output', 'json'));
    const before = await here.contents();
    const { code, stdout, stderr } = await run(here, '--output', 'json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ALREADY_BOOTSTRAPPED' } });
    expect(stderr).toContain('POST /api/applications/{id}/accessKeys');
    const commands = `redis-cli HDEL ${here.names.hash('access-keys')} ${id} && redis-cli DEL ${here.names.admin.bootstrap}`;
    expect(stderr).toContain(commands);
    expect(await here.contents()).toEqual(before);

    // What it says does help.
    await here.redis.hdel(here.names.hash('access-keys'), id);
    expect((await run(here)).code).toBe(1);
    await here.redis.del(here.names.admin.bootstrap);
    expect((await run(here)).code).toBe(0);
  });

  it('refuses where an application that is ADMIN by its group has a key that is switched on', async () => {
    await using here = await install();
    await here.put('applications', 'ops', { uid: 'u' });
    await here.put('groups', 'admins', { roles: ['ADMIN'] });
    await here.redis.sadd(here.names.members('admins'), 'app:ops');
    await here.put('access-keys', 'key-1', { application: 'ops', applicationUid: 'u', enabled: true, createdAt: 0 });
    const { code, stderr } = await run(here);
    expect(code).toBe(1);
    expect(stderr).toContain('key-1');
    await here.put('access-keys', 'key-1', { application: 'ops', applicationUid: 'u', enabled: false, createdAt: 0 });
    expect((await run(here)).code).toBe(0);
  });

  it('is won by one of eight who run it at once', async () => {
    await using here = await install();
    const snapshot = await loadSnapshot(here.redis, here.names);
    const parts = { redis: here.redis, names: here.names, snapshot, trail: testTrail(here.names) };
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => bootstrap(parts)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers)
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'ALREADY_BOOTSTRAPPED' });
    const kinds = ['access-keys', 'applications'] as const;
    for (const kind of kinds) expect(await here.redis.hlen(here.names.hash(kind))).toBe(1);
    expect(await here.redis.hlen(here.names.admin.keyHashes)).toBe(1);
  });

  it('tells at once that the admin API could not start, and how to make a key', async () => {
    await using here = await install();
    const { code, stdout, stderr } = await here.run(['bootstrap']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('ENCRYPTION_KEYS: missing');
    expect(stderr).toContain('openssl rand -base64 32');
    expect(await here.contents()).toEqual({});

    await run(here);
    await here.redis.del(here.names.admin.bootstrap, here.names.hash('access-keys'));
    const other = { ENCRYPTION_KEYS: `k2:${randomBytes(32).toString('base64')}` };
    const second = await here.run(['bootstrap'], other);
    expect([second.code, second.stdout]).toEqual([2, '']);
    expect(second.stderr).toContain('has no key "k1"');
    for (const secret of [ENCRYPTION_KEYS, other.ENCRYPTION_KEYS]) expect(second.stderr).not.toContain(secret.slice(3));
  });

  it('ends with exit code 3 where Redis is away', async () => {
    await using here = await install();
    const { code, stdout } = await here.run(['bootstrap'], { ENCRYPTION_KEYS, REDIS_URL: 'redis://127.0.0.1:1' });
    expect([code, stdout]).toEqual([3, '']);
  });
});
