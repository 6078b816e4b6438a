import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type Replica, type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

/** Two servers over the same records: what one has just written the other may not know yet. */
let server: RunningAdmin;
let second: Replica;
let redis: Redis;
beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  second = await server.replica();
  redis = new Redis(inject('redisUrl'));
  await server.admin.put('/api/groups/friends', {});
  await server.admin.put('/api/roles/friend', {});
});
afterAll(async () => {
  redis?.disconnect();
  await second?.stop();
  await server?.stop();
});

const ACCESS_KEY = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: 'secret' };
const ALL = ['CREATE', 'READ', 'EXECUTE', 'UPDATE', 'DELETE'];

/** Each kind of record: how it is made and deleted, and what grants can say of it. */
const RECORDS = [
  {
    kind: 'integration',
    path: (name: string) => `/api/integrations/provider/${name}`,
    make: (to: Pick<Replica, 'admin'>, name: string) =>
      to.admin.post(`/api/integrations/provider/${name}`, { configuration: ACCESS_KEY }),
    target: (name: string) => ({ type: 'INTEGRATION_PROVIDER', id: name }),
  },
  {
    kind: 'model',
    path: (name: string) => `/api/integrations/provider/home/integration/${name}`,
    async make(to: Pick<Replica, 'admin'>, name: string) {
      await to.admin.post('/api/integrations/provider/home', { configuration: ACCESS_KEY });
      return await to.admin.post(`/api/integrations/provider/home/integration/${name}`, {});
    },
    target: (name: string) => ({ type: 'INTEGRATION', id: `home:${name}` }),
  },
  {
    kind: 'prompt',
    path: (name: string) => `/api/prompts/${name}`,
    make: (to: Pick<Replica, 'admin'>, name: string) => to.admin.post(`/api/prompts/${name}`, 'Hi'),
    target: (name: string) => ({ type: 'PROMPT', id: name }),
  },
  {
    kind: 'application',
    path: (name: string) => `/api/applications/${name}`,
    make: (to: Pick<Replica, 'admin'>, name: string) =>
      // Through the API alone nobody chooses the id.
      to.admin.post('/api/manifests/apply', { manifest: { applications: { [name]: {} } } }),
    target: (name: string) => ({ type: 'APPLICATION', id: name }),
    subject: (name: string) => ({ type: 'USER', id: `app:${name}` }),
  },
  {
    kind: 'group',
    path: (name: string) => `/api/groups/${name}`,
    make: (to: Pick<Replica, 'admin'>, name: string) => to.admin.put(`/api/groups/${name}`, {}),
    subject: (name: string) => ({ type: 'GROUP', id: name }),
  },
  {
    kind: 'role',
    path: (name: string) => `/api/roles/${name}`,
    make: (to: Pick<Replica, 'admin'>, name: string) => to.admin.post('/api/roles', { name }),
    subject: (name: string) => ({ type: 'ROLE', id: name }),
  },
] as const;

/** Every grant that names this as its subject or its target, in Redis itself. */
async function grantsNaming(name: string): Promise<string[]> {
  const found: string[] = [];
  const names = keyNames(server.prefix);
  for await (const keys of redis.scanStream({ match: `${names.grants('')}*`, count: 1_000 })) {
    for (const key of keys as string[]) {
      for (const target of await redis.hkeys(key)) {
        if ([key, target].some((text) => text.split(':').includes(name))) found.push(`${key} ${target}`);
      }
    }
  }
  return found;
}

async function grant(to: Pick<Replica, 'admin'>, subject: object, target: object): Promise<number> {
  return (await to.admin.post('/api/auth/authorization', { subject, target, access: ALL })).status;
}

describe.each(RECORDS)('rule 8: of a deleted $kind nothing is inherited', (record) => {
  const other = { type: 'PROMPT', id: 'anything' };
  const grants = (name: string): [object, object][] => [
    ...('target' in record
      ? ([
          [{ type: 'GROUP', id: 'friends' }, record.target(name)],
          [{ type: 'USER', id: 'x' }, record.target(name)],
        ] as [object, object][])
      : []),
    ...('subject' in record ? ([[record.subject(name), other]] as [object, object][]) : []),
  ];

  it('by the next of its name', async () => {
    const name = `once-${record.kind}`;
    await server.admin.post('/api/prompts/anything', 'Hi');
    expect(await record.make(server, name)).toMatchObject({ status: 200 });
    for (const [subject, target] of grants(name)) expect(await grant(server, subject, target)).toBe(200);
    expect(await grantsNaming(name)).toHaveLength(grants(name).length);
    expect(await server.admin.delete(record.path(name))).toMatchObject({ status: 200 });
    expect(await grantsNaming(name)).toEqual([]);
    expect(await record.make(server, name)).toMatchObject({ status: 200 });
    expect(await grantsNaming(name)).toEqual([]);
  });

  it('nor of one that was deleted past us, by redis-cli', async () => {
    const name = `past-us-${record.kind}`;
    await record.make(server, name);
    for (const [subject, target] of grants(name)) expect(await grant(server, subject, target)).toBe(200);
    const names = keyNames(server.prefix);
    const field = record.kind === 'model' ? `home:${name}` : name;
    await redis.hdel(names.hash(`${record.kind}s`), field);
    await expect.poll(async () => (await record.make(server, name)).status).toBe(200);
    await expect.poll(() => grantsNaming(name)).toEqual([]);
  });

  it('whoever is granting in that very moment, at either of two servers', async () => {
    for (let round = 0; round < 25; round += 1) {
      const name = `raced-${record.kind}-${round}`;
      await record.make(server, name);
      const granting = async (to: Pick<Replica, 'admin'>) => {
        for (const [subject, target] of grants(name)) await grant(to, subject, target);
      };
      await expect.poll(async () => (await second.admin.get(record.path(name))).status).toBe(200);
      const racing = [granting(server), granting(second), granting(second), granting(server)];
      await new Promise((resolve) => setTimeout(resolve, round % 5));
      const deleted = server.admin.delete(record.path(name));
      await Promise.all([...racing, deleted]);
      expect(await deleted).toMatchObject({ status: 200 });
      expect(await grantsNaming(name)).toEqual([]);
    }
  });
});
