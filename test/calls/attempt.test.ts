import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../workers/support/harness.ts';
import { COMMAND_R, EMBED, llmHandler, type Sent, WORLD } from '../workers/support/llm.ts';

const REVOKED = { ...WORLD, grants: { 'USER:app:claims': {} } };

describe('a right that is revoked while credentials are fetched', () => {
  it('stops the task', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let asked = false;
    const { run, sent, change } = await llmHandler('text', {
      async ready() {
        asked = true;
        await promise;
      },
    });
    const outcome = run({ prompt: 'Hi', model: COMMAND_R });
    await until(() => asked);
    await change(REVOKED);
    resolve();
    expect(await outcome).toMatchObject({ kind: 'fail', error: { code: 'PERMISSION_DENIED' } });
    expect(sent).toEqual([]);
  });
});

describe('tasks that share a request', () => {
  const TWO_APPLICATIONS = {
    ...WORLD,
    models: { ...WORLD.models, [`prod:${EMBED}`]: { configuration: { maxConcurrencyPerWorker: 1 } } },
    applications: { ...WORLD.applications, audits: { name: 'audits', workflows: ['audits_*'] } },
    grants: { ...WORLD.grants, 'USER:app:audits': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' } },
  };
  const textsOf = ({ body }: Sent) => body['texts'] as string[];

  /** One call runs until `open()`; whoever comes meanwhile shares the next. */
  async function busy(vectorOf = (_text: string): unknown => [1, 0]) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const tools = await llmHandler('embeddings', {
      world: TWO_APPLICATIONS,
      async answer(sent) {
        await promise;
        return { body: { embeddings: { float: textsOf(sent).map(vectorOf) } }, tokens: { prompt: 9 } };
      },
    });
    const embed = (text: string, workflowType: string) =>
      tools.run({ model: EMBED, text }, { taskId: text, workflowType });
    const first = embed('first', 'claims_intake');
    await until(() => tools.sent.length === 1);
    return { ...tools, embed, first, open: resolve };
  }

  it('are each decided again when it goes out: one whose right was revoked stays behind', async () => {
    const { sent, change, embed, first, open } = await busy();
    const waiting = [embed('claim', 'claims_intake'), embed('audit', 'audits_yearly'), embed('other', 'claims_intake')];
    await sleep(20);
    await change({ ...TWO_APPLICATIONS, grants: { ...TWO_APPLICATIONS.grants, 'USER:app:audits': {} } });
    open();
    expect((await first).kind).toBe('complete');
    const [claim, audit, other] = await Promise.all(waiting);
    expect(audit).toMatchObject({ kind: 'fail', error: { code: 'PERMISSION_DENIED' } });
    expect(claim).toMatchObject({ kind: 'complete', output: { tokensShared: true } });
    expect(other?.kind).toBe('complete');
    expect(sent.map(textsOf)).toEqual([['first'], ['claim', 'other']]);
  });

  it('go without the one that leads where its right was revoked', async () => {
    const { sent, change, embed, first, open } = await busy();
    const waiting = [embed('audit', 'audits_yearly'), embed('claim', 'claims_intake'), embed('other', 'claims_intake')];
    await sleep(20);
    await change({ ...TWO_APPLICATIONS, grants: { ...TWO_APPLICATIONS.grants, 'USER:app:audits': {} } });
    open();
    await first;
    const [audit, claim, other] = await Promise.all(waiting);
    expect(audit).toMatchObject({ kind: 'fail', error: { code: 'PERMISSION_DENIED' } });
    expect([claim?.kind, other?.kind]).toEqual(['complete', 'complete']);
    expect(sent.map(textsOf)).toEqual([['first'], ['claim', 'other']]);
  });

  it('are counted one by one, each for its own subject and with its share of the tokens', async () => {
    const { used, embed, first, open } = await busy();
    const waiting = [embed('claim', 'claims_intake'), embed('audit', 'audits_yearly')];
    await sleep(20);
    open();
    await Promise.all([first, ...waiting]);
    const [, ...shared] = used;
    expect(shared).toMatchObject(
      ['claims', 'audits'].map((application) => ({
        ...{ integration: 'prod', model: EMBED, subject: `USER:app:${application}` },
        tokens: { prompt: expect.any(Number) },
      })),
    );
  });

  it('fail by themselves where the answer holds nothing of use for one of them', async () => {
    const { sent, embed, first, open } = await busy((text) => (text === 'claim' ? [] : [1, 0]));
    const waiting = ['claim', 'other'].map((text) => embed(text, 'claims_intake'));
    await sleep(20);
    open();
    await first;
    const [claim, other] = await Promise.all(waiting);
    expect(claim).toMatchObject({ kind: 'fail', error: { code: 'ANSWER_INVALID', retryable: true } });
    expect(other).toMatchObject({ kind: 'complete', output: { result: [1, 0] } });
    expect(sent.map(textsOf)).toEqual([['first'], ['claim', 'other']]);
  });
});
