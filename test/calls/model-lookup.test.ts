import { describe, expect, it } from 'vitest';
import { findModel } from '../../src/calls/model-lookup.ts';
import type { CallPermission } from '../../src/calls/permission.ts';
import { ServiceError } from '../../src/errors.ts';
import type { Target } from '../../src/rbac/decision.ts';
import { snapshotOf, WORLD } from '../workers/support/llm.ts';

const snapshot = await snapshotOf({
  ...WORLD,
  integrations: {
    ...WORLD.integrations,
    tagged: { ...WORLD.integrations.prod, tags: [{ key: 'team', value: 'risk' }] },
  },
  models: {
    ...WORLD.models,
    'tagged:profile': {
      configuration: { modelId: 'us.cohere.embed-v4:0', timeoutMs: 5_000 },
      tags: [{ key: 'tier', value: 'gold' }],
    },
  },
});

/** Lets everything pass and keeps what it was asked. */
function open() {
  const asked: Target[] = [];
  const permission: CallPermission = { require: (_, target) => void asked.push(target), hint: () => ' (a hint)' };
  return { asked, permission };
}

describe('the model that a task names', () => {
  it('comes with its integration, what Bedrock is called with, and the codec of the resolved id', () => {
    const model = findModel(snapshot, open().permission, { integration: 'tagged', model: 'profile' });
    expect(model).toMatchObject({
      integration: 'tagged',
      model: 'profile',
      modelId: 'us.cohere.embed-v4:0',
      family: 'embed-v4',
      timeoutMs: 5_000,
      configuration: { region: 'us-east-1' },
    });
  });

  it("is asked for with its own tags and its integration's", () => {
    const { asked, permission } = open();
    findModel(snapshot, permission, { integration: 'tagged', model: 'profile' });
    expect(asked).toEqual([
      {
        kind: 'model',
        integration: 'tagged',
        model: 'profile',
        tags: expect.arrayContaining([
          expect.objectContaining({ key: 'tier', value: 'gold' }),
          expect.objectContaining({ key: 'team', value: 'risk' }),
        ]),
      },
    ]);
  });

  it.each([
    ['missing', 'x', 'INTEGRATION_UNKNOWN', /there is no such thing as the integration "missing"\. \(a hint\)/],
    ['off', 'x', 'INTEGRATION_DISABLED', /switched off/],
    ['broken', 'x', 'RECORD_INVALID', /administrator has to mend it/],
    ['prod', 'missing', 'MODEL_UNKNOWN', /the model "missing" of the integration "prod"\. \(a hint\)/],
    ['prod', 'off', 'MODEL_DISABLED', /switched off/],
    ['prod', 'broken', 'RECORD_INVALID', /administrator has to mend it/],
  ])('%s:%s cannot be used: %s', (integration, model, code, message) => {
    const find = () => findModel(snapshot, open().permission, { integration, model });
    expect(find).toThrow(message);
    expect(find).toThrow(expect.objectContaining({ code }));
  });

  it('is decided on before it is looked at', () => {
    const permission: CallPermission = {
      require() {
        throw new ServiceError('PERMISSION_DENIED', 'no');
      },
      hint: () => '',
    };
    for (const model of ['missing', 'off', 'broken']) {
      expect(() => findModel(snapshot, permission, { integration: 'prod', model })).toThrow('no');
    }
  });
});
