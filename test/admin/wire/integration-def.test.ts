import { describe, expect, it } from 'vitest';
import { INTEGRATION_DEFS } from '../../../src/admin/wire/integration-def.ts';
import { CONNECTION_TYPES, integrationRecord } from '../../../src/integrations/integration.ts';

/** As Orkes' guide to AWS Bedrock Cohere names and orders them, and for which connection type each applies. */
const GUIDE = [
  ['Connection type', undefined],
  ['Region', undefined],
  ['Account ID', undefined],
  ['Role ARN', 'Assume External Role'],
  ['External ID', 'Assume External Role'],
  ['Access key', 'Access Key/Secret'],
  ['Access secret', 'Access Key/Secret'],
] as const;

const [form] = INTEGRATION_DEFS;
const fields = form?.configuration ?? [];

describe('the form of an AWS Bedrock Cohere integration', () => {
  it('asks in the words and the order of the guide, each field for the connection type that it is for', () => {
    const options = fields[0]?.valueOptions ?? [];
    const shown = fields.map(({ label, dependsOn }) => {
      const [only] = dependsOn ?? [];
      if (only !== undefined) expect(only.fieldName).toBe('connectionType');
      return [label, options.find(({ value }) => value === only?.value)?.label];
    });
    expect(shown).toEqual(GUIDE);
    expect(options.map(({ label }) => label)).toEqual([
      'Current Conductor Role',
      'Assume External Role',
      'Access Key/Secret',
    ]);
    expect(options.map(({ value }) => value)).toEqual([...CONNECTION_TYPES]);
  });

  it('asks for what a record cannot do without, for no more, and for every field that a record takes', () => {
    const values: Record<string, string> = {
      region: 'us-east-1',
      roleArn: 'arn:aws:iam::111122223333:role/name',
      user: 'AKIAEXAMPLE',
      api_key: 'secret',
      externalId: 'external',
      awsAccountId: '111122223333',
    };
    for (const connectionType of CONNECTION_TYPES) {
      const asked = fields.filter(({ dependsOn }) => dependsOn?.every(({ value }) => value === connectionType) ?? true);
      const needed = asked.filter(({ optional }) => !optional).map(({ fieldName }) => fieldName);
      const filled = Object.fromEntries(needed.map((name) => [name, values[name] ?? connectionType]));
      const read = (configuration: object) =>
        integrationRecord.safeParse({ type: 'aws_bedrock_cohere', configuration }).success;
      expect(read(filled), connectionType).toBe(true);
      for (const name of needed)
        expect(read({ ...filled, [name]: undefined }), `${connectionType} without ${name}`).toBe(false);
    }
    const known = ['connectionType', ...Object.keys(values)];
    expect(fields.map(({ fieldName }) => fieldName).sort()).toEqual(known.sort());
  });

  it('types as passwords what is never shown', () => {
    const passwords = fields.filter(({ fieldType }) => fieldType === 'PASSWORD').map(({ fieldName }) => fieldName);
    expect(passwords.sort()).toEqual(['api_key', 'awsAccountId', 'externalId']);
  });
});
