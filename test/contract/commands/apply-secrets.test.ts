import { describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import { secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import { unseal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import type { CliResult } from '../../support/cli.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import { type Installation, install, resultOf } from './installation.ts';

const SECRET = 'wJalrXUtnFEMI-bPxRfiCYEXAMPLEKEY';
const OLD = 'oldSECRETzzzzzzzzzz';
const ACCOUNT = '444455556666';

const integration = (secret: string, region = 'us-east-1', more = '') =>
  `integrations: { p: { type: aws_bedrock_cohere, configuration: { connectionType: ACCESS_KEY, region: ${region}, user: AKIAUSER, api_key: "${secret}"${more} } } }`;

const said = ({ stdout, stderr }: CliResult) => stdout + stderr;

describe('a bare secret without ENCRYPTION_KEYS', () => {
  it.each(['text', 'json'])('is written, warned of and never shown (--output %s)', async (form) => {
    await using here = await install();
    const more = `, externalId: hush-hush-hush, awsAccountId: "${ACCOUNT}"`;
    const ran = await here.apply(integration(SECRET, 'us-east-1', more), '--output', form);
    expect(ran.code).toBe(0);
    for (const field of ['api_key', 'externalId']) {
      expect(ran.stderr).toContain(
        `integrations p: configuration.${field} is a bare secret and will stand in Redis as it`,
      );
    }
    expect(said(ran)).toContain('********');
    for (const hidden of [SECRET, 'hush-hush-hush', ACCOUNT]) expect(said(ran)).not.toContain(hidden);
    const held = await here.redis.hget(here.names.hash('integrations'), 'p');
    expect(JSON.parse(held ?? '').configuration.api_key).toBe(SECRET);
  });

  it('that changes is seen to change, though neither is shown, also beside another change', async () => {
    await using here = await install();
    await here.apply(integration(OLD));
    const ran = await here.apply(integration(SECRET, 'eu-west-1'));
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('configuration.region: "us-east-1" → "eu-west-1"');
    expect(ran.stdout).toContain('configuration.api_key: "********" → "********"');
    expect(said(ran)).not.toContain(OLD);
    expect(said(ran)).not.toContain(SECRET);
  });

  it('is not shown where its integration is deleted', async () => {
    await using here = await install();
    await here.apply(integration(OLD));
    for (const form of ['json', 'text']) {
      const ran = await here.apply('integrations: {}', '--prune', '--yes', '--dry-run', '--output', form);
      expect(said(ran)).toContain('p');
      expect(said(ran)).not.toContain(OLD);
    }
  });

  it.each([
    ['no JSON', `{"configuration":{"api_key":"${OLD}"`],
    ['of the wrong shape', `{"api_key":"${OLD}","type":"x"}`],
    ['not a map', `["${OLD}"]`],
  ])('is not shown where the record that Redis holds is %s', async (_, raw) => {
    await using here = await install();
    for (const form of ['json', 'text']) {
      await here.put('integrations', 'p', raw);
      const ran = await here.apply(integration('env:KEY'), '--output', form);
      expect(ran.code).toBe(0);
      expect(said(ran)).toContain('********');
      expect(said(ran)).not.toContain(OLD);
    }
  });

  it.each([
    ['the wrong type beside it', integration(SECRET, '17')],
    ['no space before it', integration(SECRET).replace('api_key: "', 'api_key:').replace('" }', ' }')],
    ['a broken line', `${integration(SECRET)} ]`],
    ['another connection type', integration(SECRET).replace('ACCESS_KEY', 'ACCES_KEY')],
  ])('is in no fault: %s', async (_, manifest) => {
    await using here = await install();
    const ran = await here.apply(manifest);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/m\.yaml:1:\d+: /);
    expect(said(ran)).not.toContain(SECRET);
  });

  it('is in no error where Redis refuses to write; exit code 3, nothing written', async () => {
    const server = await startRedis();
    try {
      await using here = await install({ url: server.url });
      await here.redis.config('SET', 'maxmemory', '1');
      const ran = await here.apply(integration(SECRET));
      expect(ran.code).toBe(3);
      expect(ran.stderr).toContain('OOM');
      expect(ran.stderr).toContain('nothing was written');
      expect(said(ran)).not.toContain(SECRET);
      expect(await here.contents()).toEqual({});
    } finally {
      await server.stop();
    }
  });
});

describe('a bare secret with ENCRYPTION_KEYS', () => {
  const PLACE = secretPlace('p', 'api_key');
  const keys = (...ids: string[]) => ({ ENCRYPTION_KEYS: encryptionKeys(...ids) });
  const applyWith = async (here: Installation, env: NodeJS.ProcessEnv, text: string, ...options: string[]) =>
    here.run(['apply', '-f', await here.manifest('m.yaml', text), '--output', 'json', ...options], env);
  const held = async ({ redis, names }: Installation) => {
    const raw = (await redis.hget(names.hash('integrations'), 'p')) ?? '';
    return { raw, secret: String(JSON.parse(raw).configuration.api_key) };
  };
  const changes = (ran: CliResult) => resultOf<{ changes: { action: string }[] }>(ran).changes.map((one) => one.action);

  it('is sealed for its place, without a warning, and neither it nor the envelope is shown', async () => {
    await using here = await install();
    const ran = await applyWith(here, keys('new'), integration(SECRET, 'us-east-1', ', externalId: hush-hush-hush'));
    expect([ran.code, ran.stderr, changes(ran)]).toEqual([0, '', ['create']]);
    const { raw, secret } = await held(here);
    expect(unseal(secret, PLACE, parseKeyring(encryptionKeys('new')))).toBe(SECRET);
    for (const hidden of [SECRET, 'hush-hush-hush']) expect(raw).not.toContain(hidden);
    for (const hidden of [SECRET, 'hush-hush-hush', 'enc:']) expect(said(ran)).not.toContain(hidden);
  });

  it('is no change the second time, nor under a newer key, and is one where it differs or did stand bare', async () => {
    await using here = await install();
    await here.apply(integration(SECRET));
    expect(changes(await applyWith(here, keys('old'), integration(SECRET)))).toEqual(['update']);
    const first = await held(here);
    expect(first.secret).toMatch(/^enc:v1:old:/);
    for (const env of [keys('old'), keys('new', 'old')]) {
      expect(changes(await applyWith(here, env, integration(SECRET)))).toEqual([]);
    }
    expect(await held(here)).toEqual(first);
    expect(changes(await applyWith(here, keys('new', 'old'), integration(OLD)))).toEqual(['update']);
    expect((await held(here)).secret).toMatch(/^enc:v1:new:/);
  });

  it('keeps the envelope beside another change', async () => {
    await using here = await install();
    await applyWith(here, keys('new'), integration(SECRET));
    const { secret } = await held(here);
    const ran = await here.run(
      ['apply', '-f', await here.manifest('m.yaml', integration(SECRET, 'eu-west-1'))],
      keys('new'),
    );
    expect(ran.stdout).toContain('configuration.region: "us-east-1" → "eu-west-1"');
    expect(ran.stdout).not.toContain('api_key');
    expect((await held(here)).secret).toBe(secret);
  });

  it('is not written by --dry-run', async () => {
    await using here = await install();
    expect(changes(await applyWith(here, keys('new'), integration(SECRET), '--dry-run'))).toEqual(['create']);
    expect(await here.contents()).toEqual({});
  });

  it('may stand in the manifest as the envelope itself', async () => {
    await using here = await install();
    await applyWith(here, keys('new'), integration(SECRET));
    const { secret } = await held(here);
    for (const env of [{}, keys('new'), keys('other')]) {
      const ran = await applyWith(here, env, integration(secret));
      expect([ran.code, ran.stderr, changes(ran)]).toEqual([0, '', []]);
    }
  });
});

describe('the mask', () => {
  const env = { ENCRYPTION_KEYS: encryptionKeys('k') };
  const MASKED = '********';
  const all = `, externalId: "${MASKED}", awsAccountId: "${MASKED}"`;
  const applyWith = async (here: Installation, text: string) =>
    here.run(['apply', '-f', await here.manifest('m.yaml', text), '--output', 'json'], env);
  const held = async ({ redis, names }: Installation) =>
    JSON.parse((await redis.hget(names.hash('integrations'), 'p')) ?? '').configuration;

  it('keeps what is stored, sealed, referred to or plain, also beside another change, and says nothing of it', async () => {
    await using here = await install();
    await applyWith(here, integration(SECRET, 'us-east-1', `, externalId: env:NAME, awsAccountId: "${ACCOUNT}"`));
    const before = await held(here);
    expect(before).toMatchObject({ api_key: expect.stringMatching(/^enc:v1:k:/), externalId: 'env:NAME' });
    const same = await applyWith(here, integration(MASKED, 'us-east-1', all));
    expect([same.code, same.stdout, same.stderr]).toEqual([0, '{"changes":[]}\n', '']);
    const ran = await here.apply(integration(MASKED, 'eu-west-1', all));
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(await held(here)).toEqual({ ...before, region: 'eu-west-1' });
  });

  it('is a fault with file, line and column where nothing is stored, or for another identity; nothing is written', async () => {
    await using here = await install();
    const none = await applyWith(here, `users: { alice: {} }\n${integration(MASKED, 'us-east-1', all)}`);
    expect(none.code).toBe(1);
    for (const [field, column] of [
      ['api_key', 128],
      ['externalId', 149],
      ['awsAccountId', 173],
    ]) {
      expect(none.stderr).toMatch(
        new RegExp(
          `m\\.yaml:2:${column}: integrations\\.p\\.configuration\\.${field}: is the mask, but no value is stored`,
        ),
      );
    }
    expect(await here.contents()).toEqual({});
    await applyWith(here, integration(SECRET));
    const before = await here.contents();
    const other = await applyWith(here, integration(MASKED).replace('AKIAUSER', 'AKIAOTHER'));
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(
      /m\.yaml:1:\d+: integrations\.p\.configuration\.api_key: is the mask, but user would change/,
    );
    expect(await here.contents()).toEqual(before);
  });
});

describe('a reference to a secret', () => {
  it.each(['env:BEDROCK_KEY', 'file:bedrock-key'])('is shown as it is, without a warning: %s', async (reference) => {
    await using here = await install();
    const ran = await here.apply(integration(reference));
    expect(ran.stdout).toContain(reference);
    expect(ran.stderr).toBe('');
  });
});
