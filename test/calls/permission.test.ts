import { describe, expect, it } from 'vitest';
import { COMMAND_R, EMBED, errorOf, llmHandler, WORLD, type World } from '../workers/support/llm.ts';

const stranger = { ...WORLD, grants: {} } satisfies World;
const withoutPrompts = {
  ...WORLD,
  grants: { 'USER:app:claims': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' } },
} satisfies World;

/** Message, field and code, with the thing's name put aside. */
async function words(world: World, input: Record<string, unknown>, name: string) {
  const { run } = await llmHandler('text', { world });
  const { message, code, field } = errorOf(await run({ prompt: 'x', ...input }));
  return { message: message.replaceAll(name, 'NAME'), code, field };
}

describe('one who may not', () => {
  it.each(['off', 'broken', 'missing'])('reads the same of the integration "%s" as of one that works', async (name) => {
    const real = await words(stranger, { llmProvider: 'prod' }, 'prod');
    expect(real.code).toBe('PERMISSION_DENIED');
    expect(await words(stranger, { llmProvider: name }, name)).toEqual(real);
  });

  it.each(['off', 'broken', 'missing', 'hot', EMBED])(
    'reads the same of the model "%s" as of one that works',
    async (name) => {
      const real = await words(stranger, { model: COMMAND_R }, COMMAND_R);
      expect(real.code).toBe('PERMISSION_DENIED');
      expect(await words(stranger, { model: name }, name)).toEqual(real);
    },
  );

  it.each(['broken', 'missing', 'elsewhere'])(
    'reads the same of the prompt "%s" as of one that works',
    async (name) => {
      const real = await words(withoutPrompts, { promptName: 'summarize' }, 'summarize');
      expect(real).toMatchObject({ code: 'PERMISSION_DENIED', field: 'promptName' });
      expect(await words(withoutPrompts, { promptName: name }, name)).toEqual(real);
    },
  );

  it('reads the missing grant and the command that explains it, and is on record', async () => {
    const { run, denied, sent } = await llmHandler('text', { world: stranger });
    const { message } = errorOf(await run({ prompt: 'x' }));
    expect(message).toContain(`EXECUTE on INTEGRATION:prod:${COMMAND_R} or INTEGRATION_PROVIDER:prod`);
    expect(message).toContain(`bedrock-cohere can USER:app:claims prod:${COMMAND_R}`);
    expect(sent).toEqual([]);
    expect(denied).toEqual([
      {
        subject: 'USER:app:claims',
        source: 'application',
        target: `prod:${COMMAND_R}`,
        missing: `EXECUTE on INTEGRATION:prod:${COMMAND_R} or INTEGRATION_PROVIDER:prod`,
        mode: 'enforce',
        workflowId: 'workflow-of-task-1',
        workflowType: 'claims_intake',
        taskId: 'task-1',
      },
    ]);
  });

  it('is hinted only at what it may use', async () => {
    const grants = {
      'USER:app:claims': { 'INTEGRATION:prod:off': 'EXECUTE', 'INTEGRATION:prod:cohere.command-r-v9:0': 'EXECUTE' },
    };
    const { run } = await llmHandler('text', { world: { ...WORLD, grants } });
    const error = errorOf(await run({ model: 'cohere.command-r-v9:0', prompt: 'x' }));
    expect(error.code).toBe('MODEL_UNKNOWN');
    expect(error.message).not.toContain('Did you mean');
  });

  it('is nobody where no source names one', async () => {
    const { run, denied } = await llmHandler('text');
    const error = errorOf(await run({ prompt: 'x' }, { workflowType: 'other_workflow' }));
    expect(error).toMatchObject({ code: 'SUBJECT_UNKNOWN', field: 'model' });
    expect(error.message).toContain('other_workflow');
    expect(denied).toMatchObject([{ subject: '', source: '' }]);
  });

  it('is nobody where a token cannot be verified, though the application would do', async () => {
    const { run, captured } = await llmHandler('text');
    const error = errorOf(await run({ prompt: 'x', accessToken: 'SEKRET' }));
    expect(error).toMatchObject({ code: 'TOKEN_INVALID', field: 'accessToken', retryable: false });
    expect(error.message).not.toContain('SEKRET');
    expect(JSON.stringify(captured.lines)).not.toContain('SEKRET');
  });

  it('is an application whose grants are for READ only', async () => {
    const grants = { 'USER:app:claims': { 'INTEGRATION_PROVIDER:prod': 'READ,UPDATE' } };
    const { run } = await llmHandler('text', { world: { ...WORLD, grants } });
    expect(errorOf(await run({ prompt: 'x' })).code).toBe('PERMISSION_DENIED');
  });
});

describe('one who may', () => {
  it('is let through by a tag of the model or of its integration', async () => {
    const tagged = {
      ...stranger,
      models: { ...WORLD.models, [`prod:${COMMAND_R}`]: { tags: [{ key: 'tier', value: 'gold' }] } },
      grants: { 'USER:app:claims': { 'TAG:tier:gold': 'EXECUTE' } },
    };
    const { run } = await llmHandler('text', { world: tagged });
    expect((await run({ prompt: 'x' })).kind).toBe('complete');
    expect(errorOf(await run({ prompt: 'x', model: 'hot' })).code).toBe('PERMISSION_DENIED');
  });
});

describe('RBAC_MODE', () => {
  it('audit lets a denied task run, and records each target once', async () => {
    const { run, denied } = await llmHandler('text', { world: stranger, mode: 'audit' });
    expect((await run({ promptName: 'summarize', promptVariables: { text: 'x' } })).kind).toBe('complete');
    expect(denied.map(({ target, mode }) => [target, mode])).toEqual([
      [`prod:${COMMAND_R}`, 'audit'],
      ['PROMPT:summarize', 'audit'],
    ]);
  });

  it('audit records once, though it is decided again at the dispatch', async () => {
    const tools = await llmHandler('text', { world: stranger, mode: 'audit' });
    const running = tools.run({ prompt: 'x' });
    await tools.change(stranger);
    expect((await running).kind).toBe('complete');
    expect(tools.denied).toHaveLength(1);
  });

  it('audit still says what does not exist', async () => {
    const { run } = await llmHandler('text', { world: stranger, mode: 'audit' });
    expect(errorOf(await run({ prompt: 'x', model: 'missing' })).code).toBe('MODEL_UNKNOWN');
  });

  it('off asks nobody and records nothing, whatever the workflow', async () => {
    const { run, denied } = await llmHandler('text', { world: stranger, mode: 'off', sources: ['token'] });
    expect((await run({ prompt: 'x', accessToken: 'any' }, { workflowType: 'nobodys' })).kind).toBe('complete');
    expect(denied).toEqual([]);
  });
});
