import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { type Replica, type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';

/** Two servers over the same records, of which the second hears of everything late. */
let server: RunningAdmin;
let late: Replica;
let proxy: TcpProxy;
let redis: Redis;
beforeAll(async () => {
  const { hostname, port } = new URL(inject('redisUrl'));
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  server = await startAdminServer(inject('redisUrl'));
  late = await server.replica({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
  redis = new Redis(inject('redisUrl'));
  await server.admin.post('/api/prompts/p', 'Hi');
  await vi.waitFor(async () => {
    if ((await late.admin.get('/api/prompts/p')).status !== 200) throw new Error('not known yet');
  });
  proxy.delay(150);
});
afterAll(async () => {
  redis?.disconnect();
  await late?.stop();
  await server?.stop();
  await proxy?.close();
});

const names = () => keyNames(server.prefix);
const grant = { subject: { type: 'USER', id: 'u' }, target: { type: 'PROMPT', id: 'p' }, access: ['READ'] };

describe('a server that has not heard yet of what another has just changed', () => {
  it('takes a grant back that it does not know', async () => {
    expect(await server.admin.post('/api/auth/authorization', grant)).toMatchObject({ status: 200 });
    expect(await late.admin.delete('/api/auth/authorization', grant)).toMatchObject({ status: 200 });
    expect(await redis.exists(names().grants('USER:u'))).toBe(0);
  });

  it('makes a grant anew that it thinks is there', async () => {
    await server.admin.post('/api/auth/authorization', grant);
    await expect
      .poll(async () => (await late.admin.get('/api/users/u/permissions')).body.grantedAccess)
      .toHaveLength(1);
    await server.admin.delete('/api/auth/authorization', grant);
    expect(await late.admin.post('/api/auth/authorization', grant)).toMatchObject({ status: 200 });
    expect(await redis.hget(names().grants('USER:u'), 'PROMPT:p')).toBe('READ');
  });

  it('gives nobody a role that is gone', async () => {
    await server.admin.post('/api/roles', { name: 'gone' });
    await expect.poll(async () => (await late.admin.get('/api/roles/gone')).status).toBe(200);
    await server.admin.delete('/api/roles/gone');
    expect(await late.admin.put('/api/users/holder', { roles: ['gone'] })).toMatchObject({ status: 400 });
    expect(await redis.hexists(names().hash('users'), 'holder')).toBe(0);
  });

  it('grants nothing on what is gone, and knows what was just made', async () => {
    await server.admin.post('/api/prompts/short', 'Hi');
    await expect.poll(async () => (await late.admin.get('/api/prompts/short')).status).toBe(200);
    await server.admin.delete('/api/prompts/short');
    const on = (id: string) => ({ ...grant, target: { type: 'PROMPT', id } });
    expect(await late.admin.post('/api/auth/authorization', on('short'))).toMatchObject({ status: 404 });
    await server.admin.post('/api/prompts/fresh', 'Hi');
    expect(await late.admin.post('/api/auth/authorization', on('fresh'))).toMatchObject({ status: 200 });
  });

  it('leaves no grant behind that was made right before it deletes', async () => {
    await server.admin.put('/api/groups/doomed', {});
    await expect.poll(async () => (await late.admin.get('/api/groups/doomed')).status).toBe(200);
    const subject = { type: 'GROUP', id: 'doomed' };
    expect(await server.admin.post('/api/auth/authorization', { ...grant, subject })).toMatchObject({ status: 200 });
    expect(await late.admin.delete('/api/groups/doomed')).toMatchObject({ status: 200 });
    expect(await redis.exists(names().grants('GROUP:doomed'))).toBe(0);
  });
});
