import { describe, expect, it } from 'vitest';
import { nameFault, readGrant, readRecord } from '../../src/catalog/records.ts';
import { accessText } from '../../src/catalog/shared-grants.ts';
import { HASH_KINDS } from '../../src/redis/keys.ts';

const INTEGRATION =
  '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}';
const GOOD: Record<(typeof HASH_KINDS)[number], [name: string, raw: string]> = {
  integrations: ['bedrock-prod', INTEGRATION],
  models: ['bedrock-prod:cohere.embed-v4:0', '{}'],
  prompts: ['summarize', '{"template":"x"}'],
  groups: ['analysts', '{"roles":[{"name":"USER"},"ADMIN"]}'],
  applications: ['claims', '{"workflows":["claims_*"]}'],
  users: ['alice@example.com', '{}'],
  roles: ['reader', '{"permissions":["x"]}'],
  'access-keys': ['key-1', '{"application":"claims","applicationUid":"u","enabled":true,"createdAt":1}'],
  'token-keys': [
    'kid-1',
    '{"issuer":"i","publicKey":{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"createdAt":1}',
  ],
};

describe('a record', () => {
  it.each(HASH_KINDS)('of %s is read, and keeps the text it came from', (kind) => {
    const [name, raw] = GOOD[kind];
    expect(readRecord(kind, 'key', name, raw)).toMatchObject({ raw, lookup: { kind: 'found' } });
  });

  it.each(HASH_KINDS)('of %s with an unknown key names it', (kind) => {
    const [name, raw] = GOOD[kind];
    const wrong = JSON.stringify({ ...JSON.parse(raw), descripton: 'SEKRET' });
    expect(readRecord(kind, 'key', name, wrong).lookup).toEqual({
      kind: 'invalid',
      fault: {
        key: 'key',
        field: name,
        message: /^(users|access-keys|token-keys)$/.test(kind)
          ? 'descripton: unknown key.'
          : 'descripton: unknown key. Did you mean "description"?',
      },
    });
  });

  it.each(HASH_KINDS)('of %s that is not JSON says no more than that', (kind) => {
    const [name] = GOOD[kind];
    expect(readRecord(kind, 'k', name, 'SEKRET').lookup).toEqual({
      kind: 'invalid',
      fault: { key: 'k', field: name, message: 'not JSON' },
    });
  });

  it('takes roles by name and as Orkes gives them', () => {
    const { lookup } = readRecord('groups', 'k', 'analysts', GOOD.groups[1]);
    expect(lookup).toMatchObject({ record: { roles: ['USER', 'ADMIN'] } });
  });

  it('without what its connection type needs says what is missing', () => {
    const raw = INTEGRATION.replace('CONDUCTOR_ROLE', 'EXTERNAL_ROLE');
    expect(readRecord('integrations', 'k', 'p', raw).lookup).toMatchObject({
      kind: 'invalid',
      fault: { message: 'configuration.roleArn: missing: EXTERNAL_ROLE needs it' },
    });
  });
});

describe('a name', () => {
  it.each([
    ['integrations', '-x'],
    ['integrations', 'a b'],
    ['integrations', 'a:b'],
    ['integrations', ''],
    ['models', 'p'],
    ['models', ':m'],
    ['models', 'p:'],
    ['models', 'p:a b'],
    ['users', 'app:claims'],
    ['users', ''],
    ['groups', ''],
    ['prompts', ''],
  ] as const)('of %s is not "%s"', (kind, name) => {
    expect(nameFault(kind, name)).toEqual(expect.any(String));
    expect(readRecord(kind, 'k', name, GOOD[kind][1]).lookup.kind).toBe('invalid');
  });

  it('of a model is split on the first colon', () => {
    expect(nameFault('models', 'p:arn:aws:bedrock:us-east-1::x/y:0')).toBeUndefined();
  });
});

describe('a grant', () => {
  it.each([
    ['INTEGRATION:p:cohere.embed-v4:0', 'EXECUTE', ['EXECUTE']],
    ['INTEGRATION_PROVIDER:p', 'READ,EXECUTE', ['READ', 'EXECUTE']],
    ['PROMPT:summarize', ' EXECUTE , READ ', ['EXECUTE', 'READ']],
    ['TAG:tier:gold', 'EXECUTE', ['EXECUTE']],
    ['WORKFLOW_DEF:x', 'EXECUTE', ['EXECUTE']],
  ])('on %s for "%s" is read', (target, raw, access) => {
    const read = readGrant('k', target, raw);
    expect(read).toMatchObject({ kind: 'good', target });
    expect(read.kind === 'good' && [...read.access]).toEqual(access);
    expect(read.kind === 'good' && accessText(read.access)).toBe(raw);
  });

  it.each([
    ['INTEGRATION:p', 'EXECUTE', /INTEGRATION_PROVIDER:provider/],
    ['p:m', 'EXECUTE', /TYPE:id/],
    ['', 'EXECUTE', /TYPE:id/],
    ['TAG:tier', 'EXECUTE', /TAG:key:value/],
    ['PROMPT:x', '', /one or more of/],
    ['PROMPT:x', 'EXECUTE,', /one or more of/],
    ['PROMPT:x', 'execute', /one or more of/],
    ['PROMPT:x', 'READ;EXECUTE', /one or more of/],
    ['PROMPT:x', 'ALL', /one or more of/],
  ])('on "%s" for "%s" gives nothing and says why', (target, raw, message) => {
    expect(readGrant('k', target, raw)).toEqual({
      kind: 'bad',
      raw,
      fault: { key: 'k', field: target, message: expect.stringMatching(message) },
    });
  });

  it('shares its access with every other that is written alike, whatever the target', () => {
    const [one, other, apart] = ['READ,EXECUTE', 'READ,EXECUTE', 'EXECUTE,READ'].map((raw, n) =>
      readGrant('k', `PROMPT:${n}`, raw),
    );
    expect(one?.kind === 'good' && other?.kind === 'good' && one.access === other.access).toBe(true);
    expect(one?.kind === 'good' && apart?.kind === 'good' && one.access === apart.access).toBe(false);
  });
});
