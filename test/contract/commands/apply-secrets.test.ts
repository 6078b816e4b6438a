import { describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { CliResult } from '../../support/cli.ts';
import { install } from './installation.ts';

const SECRET = 'wJalrXUtnFEMI-bPxRfiCYEXAMPLEKEY';
const OLD = 'oldSECRETzzzzzzzzzz';
const ACCOUNT = '444455556666';

const integration = (secret: string, region = 'us-east-1', more = '') =>
  `integrations: { p: { type: aws_bedrock_cohere, configuration: { connectionType: ACCESS_KEY, region: ${region}, user: AKIAUSER, api_key: "${secret}"${more} } } }`;

const said = ({ stdout, stderr }: CliResult) => stdout + stderr;

describe('a bare secret', () => {
  it.each(['text', 'json'])('is written, warned of and never shown (--output %s)', async (form) => {
    await using here = await install();
    const more = `, externalId: hush-hush-hush, awsAccountId: "${ACCOUNT}"`;
    const ran = await here.apply(integration(SECRET, 'us-east-1', more), '--output', form);
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('api_key is a bare secret');
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
    expect(ran.stderr).toContain('m.yaml:1: ');
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

describe('a reference to a secret', () => {
  it.each(['env:BEDROCK_KEY', 'file:bedrock-key'])('is shown as it is, without a warning: %s', async (reference) => {
    await using here = await install();
    const ran = await here.apply(integration(reference));
    expect(ran.stdout).toContain(reference);
    expect(ran.stderr).toBe('');
  });
});
