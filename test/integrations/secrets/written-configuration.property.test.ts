import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IntegrationConfiguration, integrationConfiguration } from '../../../src/integrations/integration.ts';
import { MASK } from '../../../src/integrations/secrets/masks.ts';
import {
  SECRET_FIELDS,
  type SecretField,
  secretForm,
  secretPlace,
} from '../../../src/integrations/secrets/secret-fields.ts';
import {
  type AcceptedConfiguration,
  acceptConfiguration,
} from '../../../src/integrations/secrets/written-configuration.ts';
import { seal, unseal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';

const KEYRING = parseKeyring(encryptionKeys('new', 'old'));
const OLD = parseKeyring(encryptionKeys('old'));
const NAMES = ['prod', 'other'] as const;

const types = fc.constantFrom('CONDUCTOR_ROLE', 'EXTERNAL_ROLE', 'ACCESS_KEY');
const nothing = fc.constantFrom(undefined, null, '');
const roleArn = fc.oneof(
  nothing,
  fc.constantFrom(1, 2).map((n) => `arn:aws:iam::111122223333:role/role-${n}`),
);
const user = fc.oneof(nothing, fc.constantFrom('AKIA1', 'AKIA2'));
const region = fc.constantFrom('us-east-1', 'eu-west-1');
/** Recognised wherever it should not be. */
const secret = (owner: string) => fc.integer({ min: 0, max: 0xffffff }).map((n) => `${owner}-Secret-${n}`);
const reference = fc.constantFrom('env:CANARY_NAME', 'file:canary-name');
const without = (record: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

const storedSecret = (field: SecretField) =>
  fc.oneof(
    nothing,
    secret('stored'),
    reference,
    secret('stored').map((plain) => seal(plain, secretPlace('prod', field), OLD)),
  );
const stored = fc
  .record({
    connectionType: types,
    region,
    roleArn,
    user,
    api_key: storedSecret('api_key'),
    externalId: storedSecret('externalId'),
    awsAccountId: fc.constantFrom(undefined, null, '444455556666'),
  })
  .map((record) => integrationConfiguration.safeParse(without(record)))
  .filter(({ success }) => success)
  .map(({ data }) => data as IntegrationConfiguration);

const writtenSecret = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(undefined, MASK) },
  { weight: 2, arbitrary: secret('fresh') },
  nothing,
  reference,
  secret('sealed').map((plain) => seal(plain, secretPlace('prod', 'api_key'), KEYRING)),
  secret('listed').map((plain) => [plain]),
);
const written = fc.record({
  connectionType: types,
  region,
  roleArn,
  user,
  api_key: writtenSecret,
  externalId: writtenSecret,
  awsAccountId: fc.constantFrom(undefined, MASK, '777788889999', null, 'env:CANARY_NAME'),
});

const world = fc.record({ stored: fc.option(stored, { nil: undefined }), written, byAdmin: fc.boolean() }).map(
  // Half of them the same connection again, which would seldom come of itself.
  ({ stored: before, written: after, byAdmin }) => {
    const same = before !== undefined && after.region === 'us-east-1';
    const { connectionType, roleArn: role, user: key } = same ? before : after;
    return { stored: before, byAdmin, written: without({ ...after, connectionType, roleArn: role, user: key }) };
  },
);
type World = typeof world extends fc.Arbitrary<infer W> ? W : never;

/** Checks a property on every write, and that both outcomes came up often enough to mean something. */
function ofEveryWrite(check: (world: World, result: AcceptedConfiguration) => void): void {
  const outcomes = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(world, (one) => {
      const result = acceptConfiguration({ name: 'prod', keyring: KEYRING, ...one });
      outcomes[result.ok ? 'accepted' : 'refused'] += 1;
      check(one, result);
    }),
    { numRuns: 2_000 },
  );
  expect(Math.min(outcomes.accepted, outcomes.refused)).toBeGreaterThan(100);
}

const isMaskOrNothing = (value: unknown) => value === undefined || value === MASK;
const isSame = (before: unknown, after: unknown) => (before || undefined) === (after || undefined);

/** The secret itself of a record in Redis, where it is not a reference. */
function plaintext(text: string, field: SecretField): string | undefined {
  const form = secretForm(text);
  if (form === 'bare') return text;
  return form === 'sealed' ? unseal(text, secretPlace('prod', field), KEYRING) : undefined;
}

describe('whatever is written over whatever is stored', () => {
  it('no secret is in a fault, nor in clear in what is to be stored', () => {
    ofEveryWrite((_, result) => {
      expect(JSON.stringify(result)).not.toMatch(/-Secret-/);
      if (!result.ok) expect(JSON.stringify(result)).not.toMatch(/canary.name|444455556666|777788889999/i);
    });
  });

  it('a stored secret stays only with the connection that it was written for, and then as it was', () => {
    let kept = 0;
    ofEveryWrite(({ stored: before, written: after }, result) => {
      if (!result.ok) return;
      for (const field of SECRET_FIELDS) {
        const [old, now] = [before?.[field] || undefined, result.configuration[field] || undefined];
        if (isMaskOrNothing(after[field])) {
          expect(now === undefined).toBe(old === undefined);
          if (old === undefined || now === undefined) continue;
          kept += 1;
          if (secretForm(old) === 'bare') expect(plaintext(now, field)).toBe(old);
          else expect(now).toBe(old);
          for (const part of ['connectionType', 'user', 'roleArn'] as const)
            expect(isSame(before?.[part], after[part])).toBe(true);
        } else if (now !== undefined) {
          expect(plaintext(now, field)).toBe(after[field]);
        }
      }
    });
    expect(kept).toBeGreaterThan(50);
  });

  it('a mask means something that is stored', () => {
    ofEveryWrite(({ stored: before, written: after }, result) => {
      for (const field of [...SECRET_FIELDS, 'awsAccountId'] as const)
        if (result.ok && after[field] === MASK) expect(before?.[field]).toMatch(/./);
    });
  });

  it('a reference is taken from Redis alone, never from what is written', () => {
    ofEveryWrite(({ stored: before, written: after }, result) => {
      if (!result.ok) return;
      for (const field of SECRET_FIELDS) {
        expect(String(after[field])).not.toMatch(/^(env|file|enc):/);
        const now = result.configuration[field];
        if (now && /^(env|file):/.test(now)) expect(now).toBe(before?.[field]);
      }
    });
  });

  it('what is sealed opens in its own place alone', () => {
    ofEveryWrite((_, result) => {
      if (!result.ok) return;
      for (const field of SECRET_FIELDS) {
        const text = result.configuration[field];
        if (!text || secretForm(text) !== 'sealed') continue;
        for (const name of NAMES)
          for (const other of SECRET_FIELDS) {
            const open = () => unseal(text, secretPlace(name, other), KEYRING);
            if (name === 'prod' && other === field) expect(open()).toMatch(/-Secret-/);
            else expect(open).toThrow('it was altered, or sealed for another record or field');
          }
      }
    });
  });

  it('nobody but ADMIN makes the worker’s role, or another, act for an integration', () => {
    ofEveryWrite(({ stored: before, written: after, byAdmin }, result) => {
      const touches =
        after['connectionType'] !== 'ACCESS_KEY' ||
        (before !== undefined && before.connectionType !== 'ACCESS_KEY') ||
        !isSame(before?.roleArn, after['roleArn']);
      if (!byAdmin && touches) expect(result).toMatchObject({ ok: false, forbidden: true });
      else if (!result.ok) expect(result).not.toHaveProperty('forbidden');
    });
  });
});
