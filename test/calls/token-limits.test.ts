import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../workers/support/harness.ts';
import { COMMAND_R, EMBED, errorOf, llmHandler, type Sent, TEXT_ANSWER, WORLD } from '../workers/support/llm.ts';

const limited = (maxTokens: number) => ({
  ...WORLD,
  applications: { claims: { ...WORLD.applications.claims, maxTokens, frequency: 'daily' } },
});
const PROMPT = { prompt: 'Hi', model: COMMAND_R };

describe('a token limit', () => {
  it('asks nothing of anybody where none concerns the call', async () => {
    const { run, tokenLimits } = await llmHandler('text');
    expect((await run(PROMPT)).kind).toBe('complete');
    expect(tokenLimits.asked).toEqual([]);
    expect(tokenLimits.settled).toBe(0);
  });

  it('lets calls go until it is used up, then fails them with what was used, the limit, whose it is and when it resets', async () => {
    const { run, sent, tokenLimits, metrics } = await llmHandler('text', { world: limited(20) });
    expect((await run(PROMPT)).kind).toBe('complete');
    expect((await run(PROMPT)).kind).toBe('complete');
    const error = errorOf(await run(PROMPT));
    expect(error).toMatchObject({ code: 'TOKEN_LIMIT_REACHED', retryable: false });
    expect(error.message).toBe(
      'The token limit of the application claims is used up: 24 of 20 tokens today (UTC). It resets at 2026-11-27T00:00:00Z; ' +
        'an administrator can raise maxTokens of its record',
    );
    expect(sent).toHaveLength(2);
    expect(tokenLimits.settled).toBe(2);
    expect(tokenLimits.asked).toEqual(Array(3).fill(['USER:app:claims']));
    expect(await metrics.registry.metrics()).toContain(
      'bedrock_cohere_limit_refused_total{kind="application",name="claims",frequency="daily"} 1',
    );
  });

  it('of 0 lets nothing run', async () => {
    const { run, sent } = await llmHandler('text', { world: limited(0) });
    expect(errorOf(await run(PROMPT)).code).toBe('TOKEN_LIMIT_REACHED');
    expect(sent).toEqual([]);
  });

  it('that was found used up a moment ago is asked about no more, and takes no turn', async () => {
    const { run, tokenLimits, released } = await llmHandler('text', { world: limited(0) });
    tokenLimits.state.rememberReached = true;
    expect(errorOf(await run(PROMPT)).code).toBe('TOKEN_LIMIT_REACHED');
    expect(tokenLimits.asked).toEqual([]);
    expect(released).toEqual([]);
  });

  it('is told by the name that the call gave its model, not by what stands behind it', async () => {
    const modelId = 'arn:aws:bedrock:us-east-1:111122223333:imported-model/x';
    const configuration = { modelId, family: 'command-r' };
    const models = {
      'prod:mine': { configuration },
      'prod:other': { configuration, maxTokens: 1, frequency: 'weekly' },
    };
    const { run } = await llmHandler('text', { world: { ...WORLD, models } });
    await run({ prompt: 'Hi', model: 'other' });
    const error = errorOf(await run({ prompt: 'Hi', model: 'mine' }));
    expect(error).toMatchObject({ code: 'TOKEN_LIMIT_REACHED', field: 'model' });
    expect(error.message).toMatch(/^The token limit of the model prod:mine is used up: 12 of 1 tokens this week/);
  });

  it.each(['audit', 'off'] as const)('holds where RBAC_MODE is %s', async (mode) => {
    const { run } = await llmHandler('text', { world: { ...limited(1), grants: {} }, mode });
    expect((await run(PROMPT)).kind).toBe('complete');
    expect(errorOf(await run(PROMPT)).code).toBe('TOKEN_LIMIT_REACHED');
  });

  it('that cannot be asked sends the task back unjudged; one without a limit runs', async () => {
    const { run, tokenLimits, sent } = await llmHandler('text', { world: limited(20) });
    tokenLimits.state.reachable = false;
    expect(await run(PROMPT)).toEqual({ kind: 'give-back', afterSeconds: 5 });
    expect(sent).toEqual([]);
    const other = await llmHandler('text');
    other.tokenLimits.state.reachable = false;
    expect((await other.run(PROMPT)).kind).toBe('complete');
  });

  it('that is set while the others are asked about is asked about, too, before anything is sent', async () => {
    const { run, change, tokenLimits, sent } = await llmHandler('text', {
      world: limited(20),
    });
    const { limits } = tokenLimits;
    const reached = limits.reached;
    let raced = false;
    limits.reached = async (asked) => {
      const answer = await reached(asked);
      if (!raced)
        await change({
          ...limited(20),
          models: { ...WORLD.models, [`prod:${COMMAND_R}`]: { maxTokens: 0, frequency: 'daily' } },
        });
      raced = true;
      return answer;
    };
    expect(errorOf(await run(PROMPT)).message).toContain(`the model prod:${COMMAND_R} is used up`);
    expect(sent).toEqual([]);
    expect(tokenLimits.asked).toHaveLength(2);
  });

  it('that cannot be read stops the task', async () => {
    const applications = { claims: { ...WORLD.applications.claims, maxTokens: -1, frequency: 'daily' } };
    const { run, sent } = await llmHandler('text', { world: { ...WORLD, applications }, mode: 'off' });
    expect(errorOf(await run(PROMPT)).code).toBe('RECORD_INVALID');
    expect(sent).toEqual([]);
  });
});

describe('what counts', () => {
  it('is what Bedrock counted, and an estimate where it counted nothing', async () => {
    const answer = () => ({ body: TEXT_ANSWER.body, tokens: {} });
    const { run, used } = await llmHandler('text', { answer });
    await run({ ...PROMPT, prompt: 'x'.repeat(40), maxTokens: 30 });
    expect(used).toMatchObject([{ tokens: {}, spent: { tokens: 40 } }]);
    const counted = await llmHandler('text');
    await counted.run({ ...PROMPT, prompt: 'x'.repeat(40), maxTokens: 30 });
    expect(counted.used).toMatchObject([{ tokens: { prompt: 5, completion: 7 }, spent: { tokens: 12 } }]);
  });

  it('is an answer that is of no use, too', async () => {
    const { run, used } = await llmHandler('text');
    expect(errorOf(await run({ ...PROMPT, jsonOutput: true })).code).toBe('OUTPUT_NOT_JSON');
    expect(used).toMatchObject([{ tokens: { prompt: 5, completion: 7 }, spent: { tokens: 12 } }]);
  });

  it('is put down to the model that is called, its integration, the subject and each of its groups', async () => {
    const groups = { one: {}, two: {}, 'without-members': {} };
    const members = { one: ['app:claims'], two: ['app:claims'], 'without-record': ['app:claims'] };
    const models = { 'prod:alias': { configuration: { modelId: 'the-model', family: 'command-r' } } };
    const { run, used } = await llmHandler('text', { world: { ...WORLD, models, groups, members } });
    await run({ prompt: 'Hi', model: 'alias' });
    expect(used[0]?.spent.accounts).toEqual([
      ...['MODEL:prod:the-model', 'INTEGRATION:prod', 'USER:app:claims', 'GROUP:one', 'GROUP:two'],
    ]);
  });
});

describe('tasks that share a request', () => {
  const WORLD_OF_TWO = {
    ...WORLD,
    models: { ...WORLD.models, [`prod:${EMBED}`]: { configuration: { maxConcurrencyPerWorker: 1 } } },
    applications: {
      ...WORLD.applications,
      audits: { name: 'audits', workflows: ['audits_*'], maxTokens: 5, frequency: 'daily' },
    },
    grants: { ...WORLD.grants, 'USER:app:audits': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' } },
  };
  const textsOf = ({ body }: Sent) => body['texts'] as string[];

  it('are asked about together, and one whose subject has used its limit up fails alone', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { run, sent, tokenLimits } = await llmHandler('embeddings', {
      world: WORLD_OF_TWO,
      async answer(one) {
        await promise;
        return { body: { embeddings: { float: textsOf(one).map(() => [1, 0]) } }, tokens: { prompt: 9 } };
      },
    });
    const embed = (text: string, workflowType: string) => run({ model: EMBED, text }, { taskId: text, workflowType });
    const first = embed('first', 'claims_intake');
    await until(() => sent.length === 1);
    tokenLimits.spent.set('USER:app:audits', 5);
    const waiting = [embed('audit', 'audits_yearly'), embed('claim', 'claims_intake'), embed('other', 'claims_intake')];
    await sleep(20);
    resolve();
    await first;
    const [audit, claim, other] = await Promise.all(waiting);
    expect(audit).toMatchObject({ kind: 'fail', error: { code: 'TOKEN_LIMIT_REACHED' } });
    expect([claim?.kind, other?.kind]).toEqual(['complete', 'complete']);
    expect(sent.map(textsOf)).toEqual([['first'], ['claim', 'other']]);
    expect(tokenLimits.asked).toEqual([['USER:app:audits']]);
  });

  it('count each for its own subject, by its share', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { run, sent, tokenLimits } = await llmHandler('embeddings', {
      world: WORLD_OF_TWO,
      async answer(one) {
        await promise;
        return { body: { embeddings: { float: textsOf(one).map(() => [1, 0]) } }, tokens: { prompt: 9 } };
      },
    });
    const embed = (text: string, workflowType: string) => run({ model: EMBED, text }, { taskId: text, workflowType });
    const first = embed('first', 'claims_intake');
    await until(() => sent.length === 1);
    const waiting = [embed('audit', 'audits_yearly'), embed('claim', 'claims_intake')];
    await sleep(20);
    resolve();
    await Promise.all([first, ...waiting]);
    const { spent } = tokenLimits;
    expect(spent.get('USER:app:audits')).toBeGreaterThan(0);
    expect((spent.get('USER:app:audits') ?? 0) + (spent.get('USER:app:claims') ?? 0)).toBe(18);
    expect(spent.get('INTEGRATION:prod')).toBe(18);
  });
});
