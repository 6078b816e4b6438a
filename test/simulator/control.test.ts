import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { OPEN_ROLE } from '../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../simulator/simulator.ts';
import { bedrockClient, refusal, stsClient } from './clients.ts';

const MODEL = 'cohere.embed-english-v3';
const EMBED = { texts: ['one'], input_type: 'search_document' };
const OWN = { accessKeyId: 'AKIASIMULATOR0000009', secretAccessKey: 'own' };

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.reset());
afterAll(() => simulator.close());

async function control(method: string, name: string, body?: unknown) {
  const text = body === undefined ? null : JSON.stringify(body);
  const response = await fetch(`${simulator.url}/_control/${name}`, { method, body: text });
  return { status: response.status, body: await response.json() };
}
const invoke = (credentials?: typeof OWN) => bedrockClient(simulator, { credentials }).invoke(MODEL, EMBED);

describe('the control endpoint', () => {
  test('sets and clears faults, resets', async () => {
    await control('POST', 'faults', { model: MODEL, fault: { name: 'ThrottlingException' } });
    expect(await refusal(invoke())).toMatchObject({ name: 'ThrottlingException' });
    await control('POST', 'faults', { model: MODEL, fault: null });
    await invoke();
    await control('POST', 'faults', { model: '*', fault: [{ status: 500 }] });
    expect(await control('POST', 'reset')).toEqual({ status: 200, body: { ok: true } });
    await invoke();
  });

  test('sets latency', async () => {
    await control('POST', 'latency', { model: '*', ms: 120 });
    const begun = performance.now();
    await invoke();
    expect(performance.now() - begun).toBeGreaterThan(115);
  });

  test('adds and revokes keys', async () => {
    await control('POST', 'credentials', OWN);
    await invoke(OWN);
    expect(await control('POST', 'credentials', { revoke: OWN.accessKeyId })).toMatchObject({ body: { known: true } });
    expect(await refusal(invoke(OWN))).toMatchObject({ name: 'UnrecognizedClientException' });
  });

  test('sets roles and the life of what STS issues', async () => {
    await control('POST', 'roles', { arn: OPEN_ROLE.arn, externalId: 'now-needed' });
    const assume = (ExternalId?: string) =>
      stsClient(simulator).send(
        new AssumeRoleCommand({ RoleArn: OPEN_ROLE.arn, RoleSessionName: 'session', ExternalId }),
      );
    expect(await refusal(assume())).toMatchObject({ name: 'AccessDenied' });
    await control('POST', 'sts', { lifetimeMs: 5000 });
    const { Credentials } = await assume('now-needed');
    expect((Credentials?.Expiration?.getTime() ?? 0) - Date.now()).toBeLessThanOrEqual(5000);
  });

  test('hosts models and chooses how they answer', async () => {
    const arn = 'arn:aws:bedrock:us-east-1:111122223333:provisioned-model/mine';
    await control('POST', 'models', { arn, family: 'embed-v4' });
    await control('POST', 'answers', { embedV4Unasked: 'floats' });
    expect(await bedrockClient(simulator).invoke(arn, EMBED)).toMatchObject({ response_type: 'embeddings_floats' });
  });

  test('tells of calls, and forgets them', async () => {
    await invoke();
    const { body } = await control('GET', `calls?modelId=${MODEL}&limit=5`);
    expect(body).toMatchObject({ calls: [{ modelId: MODEL, status: 200 }], totals: { calls: 1, maxInFlight: 1 } });
    await control('DELETE', 'calls');
    expect((await control('GET', 'calls')).body).toMatchObject({ calls: [], totals: { calls: 0 } });
    expect(await control('GET', 'health')).toEqual({ status: 200, body: { status: 'ok' } });
  });

  test.each([
    ['an unknown key', 'faults', { model: MODEL, fault: { name: 'ThrottlingException', count: 1 } }, 'count'],
    ['a fault without kind', 'faults', { model: MODEL, fault: { times: 1 } }, 'exactly one of'],
    [
      'a fault of two kinds',
      'faults',
      { model: MODEL, fault: { status: 500, closeConnection: true } },
      'exactly one of',
    ],
    ['an unknown error without status', 'faults', { model: MODEL, fault: { name: 'Oops' } }, 'status'],
    ['no model', 'latency', { ms: 5 }, 'model'],
    ['latency below 0', 'latency', { model: '*', ms: -1 }, 'ms'],
    ['a role that is none', 'roles', { arn: 'x' }, 'arn'],
    ['an unknown family', 'models', { arn: 'arn:aws:x', family: 'titan' }, 'family'],
    ['a life of 0', 'sts', { lifetimeMs: 0 }, 'lifetimeMs'],
  ])('refuses %s and says where', async (_, name, body, words) => {
    const answer = await control('POST', name, body);
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).toContain(words);
  });

  test('refuses what is no JSON, and names what there is', async () => {
    const response = await fetch(`${simulator.url}/_control/faults`, { method: 'POST', body: '{' });
    expect(response.status).toBe(400);
    expect(await control('GET', 'nothing')).toMatchObject({
      status: 404,
      body: { message: expect.stringContaining('POST faults') },
    });
  });
});
