import { describe, expect, it } from 'vitest';
import { integrationRecord } from '../../src/integrations/integration.ts';
import { describeFaults, parseJson } from '../../src/parsing.ts';

const ROLE_ARN = 'arn:aws:iam::111122223333:role/bedrock-caller';

function faultsOf(configuration: Record<string, unknown>, rest: Record<string, unknown> = {}): string {
  const record = { type: 'aws_bedrock_cohere', ...rest, configuration: { region: 'us-east-1', ...configuration } };
  const read = parseJson(JSON.stringify(record), integrationRecord);
  return read.ok ? '' : describeFaults(read.faults);
}

const CONDUCTOR_ROLE = { connectionType: 'CONDUCTOR_ROLE' };

describe('an integration', () => {
  it('is read as the contract writes it', () => {
    const text = `{"type":"aws_bedrock_cohere","enabled":true,"description":"…","configuration":
      {"connectionType":"EXTERNAL_ROLE","region":"us-east-1","roleArn":"${ROLE_ARN}","externalId":"an id"}}`;
    expect(parseJson(text, integrationRecord)).toMatchObject({
      ok: true,
      value: { enabled: true, tags: [], configuration: { roleArn: ROLE_ARN, externalId: 'an id' } },
    });
  });

  it.each([
    [{}, true],
    [{ enabled: null }, true],
    [{ enabled: true }, true],
    [{ enabled: false }, false],
  ])('with %j is enabled: %s', (given, enabled) => {
    const record = { type: 'aws_bedrock', configuration: { ...CONDUCTOR_ROLE, region: 'us-east-1' }, ...given };
    expect(integrationRecord.parse(record).enabled).toBe(enabled);
  });

  it('is not enabled by a word', () => {
    expect(faultsOf(CONDUCTOR_ROLE, { enabled: 'false' })).toMatch(/^enabled: /);
  });

  it.each(['aws_bedrock', 'aws_bedrock_cohere', 'aws_bedrock_anthropic', 'aws_bedrock_nova2'])('may be %s', (type) => {
    expect(faultsOf(CONDUCTOR_ROLE, { type })).toBe('');
  });

  it.each(['cohere', 'AWS_BEDROCK', 'aws_bedrock_', 'openai', ''])('may not be of type %j', (type) => {
    expect(faultsOf(CONDUCTOR_ROLE, { type })).toMatch(/^type: aws_bedrock_cohere or/);
  });

  it.each(['us-east-1', 'ap-southeast-2', 'us-gov-west-1', 'eu-isoe-west-1', 'cn-north-1'])(
    'may be in %s',
    (region) => {
      expect(faultsOf({ ...CONDUCTOR_ROLE, region })).toBe('');
    },
  );

  // A region becomes part of a host name.
  it.each(['', 'us-east', 'US-EAST-1', 'us-east-1.evil.com', 'us-east-1/x', 'us-east-1#', 'evil.com', 'us-east-1\n'])(
    'may not be in %j',
    (region) => {
      expect(faultsOf({ ...CONDUCTOR_ROLE, region })).toMatch(/^configuration\.region: /);
    },
  );

  it('proposes the key that was meant', () => {
    expect(faultsOf({ ...CONDUCTOR_ROLE, roleARN: ROLE_ARN })).toBe(
      'configuration.roleARN: unknown key. Did you mean "roleArn"?',
    );
    expect(faultsOf(CONDUCTOR_ROLE, { enable: true })).toBe('enable: unknown key. Did you mean "enabled"?');
  });

  it('takes what Orkes’ clients send back', () => {
    const rest = { name: 'x', category: 'AI_MODEL', modelsCount: 1, apis: [{}], ownerApp: 'x', createTime: 1 };
    expect(faultsOf({ ...CONDUCTOR_ROLE, awsAccountId: '111122223333' }, rest)).toBe('');
    expect(faultsOf(CONDUCTOR_ROLE, { category: 'VECTOR_DB' })).toMatch(/^category: /);
  });

  it('never repeats a secret that stands in the wrong place', () => {
    for (const configuration of [
      { connectionType: 'hunter2' },
      { connectionType: 'ACCESS_KEY', user: ['hunter2'], api_key: { secret: 'hunter2' } },
      { connectionType: 'EXTERNAL_ROLE', roleArn: 'hunter2', externalId: ['hunter2'] },
      { ...CONDUCTOR_ROLE, region: 'hunter2' },
    ]) {
      expect(faultsOf(configuration)).not.toBe('');
      expect(faultsOf(configuration)).not.toContain('hunter2');
    }
  });
});

describe('a connection type', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['CONDUCTOR_ROLE', {}, ''],
    ['EXTERNAL_ROLE', { roleArn: ROLE_ARN }, ''],
    ['EXTERNAL_ROLE', { roleArn: ROLE_ARN, externalId: 'env:EXTERNAL_ID' }, ''],
    ['EXTERNAL_ROLE', {}, 'configuration.roleArn: missing: EXTERNAL_ROLE needs it'],
    ['EXTERNAL_ROLE', { roleArn: null }, 'configuration.roleArn: missing: EXTERNAL_ROLE needs it'],
    ['ACCESS_KEY', { user: 'AKIA1', api_key: 'env:KEY' }, ''],
    ['ACCESS_KEY', { user: 'AKIA1' }, 'configuration.api_key: missing: ACCESS_KEY needs it'],
    ['ACCESS_KEY', { api_key: 'x' }, 'configuration.user: missing: ACCESS_KEY needs it'],
  ])('%s with %j: %j', (connectionType, fields, fault) => {
    expect(faultsOf({ connectionType, ...fields })).toBe(fault);
  });

  it('lets the fields of the others stand beside its own', () => {
    expect(faultsOf({ ...CONDUCTOR_ROLE, roleArn: ROLE_ARN, user: 'x', api_key: 'y', externalId: 'zz' })).toBe('');
  });

  it.each([
    { user: '', api_key: 'x' },
    { user: 'x', api_key: '' },
  ])('ACCESS_KEY refuses an empty one: %j', (fields) => {
    expect(faultsOf({ connectionType: 'ACCESS_KEY', ...fields })).toMatch(/^configuration\.(user|api_key): /);
  });

  it.each([
    'arn:aws:iam::111122223333:role/x',
    'arn:aws-us-gov:iam::111122223333:role/path/to/x',
    'arn:aws:iam::111122223333:role/a+=,.@-_b',
  ])('EXTERNAL_ROLE takes the role %s', (roleArn) => {
    expect(faultsOf({ connectionType: 'EXTERNAL_ROLE', roleArn })).toBe('');
  });

  it.each([
    'arn:aws:iam::111122223333:user/x',
    'arn:aws:iam::1111:role/bedrock-caller',
    'arn:aws:iam::111122223333:role/',
    'arn:aws:iam::111122223333:role/a b',
    `arn:aws:iam::111122223333:role/${'x'.repeat(2048)}`,
    'bedrock-caller',
  ])('EXTERNAL_ROLE refuses the role %s', (roleArn) => {
    expect(faultsOf({ connectionType: 'EXTERNAL_ROLE', roleArn })).toMatch(/^configuration\.roleArn: /);
  });
});
