/** Redis is killed (SIGKILL) amid writes through the admin API, and started again on what it had on disk. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.ts';
import { until } from '../../contract/support/live-catalog.ts';
import { type Answer, type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import { type FaultProxy, type Moment, startFaultProxy, type Words } from '../../support/fault-proxy.ts';
import { type MortalRedis, startMortalRedis } from '../../support/mortal-redis.ts';

const SECRET = 'an-api-nightingale';
const PROMPTS = Array.from({ length: 50 }, (_, at) => ({ name: `p${at}`, template: 'Summarize' }));

let redis: MortalRedis;
let proxy: FaultProxy;
let server: RunningAdmin;
beforeAll(async () => {
  redis = await startMortalRedis();
  proxy = await startFaultProxy(redis);
  const url = `redis://127.0.0.1:${proxy.port}`;
  // Not as a user with its rights alone, whom this Redis would have forgotten when it starts again.
  server = await startAdminServer(url, { REDIS_URL: url });
});
afterAll(async () => {
  await redis?.restart();
  await server?.stop();
  await proxy?.close();
  await redis?.close();
});

/** What administrators write; not what runs. */
async function definitions(): Promise<string> {
  const all = Object.entries(await redis.contents());
  return JSON.stringify(all.filter(([key]) => !key.startsWith(`${server.prefix}run:`)));
}

const ready = () =>
  expect.poll(async () => (await server.admin.get('/readyz')).status, { timeout: 20_000, interval: 50 }).toBe(200);

/** The script that writes definitions; those about what runs go on all the time. */
const isWriting = ([command = '', ...words]: Words) =>
  /^eval(sha)?$/i.test(command) &&
  words.some((word) => word.startsWith(server.prefix) && !word.startsWith(`${server.prefix}run:`));

interface Write {
  readonly name: string;
  /** What has to be there before; answers what the write needs to know. */
  readonly prepare?: () => Promise<string>;
  readonly write: (prepared: string) => Promise<Answer>;
}

const configuration = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIAUSER', api_key: SECRET };
const application = async () => (await server.admin.post('/api/applications', { name: 'a' })).body.id as string;

const WRITES: readonly Write[] = [
  { name: 'an integration', write: () => server.admin.post('/api/integrations/provider/lost', { configuration }) },
  { name: 'fifty prompts at once', write: () => server.admin.post('/api/prompts', PROMPTS) },
  {
    name: 'the end of a group, its members and its grants',
    async prepare() {
      await server.admin.post('/api/prompts/kept?description=d', 'Summarize');
      await server.admin.put('/api/groups/gone', { description: 'd' });
      await server.admin.post('/api/groups/gone/users', ['alice', 'bob']);
      const grant = {
        subject: { type: 'GROUP', id: 'gone' },
        target: { type: 'PROMPT', id: 'kept' },
        access: ['READ'],
      };
      expect((await server.admin.post('/api/auth/authorization', grant)).status).toBe(200);
      return 'gone';
    },
    write: () => server.admin.delete('/api/groups/gone'),
  },
  {
    name: 'an access key and the hash of its secret',
    prepare: application,
    write: (id) => server.admin.post(`/api/applications/${id}/accessKeys`),
  },
  {
    name: 'the switch of an access key',
    async prepare() {
      const id = await application();
      const { body } = await server.admin.post(`/api/applications/${id}/accessKeys`);
      return `/api/applications/${id}/accessKeys/${body.id}/status`;
    },
    write: (path) => server.admin.post(path),
  },
];

describe.each(WRITES)('a write of $name', ({ prepare, write }) => {
  async function struck(moment: Moment, act: () => Promise<void>) {
    await ready();
    // A script that Redis does not know is sent twice, and written only the second time.
    expect((await server.admin.put('/api/groups/warm', { description: String(performance.now()) })).status).toBe(200);
    const prepared = (await prepare?.()) ?? '';
    const before = await definitions();
    const strike = proxy.arm({
      on: (words) => isWriting(words),
      moment,
      async act() {
        if (moment === 'after') await until(async () => (await definitions()) !== before);
        await act();
      },
    });
    const answer = await write(prepared);
    await strike;
    return { before, answer, prepared };
  }

  it.each<Moment>(['before', 'amid', 'after'])(
    'struck %s it is there whole or not at all, and the answer says that it may be',
    async (moment) => {
      const { before, answer } = await struck(moment, () => redis.kill());
      await redis.restart();
      expect([answer.status, answer.body.retryable]).toEqual([503, true]);
      expect(answer.body.message).toBe('Redis did not answer: what was to be written may be written or not');
      expect(answer.text).not.toContain(SECRET);
      expect((await definitions()) === before).toBe(moment !== 'after');
      await ready();
    },
  );

  it('whose confirmation is lost, though Redis lives, is not called unwritten', async () => {
    const { before, answer } = await struck('after', async () => undefined);
    expect(await definitions()).not.toBe(before);
    if (answer.status !== 200) {
      expect([answer.status, answer.body.message]).toEqual([503, expect.stringContaining('may be written or not')]);
    }
  });
});

it('no write left half of itself: every record is read without a fault', async () => {
  await ready();
  const names = keyNames(server.prefix);
  const { keys, hashes } = await redis.with(async (connection) => ({
    keys: await connection.hkeys(names.hash('access-keys')),
    hashes: await connection.hkeys(names.admin.keyHashes),
  }));
  expect(keys.sort()).toEqual(hashes.sort());
  expect(await server.cli.stdout()).not.toContain(SECRET);
});
