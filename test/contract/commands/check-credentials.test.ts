import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ACCOUNT, INTEGRATION_CREDENTIALS, ROLE } from '../../../simulator/known.ts';
import { type SecretField, secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import { seal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import { ACCESS_KEY, type CheckWorld, configured, EXTERNAL_ROLE, SECRETS, startCheckWorld } from './check-world.ts';
import { INTEGRATION, type Installation, install } from './installation.ts';

let world: CheckWorld;
beforeAll(async () => {
  world = await startCheckWorld();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const check = (here: Installation, env: NodeJS.ProcessEnv = {}, ...options: string[]) =>
  world.check(here, env, ...options);

/** The secret that is right for this field, sealed under the key "one". */
const sealed = (integration: string, field: SecretField) =>
  seal(
    field === 'api_key' ? INTEGRATION_CREDENTIALS.secretAccessKey : ROLE.externalId,
    secretPlace(integration, field),
    parseKeyring(encryptionKeys('one')),
  );

describe('credentials', () => {
  const failing: [string, object, NodeJS.ProcessEnv, string][] = [
    ['the wrong external id', EXTERNAL_ROLE, { EXTERNAL: 'not-the-one' }, 'AccessDenied'],
    ['the wrong secret', ACCESS_KEY, { SECRET: 'x'.repeat(40) }, 'SignatureDoesNotMatch'],
    ['an unknown access key', { ...ACCESS_KEY, user: 'AKIAUNKNOWN000000001' }, SECRETS, 'AWS refused'],
    ['a secret that is not there', ACCESS_KEY, {}, 'the variable SECRET is not set'],
    [
      'a variable that may not be named',
      { ...ACCESS_KEY, api_key: 'env:AWS_SECRET_ACCESS_KEY' },
      {},
      'may not be used',
    ],
    ['a file without its folder', { ...ACCESS_KEY, api_key: 'file:key' }, {}, 'SECRET_FILES_DIR'],
  ];
  it.each(failing)('that fail are an error without ARN, account or key: %s', async (_, configuration, env, message) => {
    await using here = await install();
    await here.put('integrations', 'p', configured(configuration));
    const { code, findings, output } = await check(here, env);
    expect(code).toBe(1);
    expect(findings).toEqual([
      {
        severity: 'error',
        key: here.names.hash('integrations'),
        field: 'p',
        message: expect.stringContaining(message),
      },
    ]);
    for (const hidden of [ROLE.arn, ACCOUNT, 'arn:aws', 'AKIA', 'not-the-one', 'x'.repeat(40)]) {
      expect(output).not.toContain(hidden);
    }
  });

  it.each(['CONDUCTOR_ROLE', 'EXTERNAL_ROLE'])(
    'that the process has none of are said to be missing, with where they may be: %s',
    async (type) => {
      await using here = await install();
      await here.put(
        'integrations',
        'p',
        configured(type === 'EXTERNAL_ROLE' ? EXTERNAL_ROLE : { connectionType: type }),
      );
      const nothing = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, HOME: '/nowhere' };
      const { code, findings } = await check(here, { ...SECRETS, ...nothing });
      expect(code).toBe(1);
      expect(findings).toEqual([
        {
          ...{ severity: 'error', key: here.names.hash('integrations'), field: 'p' },
          message: expect.stringMatching(
            /^p: no AWS credentials were found .*AWS_ACCESS_KEY_ID.*AWS_WEB_IDENTITY_TOKEN_FILE.*AWS_PROFILE.*give this process/,
          ),
        },
      ]);
      expect(findings[0]?.message).not.toContain('refused');
    },
  );

  it('that are sealed are opened and shown to STS', async () => {
    await using here = await install();
    await here.put('integrations', 'keys', configured({ ...ACCESS_KEY, api_key: sealed('keys', 'api_key') }));
    await here.put('integrations', 'role', configured({ ...EXTERNAL_ROLE, externalId: sealed('role', 'externalId') }));
    const { code, findings } = await check(here, { ENCRYPTION_KEYS: encryptionKeys('new', 'one') });
    expect([code, findings]).toEqual([0, []]);
    expect(world.simulator.calls({ modelId: 'sts' }).calls.map(({ operation }) => operation)).toContain('AssumeRole');
  });

  it.each<[string, NodeJS.ProcessEnv, object, 'error' | 'warning', string]>([
    ['without its key', {}, {}, 'error', 'sealed under the key "one", which ENCRYPTION_KEYS does not have; give'],
    ['under another key', { ENCRYPTION_KEYS: encryptionKeys('new') }, {}, 'error', 'sealed under the key "one"'],
    [
      'that was moved here from another record',
      { ENCRYPTION_KEYS: encryptionKeys('one') },
      { api_key: sealed('elsewhere', 'api_key') },
      'error',
      'sealed for another record or field; write the secret anew',
    ],
    ['of no form', {}, { api_key: 'enc:v1:one' }, 'error', 'not of the form enc:v1:<key id>:<base64>'],
    ['that is not read', {}, { connectionType: 'CONDUCTOR_ROLE' }, 'warning', 'sealed under the key "one"'],
  ])('that are sealed %s are one finding, offline, too', async (_, env, more, severity, message) => {
    await using here = await install();
    await here.put('integrations', 'p', configured({ ...ACCESS_KEY, api_key: sealed('p', 'api_key'), ...more }));
    for (const options of [[], ['--offline']]) {
      const { code, findings, output } = await check(here, env, ...options);
      expect(code).toBe(1);
      expect(findings).toEqual([
        {
          severity,
          key: here.names.hash('integrations'),
          field: 'p',
          message: expect.stringMatching(/^configuration\.api_key: /),
        },
      ]);
      expect(findings[0]?.message).toContain(message);
      expect(output).not.toContain(INTEGRATION_CREDENTIALS.secretAccessKey);
    }
  });

  it('that are sealed and do not open are a warning where the integration is switched off', async () => {
    await using here = await install();
    const integration = configured({ ...ACCESS_KEY, api_key: sealed('p', 'api_key') });
    await here.put('integrations', 'p', { ...integration, enabled: false });
    expect((await check(here)).findings).toMatchObject([{ severity: 'warning', field: 'p' }]);
  });

  it('of an integration that is switched off are not asked for', async () => {
    await using here = await install();
    await here.put('integrations', 'p', { ...configured(ACCESS_KEY), enabled: false });
    const { code } = await check(here);
    expect([code, world.simulator.calls({ modelId: 'sts' }).calls]).toEqual([0, []]);
  });

  it('are not asked for with --offline, nor is Conductor', async () => {
    await using here = await install();
    await here.put('integrations', 'p', configured(ACCESS_KEY));
    const asked = world.conductor.requests.length;
    expect((await check(here, { CONDUCTOR_SERVER_URL: 'http://127.0.0.1:1' }, '--offline')).code).toBe(0);
    expect([world.conductor.requests.length, world.simulator.calls({ modelId: 'sts' }).calls]).toEqual([asked, []]);
  });

  it('cannot be verified where STS does not answer: exit code 3, the other findings said all the same', async () => {
    await using here = await install();
    await here.put('integrations', 'p', INTEGRATION);
    await here.put('models', 'p:m', '{');
    const { code, findings } = await check(here, { AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' });
    expect(code).toBe(3);
    expect(findings.map(({ field }) => field)).toEqual(['p:m', 'p']);
  });
});
