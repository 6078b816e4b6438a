import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeFaults, didYouMean, parseJson, parseValue } from '../src/parsing.ts';

const SCHEMA = z.strictObject({
  region: z.string(),
  count: z.number().optional(),
  inner: z
    .strictObject({ maxConcurrency: z.number() })
    .nullish()
    .transform((value) => value ?? { maxConcurrency: 1 }),
  list: z.array(z.strictObject({ key: z.string() })).default([]),
  either: z.union([z.string(), z.strictObject({ name: z.string() })]).optional(),
});

function faultsOf(value: unknown) {
  const read = parseValue(value, SCHEMA);
  return read.ok ? [] : read.faults;
}

describe('what people write', () => {
  it('is read where it is of the form', () => {
    expect(parseJson('{"region":"us-east-1"}', SCHEMA)).toEqual({
      ok: true,
      value: { region: 'us-east-1', inner: { maxConcurrency: 1 }, list: [] },
    });
  });

  it('is refused with every fault and its place', () => {
    expect(faultsOf({ count: 'x', inner: { maxConcurrency: '1' }, list: [{ key: 1 }], either: 5 })).toEqual([
      { field: 'region', message: 'missing (expected string)' },
      { field: 'count', message: 'must be a number, not a string' },
      { field: 'inner.maxConcurrency', message: 'must be a number, not a string' },
      { field: 'list.0.key', message: 'must be a string, not a number' },
      { field: 'either', message: 'none of the allowed forms' },
    ]);
  });

  it('is refused with each unknown key and the one that was meant, at its depth', () => {
    const value = { region: 'x', coumt: 1, inner: { maxConcurrency: 1, maxConcurency: 2 }, wholly: 1 };
    expect(faultsOf(value)).toEqual([
      { field: 'inner.maxConcurency', message: 'unknown key. Did you mean "maxConcurrency"?' },
      { field: 'coumt', message: 'unknown key. Did you mean "count"?' },
      { field: 'wholly', message: 'unknown key.' },
    ]);
  });

  it('is refused in plain words, which say what may stand there', () => {
    const role = z.enum(['user', 'assistant']);
    const schema = z.strictObject({
      messages: z.array(z.strictObject({ role, message: z.string() })).optional(),
      either: z.union([z.string(), z.array(z.strictObject({ name: z.string() }))]).optional(),
      variables: z.record(z.string(), z.unknown()).optional(),
      named: z.record(z.string(), z.strictObject({ name: z.string() })).optional(),
      version: z.int().min(1).max(9).optional(),
      share: z.number().gt(0).lt(1).optional(),
      on: z.boolean().optional(),
      name: z.string().min(1).optional(),
      kind: z.literal('a').optional(),
    });
    const said = (value: object) => {
      const read = parseValue(value, schema);
      return read.ok ? '' : describeFaults(read.faults);
    };
    const message = { role: 'user', message: 'x' };
    expect([
      said({ variables: 'a' }),
      said({ variables: [] }),
      said({ version: 1.5 }),
      said({ version: 'two' }),
      said({ version: 0 }),
      said({ version: 10 }),
      said({ share: 0 }),
      said({ share: 1 }),
      said({ on: null }),
      said({ name: '' }),
      said({ kind: 'b' }),
      said({ messages: [{ ...message, role: 'USER' }] }),
      said({ messages: [{ ...message, role: 'somebody' }] }),
      said({ messages: [{ ...message, content: 'x' }] }),
      said({ messages: [{ ...message, mesage: 'x' }] }),
      said({ either: [{ name: 'a', nme: 'b' }] }),
      said({ named: { first: { name: 'a', nam: 'b' } } }),
    ]).toEqual([
      'variables: must be an object, not a string',
      'variables: must be an object, not an array',
      'version: must be a whole number',
      'version: must be a number, not a string',
      'version: must be at least 1',
      'version: must be at most 9',
      'share: must be more than 0',
      'share: must be less than 1',
      'on: must be a boolean, not null',
      'name: is empty',
      'kind: must be a',
      'messages.0.role: must be one of user, assistant. Did you mean "user"?',
      'messages.0.role: must be one of user, assistant',
      'messages.0.content: unknown key. There are role, message.',
      'messages.0.mesage: unknown key. Did you mean "message"?',
      'either.0.nme: unknown key. Did you mean "name"?',
      'named.first.nam: unknown key. Did you mean "name"?',
    ]);
  });

  it('is refused with the value that was meant, of a list of names, at its depth', () => {
    const connection = z.enum(['CONDUCTOR_ROLE', 'EXTERNAL_ROLE', 'ACCESS_KEY']);
    const schema = z.strictObject({
      type: z.literal('aws_bedrock_cohere'),
      inner: z.array(z.union([z.number(), z.strictObject({ connection: connection.optional() })])),
    });
    const read = parseValue({ type: 'aws_bedrok_cohere', inner: [1, { connection: 'external-role' }] }, schema);
    expect(read.ok ? [] : read.faults).toEqual([
      { field: 'type', message: 'must be aws_bedrock_cohere' },
      {
        field: 'inner.1.connection',
        message: 'must be one of CONDUCTOR_ROLE, EXTERNAL_ROLE, ACCESS_KEY. Did you mean "EXTERNAL_ROLE"?',
      },
    ]);
    const far = parseValue({ type: 5, inner: [{ connection: 'x' }, { connection: null }] }, schema);
    expect(describeFaults(far.ok ? [] : far.faults)).not.toContain('Did you mean');
  });

  it('is never repeated, since it may be a secret', () => {
    const secret = 'hunter2';
    const all = [
      parseJson(`{"region": ${secret}`, SCHEMA),
      parseJson(`"${secret}"`, SCHEMA),
      parseValue({ region: [secret], count: secret, inner: secret, list: secret, either: { name: [secret] } }, SCHEMA),
      parseValue({ mode: secret }, z.strictObject({ mode: z.enum(['a', 'b']) })),
      parseValue({ mode: secret }, z.strictObject({ mode: z.literal('a') })),
      parseValue({ mode: secret }, z.strictObject({ mode: z.string().max(3) })),
      parseValue({ mode: secret }, z.strictObject({ mode: z.string().regex(/^\d+$/) })),
      parseValue({ mode: secret }, z.strictObject({ mode: z.string().startsWith('arn:') })),
    ];
    for (const read of all) {
      expect(read.ok).toBe(false);
      expect(JSON.stringify(read)).not.toContain(secret);
    }
  });

  it('is not JSON: said without a place', () => {
    for (const text of ['', '{', "{'a':1}", 'undefined']) {
      expect(parseJson(text, SCHEMA)).toEqual({ ok: false, faults: [{ field: '', message: 'not JSON' }] });
    }
  });

  it('is of another kind than an object: said without a place', () => {
    for (const text of ['null', '[]', '1', '"x"']) {
      const read = parseJson(text, SCHEMA);
      expect(read.ok ? [] : read.faults.map(({ field }) => field)).toEqual(['']);
    }
  });

  it('cannot bring a prototype with it', () => {
    expect(parseJson('{"region":"x","__proto__":{"count":5}}', SCHEMA).ok).toBe(false);
    const open = parseJson('{"__proto__":{"count":5}}', z.object({ count: z.number().optional() }));
    expect(open.ok && open.value.count).toBeUndefined();
  });
});

describe('faults in one line', () => {
  it('name their places, but not the whole', () => {
    expect(
      describeFaults([
        { field: 'a.b', message: 'x' },
        { field: '', message: 'y' },
      ]),
    ).toBe('a.b: x; y');
    expect(describeFaults([])).toBe('');
  });
});

describe('a hint', () => {
  it.each([
    ['embed', ['embed-v4'], ''],
    ['embed-v5', ['embed-v4', 'rerank'], ' Did you mean "embed-v4"?'],
    ['BEDROCK-PROD', ['bedrock-prod'], ' Did you mean "bedrock-prod"?'],
    ['ab', ['cd'], ''],
    ['a', ['b'], ' Did you mean "b"?'],
    ['bedrock-prd', ['bedrock-prod', 'bedrock-prd2'], ' Did you mean "bedrock-prod"?'],
    ['x', [], ''],
    ['', ['name'], ''],
  ])('for %j among %j is %j', (wanted, known, hint) => {
    expect(didYouMean(wanted, known)).toBe(hint);
  });
});
