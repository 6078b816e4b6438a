import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import { INTEGRATION, type Installation, install, resultOf } from './installation.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const ACCOUNT = '111122223333';

const REASON = 'the mask in its place keeps what is stored; where nothing is, give it by hand';

const withKey = (apiKey: string) => ({
  type: 'aws_bedrock_cohere',
  configuration: {
    connectionType: 'ACCESS_KEY',
    region: 'us-east-1',
    user: 'AKIA',
    awsAccountId: ACCOUNT,
    api_key: apiKey,
  },
});

async function seeded(): Promise<Installation> {
  const here = await install();
  await here.put('integrations', 'prod', INTEGRATION);
  await here.put('models', 'prod:m', { configuration: { maxConcurrency: 8 } });
  await here.put('groups', 'analysts', { description: 'Risk analysts' });
  await here.redis.sadd(here.names.members('analysts'), 'bob', 'alice');
  await here.redis.hset(here.names.grants('GROUP:analysts'), 'INTEGRATION:prod:m', 'READ,EXECUTE');
  return here;
}

const MANIFEST = `# Written by bedrock-cohere export; bedrock-cohere apply takes it.

integrations:
  prod:
    type: aws_bedrock_cohere
    configuration:
      connectionType: CONDUCTOR_ROLE
      region: us-east-1
models:
  prod:m:
    configuration:
      maxConcurrency: 8
groups:
  analysts:
    description: Risk analysts
    members:
      - alice
      - bob
grants:
  - subject: GROUP:analysts
    target: INTEGRATION:prod:m
    access:
      - READ
      - EXECUTE
`;

describe('export', () => {
  it('writes manifests to standard output, from which apply makes the same in an empty Redis: exit code 0', async () => {
    await using here = await seeded();
    await using there = await install();
    const { code, stdout, stderr } = await here.run(['export']);
    expect([code, stdout, stderr]).toEqual([0, MANIFEST, '']);
    const applied = await there.apply(stdout);
    expect([applied.code, applied.stderr]).toEqual([0, '']);
    expect(await there.contents()).toEqual(await here.contents());
    expect((await here.apply(stdout, '--prune', '--output', 'json')).stdout).toBe('{"changes":[]}\n');
  });

  it('writes the accesses of a grant in one order, whichever redis-cli gave them; applied there it changes nothing', async () => {
    await using here = await seeded();
    await here.redis.hset(here.names.grants('GROUP:analysts'), 'INTEGRATION:prod:m', 'EXECUTE,READ');
    const { stdout } = await here.run(['export']);
    expect(stdout).toBe(MANIFEST);
    expect((await here.apply(stdout, '--prune', '--output', 'json')).stdout).toBe('{"changes":[]}\n');
  });

  it('writes a file whole, over what was there, and leaves nothing beside it', async () => {
    await using here = await seeded();
    const file = await here.manifest('catalog.yaml', 'old: text');
    const { code, stdout } = await here.run(['export', '-f', file]);
    expect([code, stdout]).toEqual([0, `4 entries written to ${file}.\n`]);
    expect(await readFile(file, 'utf8')).toBe(MANIFEST);
    expect(await readdir(dirname(file))).toEqual(['catalog.yaml']);
    const nowhere = await here.run(['export', '-f', join(file, 'x')]);
    expect([nowhere.code, nowhere.stdout]).toEqual([2, '']);
    expect(nowhere.stderr).toContain('cannot be written');
  });

  it('takes kinds, and refuses unknown ones', async () => {
    await using here = await seeded();
    const { stdout } = await here.run(['export', '--kind', 'models', '--kind', 'grants']);
    expect(stdout).toMatch(/^#.*\n\nmodels:[\s\S]*\ngrants:/);
    expect(stdout).not.toMatch(/^(integrations|groups):/m);
    const wrong = await here.run(['export', '--kind', 'model']);
    expect([wrong.code, wrong.stdout]).toEqual([2, '']);
  });

  it('of an empty Redis is a comment, which apply takes', async () => {
    await using here = await install();
    const { code, stdout } = await here.run(['export']);
    expect([code, stdout]).toEqual([0, '# Written by bedrock-cohere export; bedrock-cohere apply takes it.\n']);
    expect((await here.apply(stdout)).code).toBe(0);
  });

  it('says with --output json the manifest and what is left out', async () => {
    await using here = await seeded();
    await here.put('integrations', 'key', withKey('env:NAME'));
    const { code, stdout } = await here.run(['export', '--kind', 'integrations', '--output', 'json']);
    expect(code).toBe(0);
    const configuration = { ...withKey('env:NAME').configuration, awsAccountId: '********' };
    expect(JSON.parse(stdout)).toEqual({
      manifests: { integrations: { key: { type: INTEGRATION.type, configuration }, prod: INTEGRATION } },
      leftOut: [{ kind: 'integrations', name: 'key', field: 'configuration.awsAccountId', reason: REASON }],
    });
  });

  it('is exit code 3 without Redis', async () => {
    await using here = await install();
    const { code, stdout } = await here.run(['export'], { REDIS_URL: 'redis://127.0.0.1:1' });
    expect([code, stdout]).toEqual([3, '']);
  });
});

describe('secrets and keys', () => {
  it('are never exported, bare or sealed: a comment names what to give by hand, and apply asks for it there', async () => {
    await using here = await install();
    const env = { ENCRYPTION_KEYS: encryptionKeys('k1') };
    await here.put('integrations', 'bare', withKey(SECRET));
    const file = await here.manifest('m.yaml', JSON.stringify({ integrations: { sealed: withKey(SECRET) } }));
    expect((await here.run(['apply', '-f', file], env)).code).toBe(0);
    await here.put('integrations', 'reference', withKey('file:prod-key'));
    expect((await here.run(['bootstrap'], env)).code).toBe(0);

    const { code, stdout, stderr } = await here.run(['export'], env);
    expect(code).toBe(0);
    for (const text of [stdout, stderr])
      expect(text).not.toMatch(new RegExp(`${SECRET}|enc:v1|${ACCOUNT}|access-keys|token-keys|uid:`));
    for (const name of ['bare', 'sealed']) {
      const comment = `  # integrations ${name} configuration.api_key is left out: ${REASON}\n`;
      expect(stdout).toContain(
        `${comment}  # integrations ${name} configuration.awsAccountId is left out: ${REASON}\n  ${name}:\n`,
      );
      expect(stderr).toContain(`integrations ${name} configuration.api_key is left out`);
    }
    expect(stdout).toContain('api_key: file:prod-key');

    await using there = await install();
    const refused = await there.apply(stdout);
    expect(refused.code).toBe(1);
    const faults = /m\.yaml:\d+:7: integrations\.\w+\.configuration\.\w+: is the mask, but no value is stored/g;
    expect(refused.stderr.match(faults)).toHaveLength(5);
    expect(await there.contents()).toEqual({});
    const filled = stdout
      .replaceAll('api_key: "********"', `api_key: ${SECRET}`)
      .replaceAll('awsAccountId: "********"', `awsAccountId: "${ACCOUNT}"`);
    expect((await there.apply(filled)).code).toBe(0);
    expect((await there.apply(filled, '--output', 'json')).stdout).toBe('{"changes":[]}\n');
  });

  it('stay where they are when an export is applied where it came from', async () => {
    await using here = await install();
    const env = { ENCRYPTION_KEYS: encryptionKeys('k1') };
    const file = await here.manifest('m.yaml', JSON.stringify({ integrations: { sealed: withKey(SECRET) } }));
    expect((await here.run(['apply', '-f', file], env)).code).toBe(0);
    const before = await here.contents();
    for (const keys of [env, {}]) {
      const again = await here.manifest('export.yaml', (await here.run(['export'], env)).stdout);
      const applied = await here.run(['apply', '-f', again, '--prune', '--output', 'json'], keys);
      expect([applied.code, applied.stdout, applied.stderr]).toEqual([0, '{"changes":[]}\n', '']);
    }
    expect(await here.contents()).toEqual(before);
  });

  it('of tokens and access keys are not exported, nor what ties an application to its own', async () => {
    await using here = await install();
    await here.put('applications', 'claims', { uid: '0a1b2c3d', workflows: ['claims_*'] });
    const { stdout } = await here.run(['export']);
    expect(stdout).toContain('claims:\n    workflows:');
    expect(stdout).not.toContain('0a1b2c3d');
    // Applied where it came from, it takes nothing from the application.
    expect((await here.apply(stdout, '--output', 'json')).stdout).toBe('{"changes":[]}\n');
  });
});

describe('what counts for nothing', () => {
  it('is left out, listed in a comment and on stderr, and the rest can be applied: exit code 1', async () => {
    await using here = await seeded();
    await here.put('models', 'gone:m', {});
    await here.put('users', 'broken', '{');
    await here.put('prompts', 'p', { template: 't', integrations: ['prod:m', 'gone:m', 'prod:other'] });
    await here.redis.sadd(here.names.members('analysts'), 'app:nobody');
    await here.redis.sadd(here.names.members('no-such\nusers: {}'), 'alice');
    await here.redis.hset(here.names.grants('USER:alice'), {
      'PROMPT:q': 'READ',
      'PROMPT:p': 'RUN',
      'INTEGRATION:gone:m': 'READ',
    });
    const { code, stdout, stderr } = await here.run(['export']);
    expect(code).toBe(1);
    const left = [
      'models gone:m is left out: the integration gone is not there',
      'users broken is left out: it cannot be read: not JSON',
      'prompts p integrations is left out: the model gone:m is not there',
      'prompts p integrations is left out: the model prod:other is not there',
      'groups analysts members is left out: the application nobody is not there',
      'members no-such\\x0ausers: {} is left out: the group no-such',
      'grants USER:alice → PROMPT:q is left out: the prompt q is not there',
      'grants USER:alice → PROMPT:p is left out: access is one or more of',
      'grants USER:alice → INTEGRATION:gone:m is left out: the model gone:m is not there',
    ];
    for (const line of left) {
      expect(stdout).toContain(`\n# ${line}`);
      expect(stderr).toContain(line);
    }
    await using there = await install();
    const applied = await there.apply(stdout);
    expect([applied.code, applied.stderr]).toEqual([0, '']);
    expect(await there.redis.hget(there.names.hash('prompts'), 'p')).toBe('{"template":"t","integrations":["prod:m"]}');
    expect(resultOf(await here.run(['export', '--kind', 'roles', '--output', 'json']))).toEqual({
      manifests: {},
      leftOut: [],
    });
  });
});
