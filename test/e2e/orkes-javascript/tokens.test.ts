/** How Orkes' JavaScript SDK renews its token, against a running `admin`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import { startCli, waitForReady } from '../../support/cli.ts';
import { connectOrkesSdk, type OrkesSdk } from '../support/orkes-sdk.ts';

interface Exchange {
  readonly path: string;
  readonly status: number;
  readonly error: unknown;
}

let server: RunningAdmin;
const stops: (() => unknown)[] = [];
let seen: Exchange[] = [];

beforeAll(async () => {
  server = await startAdminServer(inject('redisUrl'));
  stops.push(server.stop);
});

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

beforeEach(() => {
  seen = [];
});

/** The SDK, its exchanges in `seen`; its first token ends after `firstTokenSeconds`. */
async function connect(firstTokenSeconds?: number): Promise<OrkesSdk> {
  let tokens = 0;
  const watching: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    const isFirst = path === '/api/token' && tokens++ === 0;
    const asked = isFirst ? ((await request.clone().json()) as object) : {};
    const body = JSON.stringify({ ...asked, expiresInSeconds: firstTokenSeconds });
    const response = await fetch(isFirst ? new Request(request, { body }) : request);
    const answer: unknown = await response
      .clone()
      .json()
      .catch(() => undefined);
    seen.push({ path, status: response.status, error: (answer as { error?: unknown } | undefined)?.error });
    return response;
  };
  const sdk = await connectOrkesSdk(server, watching);
  stops.push(sdk.close);
  return sdk;
}

it('gets a new token when the old one has expired, and the call goes through', async () => {
  const { authorization } = await connect(1);
  await sleep(2_100);
  expect(await authorization.listGroups()).toEqual([]);
  expect(seen).toEqual([
    { path: '/api/token', status: 200, error: undefined },
    { path: '/api/groups', status: 401, error: 'EXPIRED_TOKEN' },
    { path: '/api/token', status: 200, error: undefined },
    { path: '/api/groups', status: 200, error: undefined },
  ]);
});

it('gets no new token while its key is switched off, and says so; once it is on again the old one will do', async () => {
  const made = await server.admin.post('/api/applications', { name: 'Robot' });
  const path = `/api/applications/${made.body.id}`;
  const key = (await server.admin.post(`${path}/accessKeys`)).body;
  const sdk = await connectOrkesSdk({ ...server, adminKey: key });
  stops.push(sdk.close);
  expect(await sdk.authorization.listGroups()).toEqual([]);
  await server.admin.post(`${path}/accessKeys/${key.id}/status`);
  await expect(sdk.authorization.listGroups()).rejects.toThrow(/The token is not valid/);
  await server.admin.post(`${path}/accessKeys/${key.id}/status`);
  expect(await sdk.authorization.listGroups()).toEqual([]);
});

it('gets a new token after every token was ended at once', async () => {
  const { authorization } = await connect();
  const redis = new Redis(inject('redisUrl'));
  stops.push(() => redis.quit());
  await server.cli.stop();
  await redis.del(`${server.prefix}token-keys`);
  const again = await startCli(['admin'], server.env);
  stops.push(async () => {
    await again.stop();
    await again.remove();
  });
  await waitForReady(again, Number(server.env['ADMIN_PORT']));
  expect(await authorization.listGroups()).toEqual([]);
  expect(seen.slice(1)).toEqual([
    { path: '/api/groups', status: 401, error: 'INVALID_TOKEN' },
    { path: '/api/token', status: 200, error: undefined },
    { path: '/api/groups', status: 200, error: undefined },
  ]);
});
