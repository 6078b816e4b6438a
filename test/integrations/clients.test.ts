import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ENVIRONMENT_CREDENTIALS, INTEGRATION_CREDENTIALS, OPEN_ROLE, ROLE } from '../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../simulator/simulator.ts';
import type { BedrockClient } from '../../src/integrations/bedrock/client.ts';
import { type Clients, createClients } from '../../src/integrations/clients.ts';
import { type IntegrationConfiguration, integrationRecord } from '../../src/integrations/integration.ts';
import { secretPlace } from '../../src/integrations/secrets/secret-fields.ts';
import { seal } from '../../src/secrets/envelope.ts';
import { parseKeyring } from '../../src/secrets/keyring.ts';
import { encryptionKeys } from '../support/encryption-keys.ts';
import { sendTwice } from './bedrock/support/send-twice.ts';

const MODEL = 'cohere.embed-english-v3';

let simulator: Simulator;
let clients: Clients;
let filesDir: string;
const lines: string[] = [];
const variables: Record<string, string> = {
  BEDROCK_KEY: INTEGRATION_CREDENTIALS.secretAccessKey,
  EXTERNAL_ID: ROLE.externalId,
  ODD_ID: 'no external id (hunter2)',
};
beforeAll(async () => {
  simulator = await startSimulator();
  filesDir = await mkdtemp(join(tmpdir(), 'clients-'));
});
afterAll(async () => {
  await simulator.close();
  await rm(filesDir, { recursive: true });
});
beforeEach(() => {
  simulator.reset();
  lines.length = 0;
  for (const [name, value] of Object.entries({
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: simulator.url,
    AWS_ENDPOINT_URL_STS: simulator.url,
    AWS_ACCESS_KEY_ID: ENVIRONMENT_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ENVIRONMENT_CREDENTIALS.secretAccessKey,
    AWS_SESSION_TOKEN: undefined,
    AWS_BEARER_TOKEN_BEDROCK: undefined,
    AWS_PROFILE: undefined,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  })) {
    vi.stubEnv(name, value);
  }
  clients = createClients({
    secrets: { variables, filesDir, keyring: parseKeyring(encryptionKeys('here')) },
    log: pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) }),
  });
});
afterEach(async () => {
  await clients.close();
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

function configured(configuration: Record<string, unknown>): IntegrationConfiguration {
  return integrationRecord.parse({
    type: 'aws_bedrock_cohere',
    configuration: { region: 'us-east-1', ...configuration },
  }).configuration;
}

const CONDUCTOR_ROLE = configured({ connectionType: 'CONDUCTOR_ROLE' });
const ACCESS_KEY = configured({
  connectionType: 'ACCESS_KEY',
  user: INTEGRATION_CREDENTIALS.accessKeyId,
  api_key: 'env:BEDROCK_KEY',
});
const external = (externalId: string | undefined, roleArn: string = ROLE.arn) =>
  configured({ connectionType: 'EXTERNAL_ROLE', roleArn, externalId });

const embed = (client: BedrockClient) =>
  sendTwice(client, {
    place: { integration: 'prod', model: MODEL },
    modelId: MODEL,
    call: { operation: 'InvokeModel', body: { texts: ['hello'], input_type: 'search_document' } },
    timeoutMs: 10_000,
    signal: new AbortController().signal,
  });
const call = (configuration: IntegrationConfiguration, integration = 'prod') =>
  clients.withClient(integration, configuration, embed);
const calls = () => simulator.calls({ modelId: MODEL }).calls;
const failureOf = (promise: Promise<unknown>): Promise<Error & { code?: string }> =>
  promise.then(
    () => new Error('was not refused'),
    (error) => error,
  );

describe('each connection type calls the model', () => {
  it.each([
    ['CONDUCTOR_ROLE', CONDUCTOR_ROLE, ENVIRONMENT_CREDENTIALS.accessKeyId],
    ['ACCESS_KEY', ACCESS_KEY, INTEGRATION_CREDENTIALS.accessKeyId],
    ['EXTERNAL_ROLE', external('env:EXTERNAL_ID'), expect.stringMatching(/^ASIA/)],
    ['EXTERNAL_ROLE without an external id', external(undefined, OPEN_ROLE.arn), expect.stringMatching(/^ASIA/)],
  ])('%s', async (_, configuration, accessKeyId) => {
    expect(await call(configuration)).toMatchObject({ body: { embeddings: expect.any(Array) } });
    expect(calls()).toMatchObject([{ accessKeyId, status: 200 }]);
  });

  it('ACCESS_KEY, whatever session or bearer token the environment holds', async () => {
    vi.stubEnv('AWS_SESSION_TOKEN', 'of-somebody-else');
    vi.stubEnv('AWS_BEARER_TOKEN_BEDROCK', 'bedrock-api-key-x');
    await call(ACCESS_KEY);
    expect(calls()).toMatchObject([{ accessKeyId: INTEGRATION_CREDENTIALS.accessKeyId, status: 200 }]);
  });

  it('several integrations beside each other, each with its own', async () => {
    await Promise.all([
      call(CONDUCTOR_ROLE, 'one'),
      call(ACCESS_KEY, 'two'),
      call({ ...ACCESS_KEY, region: 'us-west-2' }, 'three'),
    ]);
    expect(new Set(calls().map(({ region, accessKeyId }) => `${region} ${accessKeyId}`)).size).toBe(3);
  });
});

describe('a bare secret', () => {
  const warnings = () => lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes('stands in Redis'));

  it('is warned of once, by its field, and not repeated', async () => {
    const bare = { ...ACCESS_KEY, api_key: INTEGRATION_CREDENTIALS.secretAccessKey };
    for (const _ of [1, 2]) await call({ ...bare });
    expect(warnings()).toMatchObject([{ level: 40, integration: 'prod', field: 'configuration.api_key' }]);
    expect(lines.join('')).not.toContain(INTEGRATION_CREDENTIALS.secretAccessKey);
    await call(external(ROLE.externalId), 'other');
    expect(warnings()[1]).toMatchObject({ integration: 'other', field: 'configuration.externalId' });
  });

  it('alone is: none that is named or sealed', async () => {
    await call(ACCESS_KEY);
    await call(CONDUCTOR_ROLE, 'other');
    expect(warnings()).toEqual([]);
  });
});

describe('an integration whose credentials fail', () => {
  it('by a wrong external id says so, and neither role, account nor id', async () => {
    const error = await failureOf(call(external('wrong-id-hunter2')));
    expect(error).toMatchObject({ code: 'CREDENTIALS_FAILED', retryable: false });
    expect(error.message).toContain('AccessDenied');
    for (const secret of ['111122223333', 'arn:aws', 'bedrock-caller', 'user/conductor', 'hunter2']) {
      expect(error.message).not.toContain(secret);
    }
    expect(calls()).toEqual([]);
  });

  it('by an external id that STS finds malformed does not repeat the secret', async () => {
    const error = await failureOf(call(external('env:ODD_ID')));
    expect(error).toMatchObject({ code: 'SECRET_UNAVAILABLE', field: 'configuration.externalId' });
    expect(error.message).not.toContain('hunter2');
    expect(lines.join('')).not.toContain('hunter2');
  });

  it('by a secret that cannot be opened names it, and calls nothing', async () => {
    const error = await failureOf(call({ ...ACCESS_KEY, api_key: 'env:ABSENT' }));
    expect(error).toMatchObject({ code: 'SECRET_UNAVAILABLE', field: 'configuration.api_key' });
    expect(error.message).toContain('ABSENT');
    expect(calls()).toEqual([]);
  });

  it('by a secret under a key that is not there says which, and the others go on', async () => {
    const sealedUnder = (id: string, integration: string) => ({
      ...ACCESS_KEY,
      api_key: seal(
        INTEGRATION_CREDENTIALS.secretAccessKey,
        secretPlace(integration, 'api_key'),
        parseKeyring(encryptionKeys(id)),
      ),
    });
    const error = await failureOf(call(sealedUnder('gone', 'prod')));
    expect(error).toMatchObject({ code: 'SECRET_UNAVAILABLE', field: 'configuration.api_key', retryable: false });
    expect(error.message).toMatch(/The record of the integration prod, configuration\.api_key: .*"gone"/);
    expect(calls()).toEqual([]);
    expect(await call(sealedUnder('here', 'other'), 'other')).toMatchObject({ body: expect.anything() });
    // Moved to a record of another name, it is worth nothing.
    const moved = await failureOf(call(sealedUnder('here', 'other'), 'thief'));
    expect(moved).toMatchObject({ code: 'SECRET_UNAVAILABLE' });
  });

  it('by a wrong secret fails, without the secret or the key', async () => {
    const error = await failureOf(call({ ...ACCESS_KEY, api_key: 'hunter2' }));
    expect(error).toMatchObject({ code: 'CREDENTIALS_FAILED' });
    expect(error.message).not.toContain('hunter2');
    expect(error.message).not.toContain(INTEGRATION_CREDENTIALS.accessKeyId);
  });
});

describe('credentials that were revoked', () => {
  it('are fetched afresh once, and the call succeeds', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const configuration = external('env:EXTERNAL_ID');
    await call(configuration);
    simulator.revokeCredentials(calls()[0]?.accessKeyId ?? '');
    vi.advanceTimersByTime(10_000);
    simulator.clearCalls();
    await Promise.all([call(configuration), call(configuration), call(configuration)]);
    expect(simulator.calls({ modelId: 'sts' }).totals.errors).toEqual({ UnrecognizedClientException: 3 });
    expect(simulator.calls().models['sts']).toMatchObject({ calls: 1, succeeded: 1 });
    expect(simulator.calls().models[MODEL]).toMatchObject({ calls: 6, succeeded: 3 });
  });

  it('are read again from the file that holds them', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const configuration = { ...ACCESS_KEY, api_key: 'file:key' };
    await writeFile(join(filesDir, 'key'), INTEGRATION_CREDENTIALS.secretAccessKey);
    await call(configuration);
    simulator.addCredentials({ accessKeyId: INTEGRATION_CREDENTIALS.accessKeyId, secretAccessKey: 'rotated' });
    await writeFile(join(filesDir, 'key'), 'rotated\n');
    vi.advanceTimersByTime(10_000);
    await call(configuration);
    expect(calls()).toMatchObject([{ status: 200 }, { error: 'InvalidSignatureException' }, { status: 200 }]);
  });
});

describe('a changed configuration', () => {
  it('holds from the next call and fails none that is running', async () => {
    simulator.setLatency(MODEL, 300);
    const running = [call(CONDUCTOR_ROLE), call(CONDUCTOR_ROLE)];
    await vi.waitFor(() => expect(calls().length).toBe(2));
    simulator.setLatency(MODEL, 0);
    await call(ACCESS_KEY);
    expect(await Promise.all(running)).toHaveLength(2);
    expect(calls().map(({ accessKeyId, status }) => [accessKeyId, status])).toEqual([
      [ENVIRONMENT_CREDENTIALS.accessKeyId, 200],
      [ENVIRONMENT_CREDENTIALS.accessKeyId, 200],
      [INTEGRATION_CREDENTIALS.accessKeyId, 200],
    ]);
  });

  it('is what makes a new client, an equal one does not', async () => {
    const used: BedrockClient[] = [];
    const use = async (client: BedrockClient) => void used.push(client);
    await clients.withClient('prod', CONDUCTOR_ROLE, use);
    await clients.withClient('prod', structuredClone(CONDUCTOR_ROLE), use);
    await clients.withClient('prod', { ...CONDUCTOR_ROLE, region: 'us-west-2' }, use);
    await clients.withClient('other', CONDUCTOR_ROLE, use);
    expect(used[1]).toBe(used[0]);
    expect(new Set(used).size).toBe(3);
  });

  it('closes the old client once its last call is done', async () => {
    const { promise: done, resolve } = Promise.withResolvers<void>();
    let old: BedrockClient | undefined;
    const running = clients.withClient('prod', CONDUCTOR_ROLE, async (client) => {
      old = client;
      await done;
      return await embed(client);
    });
    await clients.withClient('prod', ACCESS_KEY, embed);
    resolve();
    expect(await running).toHaveProperty('body');
    await vi.waitFor(async () => {
      if (old === undefined) throw new Error('never used');
      await expect(embed(old)).rejects.toMatchObject({ code: 'BEDROCK_UNAVAILABLE' });
    });
  });
});

describe('an integration that is no longer there', () => {
  it('loses its client, not its running call, and gets a new one should it come back', async () => {
    simulator.setLatency(MODEL, 100);
    const running = call(CONDUCTOR_ROLE, 'gone');
    await vi.waitFor(() => expect(calls().length).toBe(1));
    const kept = await clients.withClient('kept', CONDUCTOR_ROLE, async (client) => client);
    const gone = await clients.withClient('gone', CONDUCTOR_ROLE, async (client) => client);
    clients.keepOnly(new Set(['kept']));
    expect(await running).toHaveProperty('body');
    await clients.withClient('kept', CONDUCTOR_ROLE, async (client) => expect(client).toBe(kept));
    await clients.withClient('gone', CONDUCTOR_ROLE, async (client) => expect(client).not.toBe(gone));
  });
});
