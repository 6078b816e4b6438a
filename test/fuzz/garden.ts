import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { keyNames } from '../../src/redis/keys.ts';
import type { RunningAdmin, Somebody } from '../support/admin.ts';

/** What everything is called that stands in the garden. */
export const NAME = 'fixture';

export interface Garden {
  stop(): Promise<void>;
}

/**
 * Plants again, all the time, what a fuzzer tears out: one thing of each kind, which the caller has made where it may. And
 * its own application with its key, as they were: a fuzzer soon deletes itself, and would see nothing but 401 from then on.
 */
export async function startGarden({
  server,
  caller,
  redisUrl,
}: {
  readonly server: RunningAdmin;
  readonly caller: Somebody;
  readonly redisUrl: string;
}): Promise<Garden> {
  const redis = new Redis(redisUrl);
  const ended = new AbortController();
  const names = keyNames(server.prefix);
  const ofAdmin = (await server.admin.get(`/api/applications/key/${server.adminKey.id}`)).body.id as string;
  const kept = await Promise.all(
    [
      [names.hash('applications'), caller.applicationId],
      [names.hash('applications'), ofAdmin],
      [names.hash('access-keys'), caller.key.id],
      [names.hash('access-keys'), server.adminKey.id],
    ].map(async ([key = '', field = '']) => [key, field, (await redis.hget(key, field)) ?? ''] as const),
  );

  async function keepPeople(): Promise<void> {
    while (!ended.signal.aborted) {
      const pipeline = redis.pipeline();
      for (const [key, field, raw] of kept) pipeline.hset(key, field, raw);
      await pipeline.exec();
      await sleep(20);
    }
  }

  async function plant(): Promise<void> {
    const { admin } = server;
    const integration = `/api/integrations/provider/${NAME}`;
    const accessKey = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: 'secret' };
    await caller.post(integration, { configuration: accessKey });
    for (const model of ['m', 'cohere.embed-v4%3A0']) await caller.post(`${integration}/integration/${model}`, {});
    await caller.post(`/api/prompts/${NAME}?version=1`, 'Hi ${name}');
    await caller.post(`/api/prompts/${NAME}?version=2`, 'Hello');
    await admin.put(`/api/groups/${NAME}`, {});
    await admin.put(`/api/users/${NAME}`, {});
    await admin.post('/api/manifests/apply', { manifest: { applications: { [NAME]: {} } } });
    await admin.post('/api/roles', { name: NAME });
    const application = { type: 'APPLICATION', id: NAME };
    const subject = { type: 'USER', id: caller.userId };
    await admin.post('/api/auth/authorization', { subject, target: application, access: ['READ', 'UPDATE', 'DELETE'] });
    const key = { application: NAME, applicationUid: 'x', enabled: true, createdAt: 0 };
    await redis.hset(names.hash('access-keys'), NAME, JSON.stringify(key));
  }

  async function keepThings(): Promise<void> {
    while (!ended.signal.aborted) {
      await plant();
      await sleep(100);
    }
  }

  await plant();
  const running = Promise.all([keepPeople(), keepThings()]);
  return {
    async stop() {
      ended.abort();
      await running;
      redis.disconnect();
    },
  };
}
