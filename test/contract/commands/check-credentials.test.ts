import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ACCOUNT, ROLE } from '../../../simulator/known.ts';
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
