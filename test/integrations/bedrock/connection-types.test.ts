import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ENVIRONMENT_CREDENTIALS, INTEGRATION_CREDENTIALS, OPEN_ROLE, ROLE } from '../../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../../simulator/simulator.ts';
import { credentialsLoader, loadFromDefaultChain } from '../../../src/integrations/bedrock/connection-types.ts';
import type { AwsCredentials, CredentialsSource } from '../../../src/integrations/bedrock/credentials.ts';
import { integrationRecord } from '../../../src/integrations/integration.ts';
import { secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import { seal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());
beforeEach(() => {
  simulator.reset();
  for (const [name, value] of Object.entries({
    AWS_ENDPOINT_URL_STS: simulator.url,
    AWS_ACCESS_KEY_ID: ENVIRONMENT_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ENVIRONMENT_CREDENTIALS.secretAccessKey,
    AWS_SESSION_TOKEN: undefined,
    AWS_PROFILE: undefined,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  })) {
    vi.stubEnv(name, value);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const KEYRING = parseKeyring(encryptionKeys('one'));
const sealed = (secret: string, field: 'api_key' | 'externalId') => seal(secret, secretPlace('prod', field), KEYRING);

const CHAIN: CredentialsSource = { get: loadFromDefaultChain, renew: loadFromDefaultChain };

function load(
  configuration: Record<string, unknown>,
  { variables = {}, conductorRole = CHAIN, integration = 'prod' } = {},
): Promise<AwsCredentials> {
  const record = integrationRecord.parse({
    type: 'aws_bedrock_cohere',
    configuration: { region: 'us-east-1', ...configuration },
  });
  return credentialsLoader({
    integration,
    configuration: record.configuration,
    secrets: { variables, filesDir: undefined, keyring: KEYRING },
    conductorRole,
  })();
}

const external = (given: Record<string, unknown> = {}) => ({
  connectionType: 'EXTERNAL_ROLE',
  roleArn: ROLE.arn,
  externalId: ROLE.externalId,
  ...given,
});
const assumed = () => simulator.calls({ modelId: 'sts' }).calls;

describe('CONDUCTOR_ROLE', () => {
  it('is what AWS’s default chain finds, with its session', async () => {
    expect(await load({ connectionType: 'CONDUCTOR_ROLE' })).toEqual(ENVIRONMENT_CREDENTIALS);
    vi.stubEnv('AWS_SESSION_TOKEN', 'session');
    expect(await load({ connectionType: 'CONDUCTOR_ROLE' })).toEqual({
      ...ENVIRONMENT_CREDENTIALS,
      sessionToken: 'session',
    });
  });

  it('follows a chain whose answer has changed', async () => {
    await loadFromDefaultChain();
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIACHANGED000000000');
    expect((await loadFromDefaultChain()).accessKeyId).toBe('AKIACHANGED000000000');
  });

  it('reads nothing of the other types’ fields', async () => {
    const other = { roleArn: ROLE.arn, user: 'AKIAOTHER00000000000', api_key: 'x', externalId: 'env:ABSENT' };
    expect(await load({ connectionType: 'CONDUCTOR_ROLE', ...other })).toEqual(ENVIRONMENT_CREDENTIALS);
    expect(assumed()).toEqual([]);
  });
});

describe('ACCESS_KEY', () => {
  const pair = { connectionType: 'ACCESS_KEY', user: INTEGRATION_CREDENTIALS.accessKeyId };

  it('is the pair alone: nothing of the environment is mixed in', async () => {
    vi.stubEnv('AWS_SESSION_TOKEN', 'of-somebody-else');
    const variables = { BEDROCK_KEY: INTEGRATION_CREDENTIALS.secretAccessKey };
    expect(await load({ ...pair, api_key: 'env:BEDROCK_KEY' }, { variables })).toEqual(INTEGRATION_CREDENTIALS);
    const envelope = sealed(INTEGRATION_CREDENTIALS.secretAccessKey, 'api_key');
    expect(await load({ ...pair, api_key: envelope })).toEqual(INTEGRATION_CREDENTIALS);
    expect(await load({ ...pair, api_key: 'typed-in' })).toEqual({
      accessKeyId: INTEGRATION_CREDENTIALS.accessKeyId,
      secretAccessKey: 'typed-in',
    });
  });

  it.each(['env:ABSENT', 'env:AWS_SECRET_ACCESS_KEY', 'file:x', 'enc:v1:k:x'])('refuses %s', async (api_key) => {
    await expect(load({ ...pair, api_key })).rejects.toMatchObject({
      code: 'SECRET_UNAVAILABLE',
      field: 'configuration.api_key',
    });
  });
});

describe('EXTERNAL_ROLE', () => {
  it('gives the role’s session, for an hour', async () => {
    const credentials = await load(external());
    expect(credentials).toMatchObject({
      accessKeyId: expect.stringMatching(/^ASIA/),
      sessionToken: expect.any(String),
      secretAccessKey: expect.stringMatching(/./),
    });
    const lasts = Number(credentials.expiration) - Date.now();
    expect(lasts).toBeGreaterThan(3_500_000);
    expect(lasts).toBeLessThanOrEqual(3_600_000);
  });

  it('sends the external id and a session policy for calls of models alone', async () => {
    await load(external());
    expect(assumed()).toMatchObject([
      {
        operation: 'AssumeRole',
        region: 'us-east-1',
        accessKeyId: ENVIRONMENT_CREDENTIALS.accessKeyId,
        body: { RoleArn: ROLE.arn, ExternalId: ROLE.externalId, DurationSeconds: '3600' },
      },
    ]);
    const policy = (assumed()[0]?.body as { Policy?: string } | undefined)?.Policy;
    expect(JSON.parse(policy ?? '')).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['bedrock:InvokeModel*', 'bedrock:ApplyGuardrail'], Resource: '*' }],
    });
  });

  it('sends no external id where none is written', async () => {
    for (const externalId of [undefined, null]) await load(external({ roleArn: OPEN_ROLE.arn, externalId }));
    for (const { body } of assumed()) expect(body).not.toHaveProperty('ExternalId');
  });

  it('opens an external id that is sealed, for that field alone', async () => {
    await load(external({ externalId: sealed(ROLE.externalId, 'externalId') }));
    expect(assumed()).toMatchObject([{ body: { ExternalId: ROLE.externalId } }]);
    // An access key's secret, moved into what is sent to somebody else's account.
    await expect(load(external({ externalId: sealed('hunter2', 'api_key') }))).rejects.toMatchObject({
      code: 'SECRET_UNAVAILABLE',
      field: 'configuration.externalId',
    });
    expect(assumed().length).toBe(1);
  });

  it('opens an external id that is a reference, and asks nothing of AWS where it cannot', async () => {
    const reference = external({ externalId: 'env:EXTERNAL_ID' });
    expect(await load(reference, { variables: { EXTERNAL_ID: ROLE.externalId } })).toHaveProperty('sessionToken');
    simulator.clearCalls();
    await expect(load(reference)).rejects.toMatchObject({
      code: 'SECRET_UNAVAILABLE',
      field: 'configuration.externalId',
    });
    for (const name of ['ENCRYPTION_KEYS', 'CONDUCTOR_AUTH_SECRET', 'AWS_SECRET_ACCESS_KEY']) {
      const stolen = load(external({ externalId: `env:${name}` }), { variables: { [name]: ROLE.externalId } });
      await expect(stolen).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    }
    expect(assumed()).toEqual([]);
  });

  it.each([
    ['prod', 'bedrock-cohere-prod'],
    ['x'.repeat(255), `bedrock-cohere-${'x'.repeat(49)}`],
    ['a_b.c-d', 'bedrock-cohere-a_b.c-d'],
  ])('names its session after the integration %s, in the form that STS takes', async (integration, name) => {
    await load(external(), { integration });
    expect(assumed()[0]?.body).toMatchObject({ RoleSessionName: name });
  });

  it('gets fresh base credentials where STS calls the first ones expired, once', async () => {
    const old: AwsCredentials = { accessKeyId: 'AKIAREVOKED000000000', secretAccessKey: 'x' };
    const renew = vi.fn(async () => ENVIRONMENT_CREDENTIALS);
    const conductorRole = { get: async () => old, renew };
    expect(await load(external(), { conductorRole })).toHaveProperty('sessionToken');
    expect(renew).toHaveBeenCalledExactlyOnceWith(old);
    expect(assumed()).toMatchObject([{ error: 'InvalidClientTokenId' }, { status: 200 }]);
  });

  it('does not ask again where the role itself is refused, or where the base stays the same', async () => {
    await expect(load(external({ externalId: 'wrong' }))).rejects.toMatchObject({ name: 'AccessDenied' });
    expect(assumed().length).toBe(1);
    const old: AwsCredentials = { accessKeyId: 'AKIAREVOKED000000000', secretAccessKey: 'x' };
    const conductorRole = { get: async () => old, renew: async () => old };
    await expect(load(external(), { conductorRole })).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
    expect(assumed().length).toBe(2);
  });

  describe('where STS answers without credentials', () => {
    let server: Server;
    beforeEach(async () => {
      server = createServer((_, outgoing) => {
        outgoing.writeHead(200, { 'content-type': 'text/xml' });
        outgoing.end(
          '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult/></AssumeRoleResponse>',
        );
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      vi.stubEnv('AWS_ENDPOINT_URL_STS', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
    afterEach(() => {
      server.closeAllConnections();
      server.close();
    });

    it('refuses them: the SDK would sign with empty ones', async () => {
      await expect(load(external())).rejects.toThrow();
    });
  });
});
