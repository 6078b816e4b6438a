import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeEdits } from '../../src/audit/describe.ts';
import { CONNECTION_TYPES } from '../../src/integrations/integration.ts';
import { ANY, type Edit, unchanged } from '../../src/redis/edits.ts';
import { keyNames } from '../../src/redis/keys.ts';
import { AS_FOUND, HIDDEN, SHOWN_AT_MOST, type ShownText } from '../../src/redis/trail.ts';

const names = keyNames('t:');
const edit = (key: string, field: string, before: string | undefined, after: string | undefined): Edit => ({
  key,
  field,
  before,
  after,
});
const one = (...edits: Edit[]) => describeEdits(names, edits)[0];
const parsed = (text: unknown) => JSON.parse((text as ShownText).json) as unknown;

const INTEGRATION = {
  type: 'aws_bedrock_cohere',
  configuration: {
    connectionType: 'EXTERNAL_ROLE',
    region: 'us-east-1',
    roleArn: 'arn:aws:iam::111122223333:role/caller',
    externalId: 'env:EXTERNAL_ID',
    awsAccountId: '111122223333',
  },
};

describe('what goes on record', () => {
  it('of an integration: all but its secrets, its account, and where a reference leads', () => {
    const after = JSON.stringify(INTEGRATION);
    const before = after.replace('env:EXTERNAL_ID', 'bare-secret').replace('us-east-1', 'eu-west-1');
    const described = one(edit('t:integrations', 'main', before, after));
    const configuration = {
      connectionType: 'EXTERNAL_ROLE',
      region: 'us-east-1',
      roleArn: 'arn:aws:iam::************:role/caller',
      externalId: '********',
      awsAccountId: '********',
    };
    expect(described).toMatchObject({ kind: 'integrations', name: 'main', rewritten: ['configuration.externalId'] });
    expect(parsed(described?.after)).toEqual({ ...INTEGRATION, configuration });
    expect(parsed(described?.before)).toEqual({
      ...INTEGRATION,
      configuration: { ...configuration, region: 'eu-west-1' },
    });
  });

  it('of any integration no secret in any form, wherever it stands', () => {
    const secret = fc.stringMatching(/^[a-z0-9]{12,40}$/).map((text) => `SEKRET-${text}`);
    const formed = fc
      .tuple(fc.constantFrom('', 'env:', 'file:', 'enc:v1:k1:'), secret)
      .map(([form, text]) => `${form}${text}`);
    const record = fc.record({
      type: fc.constant('aws_bedrock_cohere'),
      configuration: fc.record(
        {
          connectionType: fc.constantFrom(...CONNECTION_TYPES),
          region: fc.constant('us-east-1'),
          api_key: formed,
          externalId: formed,
          awsAccountId: formed,
          unknown: formed,
        },
        { requiredKeys: ['connectionType', 'region'] },
      ),
      apis: fc.array(fc.record({ configuration: fc.record({ api_key: formed }) })),
    });
    const text = fc.oneof(
      record.map((value) => JSON.stringify(value)),
      // What redis-cli may leave: no JSON, half of it, a record of something else.
      secret,
      record.map((value) => JSON.stringify(value).slice(0, -1)),
      secret.map((value) => JSON.stringify([value])),
    );
    fc.assert(
      fc.property(text, fc.option(text, { nil: undefined }), (before, after) => {
        const edits = [
          edit('t:integrations', 'main', before, after),
          edit('t:admin:key-hashes', 'k', before, after),
          edit('t:admin:signing', 'k', before, after),
          edit('t:unheard-of', 'x', before, after),
        ];
        expect(JSON.stringify(describeEdits(names, edits))).not.toContain('SEKRET');
      }),
    );
  });

  it('of a record of any kind that cannot be read: nothing but that it was there', () => {
    for (const raw of ['no JSON', '{"name":1}', '{"surprise":"x"}', '[]']) {
      expect(parsed(one(edit('t:users', 'alice', raw, undefined))?.before)).toBe('********');
    }
  });

  it('of what is only made sure of: nothing', () => {
    expect(one(unchanged('t:users', 'alice', '{}'))).toBeUndefined();
    expect(one({ key: 't:members:g', member: 'a', isMember: true, onlyMadeSure: true })).toBeUndefined();
  });

  it('of an access key: its record, and no other of its hash', () => {
    const record = '{"application":"a","applicationUid":"u","enabled":true,"createdAt":1}';
    const key = edit('t:access-keys', 'k1', undefined, record);
    const hash = edit('t:admin:key-hashes', 'k1', undefined, 'scrypt:v1:…');
    expect(describeEdits(names, [key, hash]).map((said) => said?.kind)).toEqual(['access-keys', undefined]);
    expect(describeEdits(names, [hash]).map((said) => said?.kind)).toEqual(['key-hashes']);
  });

  it('of grants and members: what the script finds', () => {
    expect(one(edit('t:grants:USER:a', 'PROMPT:p', undefined, 'READ'))).toMatchObject({
      kind: 'grants',
      name: 'USER:a → PROMPT:p',
      before: AS_FOUND,
    });
    expect(one({ key: 't:grants:USER:a', isGone: true })).toMatchObject({ kind: 'grants', name: 'USER:a' });
    expect(one({ key: 't:members:g', member: 'a', isMember: true })).toMatchObject({ kind: 'members', name: 'g' });
  });

  it('of a record that nobody looked at before: not what it was', () => {
    expect(one({ key: 't:models', field: 'main:m', before: ANY, after: undefined })?.before).toBe(HIDDEN);
  });

  it('of a large record: its beginning, and how long it was', () => {
    const raw = JSON.stringify({ template: 'x'.repeat(100_000) });
    const after = one(edit('t:prompts', 'long', undefined, raw))?.after;
    expect(after?.cutFrom).toBe(raw.length);
    expect(parsed(after)).toBe(raw.slice(0, SHOWN_AT_MOST));
  });

  it('names no account, in a model’s name either', () => {
    const arn = 'arn:aws:bedrock:us-east-1:111122223333:inference-profile/x';
    const model = edit('t:models', `main:${arn}`, undefined, JSON.stringify({ configuration: { modelId: arn } }));
    const grant = edit('t:grants:USER:a', `INTEGRATION:main:${arn}`, undefined, 'READ');
    expect(JSON.stringify(describeEdits(names, [model, grant]))).not.toContain('111122223333');
  });
});
