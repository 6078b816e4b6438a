import type { FastifyPluginAsync } from 'fastify';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { describePermission } from '../../src/admin/access/route-permission.ts';
import type { AdminParts } from '../../src/admin/parts.ts';
import { buildServer } from '../../src/admin/server.ts';
import { NOTHING, Snapshot } from '../../src/catalog/snapshot.ts';
import { keyNames } from '../../src/redis/keys.ts';
import { parseKeyring } from '../../src/secrets/keyring.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { encryptionKeys } from '../support/encryption-keys.ts';

const snapshot = new Snapshot(NOTHING);
const neverAsked = async () => await Promise.reject(new Error('this server has no records'));

/** What a server is made of that has no records: none of its routes is called for any. */
const parts = {
  keyring: parseKeyring(encryptionKeys('k1')),
  redis: new Redis({ lazyConnect: true }),
  names: keyNames('t:'),
  catalog: {
    current: () => snapshot,
    refresh: neverAsked,
    settle: neverAsked,
    loaded: () => true,
    staleForMs: () => 0,
  },
  writer: { change: neverAsked },
  log: createLog('silent'),
  version: '0',
  allowedHosts: [],
  trustedProxies: [],
  anonymous: undefined,
  authenticate: neverAsked,
} as unknown as AdminParts;

const withRoute = (config?: object): FastifyPluginAsync => {
  return async (app) => void app.get('/bare', { ...(config === undefined ? {} : { config }) }, async () => 'secret');
};

describe('a server', () => {
  it('is not built where a route states no permission', async () => {
    await expect(buildServer(parts, withRoute())).rejects.toThrow('GET /bare states no permission');
    await expect(buildServer(parts, withRoute({ anonymous: true }))).rejects.toThrow('states no permission');
  });

  it('is built where every route states one, and lists them', async () => {
    const { app, stated } = await buildServer(parts, withRoute({ permission: { kind: 'admin' } }));
    expect(stated).toContainEqual({ method: 'GET', url: '/bare', permission: { kind: 'admin' }, anonymous: false });
    expect((await app.inject({ url: '/bare', headers: { host: 'localhost' } })).statusCode).toBe(401);
  });

  it('describes what each of its own routes needs, and opens only what tells nothing to everybody', async () => {
    const { app, stated } = await buildServer(parts);
    const open = stated.filter(({ permission, url }) => permission.kind === 'public' && !url.startsWith('/docs'));
    expect(open.map(({ method, url }) => `${method} ${url}`).sort()).toEqual([
      'GET /healthz',
      'GET /openapi.json',
      'GET /readyz',
      'POST /api/token',
    ]);
    const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, { description: string }>> };
    for (const { method, url, permission } of stated.filter((route) => route.url.startsWith('/api'))) {
      const path = url.replace(/:(\w+)/g, '{$1}');
      expect(paths[path]?.[method.toLowerCase()]?.description).toContain(describePermission(permission));
    }
  });

  it('opens four routes, all of them reads, to who sends no token', async () => {
    const { stated } = await buildServer(parts);
    expect(stated.filter(({ anonymous }) => anonymous).map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /api/integrations/provider',
      'GET /api/integrations/provider/:name/integration',
      'GET /api/integrations/provider/:name/integration/:model/prompt',
      'GET /api/prompts',
    ]);
  });
});
