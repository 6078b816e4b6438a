import { describe, expect, it, vi } from 'vitest';
import { danglingReferences } from '../../src/manifests/dangling.ts';
import { snapshotOf, type World, wantedOf } from './worlds.ts';

const INTEGRATION = {
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
};

async function faultsOf(world: World, manifest: string, deleted: readonly ['integrations', string][] = []) {
  const changes = deleted.map(([kind, name]) => ({ action: 'delete' as const, kind, name }));
  const faults = danglingReferences(await snapshotOf(world), wantedOf(manifest), changes);
  return faults.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);
}

describe('what a manifest names', () => {
  it('may be in Redis, in the manifest, before or after, or in Redis and broken', async () => {
    const world = { records: { integrations: { prod: INTEGRATION, broken: '{' } } };
    expect(await faultsOf(world, 'models: { "prod:m": {}, "broken:m": {} }')).toEqual([]);
    const grant = 'grants: [{ subject: "GROUP:g", target: "PROMPT:p", access: [READ] }]';
    expect(await faultsOf({}, `${grant}\nprompts: { p: { template: t } }\ngroups: { g: {} }`)).toEqual([]);
  });

  it('is a fault with its place and the nearest known name where it is in neither', async () => {
    const world = { records: { integrations: { 'bedrock-prod': INTEGRATION }, applications: { claims: {} } } };
    const manifest = [
      'models: { "bedrock-prd:m": {} }',
      'groups: { analysts: { members: [alice, "app:claim"] } }',
      'prompts: { p: { template: t, integrations: ["bedrock-prd:n"] } }',
      'grants:',
      '  - { subject: "GROUP:analyst", target: "PROMPT:q", access: [READ] }',
    ].join('\n');
    expect(await faultsOf(world, manifest)).toEqual([
      'm.yaml:1:11: models.bedrock-prd:m: the integration bedrock-prd does not exist. Did you mean "bedrock-prod"?',
      'm.yaml:2:40: groups.analysts: the application claim does not exist. Did you mean "claims"?',
      'm.yaml:3:45: prompts.p: the model bedrock-prd:n does not exist. Did you mean "bedrock-prd:m"?',
      'm.yaml:5:7: the grant of GROUP:analyst on PROMPT:q: the group analyst does not exist. Did you mean "analysts"?',
      'm.yaml:5:33: the grant of GROUP:analyst on PROMPT:q: the prompt q does not exist. Did you mean "p"?',
    ]);
  });

  it('is a fault each time, with a hint in the first twenty, for which the names are gathered once', async () => {
    const snapshot = await snapshotOf({ records: { integrations: { prod: INTEGRATION } } });
    const names = vi.spyOn(snapshot, 'names');
    const models = Array.from({ length: 25 }, (_, index) => `"prd:m${index}": {}`);
    const faults = danglingReferences(snapshot, wantedOf(`models: { ${models.join(', ')} }`), []);
    const isHinted = faults.map(({ message }) => message.endsWith(' Did you mean "prod"?'));
    expect(isHinted).toEqual(models.map((_, index) => index < 20));
    expect(names).toHaveBeenCalledTimes(1);
  });

  it('is a fault where the same manifests would prune it', async () => {
    const world = { records: { integrations: { prod: INTEGRATION } } };
    expect(await faultsOf(world, 'models: { "prod:m": {} }', [['integrations', 'prod']])).toEqual([
      'm.yaml:1:11: models.prod:m: the integration prod does not exist.',
    ]);
  });
});
