import { request } from 'node:http';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import { runCli } from '../../support/cli.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import type {} from '../../support/redis-for-all.ts';
import { freshPrefix, until } from '../support/live-catalog.ts';

const environment = () => ({ REDIS_URL: inject('redisUrl'), REDIS_PREFIX: freshPrefix(), ADMIN_PORT: '0' });

describe('the admin API does not start', () => {
  it('without keys to seal secrets, and says how to make one', async () => {
    const { code, stderr } = await runCli(['admin'], environment());
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('openssl rand -base64 32') });
  });

  it('where its key for tokens was sealed under another, and names that', async () => {
    const env = environment();
    expect((await runCli(['bootstrap'], { ...env, ENCRYPTION_KEYS: encryptionKeys('first') })).code).toBe(0);
    const { code, stderr } = await runCli(['admin'], { ...env, ENCRYPTION_KEYS: encryptionKeys('second') });
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('first') });
  });

  it('on a port that is taken, and names the variable', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const env = { ...environment(), ENCRYPTION_KEYS: encryptionKeys('k1'), ADMIN_PORT: String(port) };
    const { code, stderr } = await runCli(['admin'], env);
    taken.close();
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('ADMIN_PORT') });
  });

  it('with a variable of the wrong form, and names it', async () => {
    const env = { ...environment(), ADMIN_ALLOWED_HOSTS: 'admin.example.com:8090', ANONYMOUS_SUBJECT: 'GROUP:' };
    const { code, stderr } = await runCli(['admin'], env);
    expect(code).toBe(2);
    expect(stderr).toContain('ADMIN_ALLOWED_HOSTS');
    expect(stderr).toContain('ANONYMOUS_SUBJECT');
  });
});

describe('a running admin API', () => {
  let redis: Server;
  let server: RunningAdmin;
  beforeAll(async () => {
    redis = await startRedis();
    // As the user that every Redis has: this one is replaced by another.
    server = await startAdminServer(redis.url, { REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await server?.stop();
    await redis?.stop();
  });

  it('answers probes by any host name, and everything else only by its own', async () => {
    for (const [path, status] of [
      ['/healthz', 200],
      ['/readyz', 200],
      ['/openapi.json', 421],
      ['/api/integrations/provider', 421],
    ] as const) {
      expect(await statusByHost(server.url, path, 'evil.example.com')).toBe(status);
    }
    expect(await statusByHost(server.url, '/openapi.json', 'localhost:8090')).toBe(200);
  });

  it('describes itself, every path under /api with what it needs', async () => {
    const { body } = await server.client().get('/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const paths = Object.keys(body.paths).filter((path) => path.startsWith('/api/'));
    expect(paths.length).toBeGreaterThan(40);
    for (const path of paths) {
      for (const operation of Object.values(body.paths[path]) as { description: string; security: unknown[] }[]) {
        expect(operation.description, path).toMatch(/[Nn]eeds|Open to everybody/);
        expect(operation.security.length, path).toBe(path === '/api/token' ? 0 : 1);
      }
    }
    expect((await server.client().get('/docs')).status).toBe(200);
  });

  it('refuses without a token, in words that Orkes’ SDKs act on', async () => {
    const answer = await server.client().get('/api/integrations/provider');
    expect(answer.body).toMatchObject({ status: 401, error: 'INVALID_TOKEN', retryable: false });
  });

  it('decides nothing on old records: while Redis is away it says so, and comes back by itself', async () => {
    await redis.stop();
    await until(async () => (await server.client().get('/readyz')).status === 503, 15_000);
    expect((await server.client().get('/healthz')).status).toBe(200);
    await until(async () => (await server.admin.get('/api/groups')).status === 503, 20_000);
    expect((await server.admin.get('/api/groups')).body).toMatchObject({ status: 503, retryable: true });
    redis = await startRedis({ port: redis.port });
    await until(async () => (await server.client().get('/readyz')).status === 200, 15_000);
    // This Redis is another, empty one: the administrator's key is gone with it.
    expect((await server.admin.get('/api/groups')).status).toBe(401);
  }, 60_000);

  it('stops in good order at a signal', async () => {
    expect(await server.cli.stop()).toMatchObject({ code: 0 });
  });
});

/** Not by fetch, which sets Host itself. */
async function statusByHost(url: string, path: string, host: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    request(`${url}${path}`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}
