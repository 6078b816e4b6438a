import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Undecided } from '../../../src/calls/undecided.ts';
import type { SubjectSource } from '../../../src/rbac/task-subject.ts';
import { createTokenSource } from '../../../src/workers/tasks/token-source.ts';
import { newSigner, tokenOf } from '../../identity/support/signer.ts';
import { polled } from '../support/harness.ts';
import {
  COMMAND_R,
  errorOf,
  llmHandler,
  snapshotOf,
  soloPins,
  TEXT_ANSWER,
  WORLD,
  type World,
} from '../support/llm.ts';

const signer = newSigner();
const KEY = { application: 'robot', applicationUid: 'uid-r', enabled: true, createdAt: 0 };

/** Application `robot` has a token and a grant of its own; no workflow is its by name. */
const TOKENS = {
  ...WORLD,
  applications: { ...WORLD.applications, robot: { uid: 'uid-r' }, root: { uid: 'uid-a', roles: ['ADMIN'] } },
  'access-keys': { 'key-r': KEY, 'key-a': { ...KEY, application: 'root', applicationUid: 'uid-a' } },
  'token-keys': { [signer.signingKey.kid]: signer.record },
  grants: { 'USER:app:robot': { [`INTEGRATION:prod:${COMMAND_R}`]: 'EXECUTE' } },
} satisfies World;
const keyOff = { ...TOKENS, 'access-keys': { 'key-r': { ...KEY, enabled: false } } };

const robot = (more: Parameters<typeof tokenOf>[1] = {}) =>
  tokenOf(signer, { application: { id: 'robot', uid: 'uid-r' }, accessKeyId: 'key-r', ...more });
const sources: readonly SubjectSource[] = ['token'];

describe('a task with a token', () => {
  it('runs by the grants of the application that it proves, whatever its workflow is called', async () => {
    const { run } = await llmHandler('text', { world: TOKENS, sources });
    expect((await run({ prompt: 'x', accessToken: await robot() }, { workflowType: 'any' })).kind).toBe('complete');
    const other = errorOf(await run({ prompt: 'x', model: 'hot', accessToken: await robot() }));
    expect(other.code).toBe('PERMISSION_DENIED');
    expect(other.message).toContain('USER:app:robot');
  });

  it('may be an administrator’s', async () => {
    const { run } = await llmHandler('text', { world: TOKENS, sources });
    const accessToken = await robot({ application: { id: 'root', uid: 'uid-a' }, accessKeyId: 'key-a' });
    expect((await run({ prompt: 'x', model: 'hot', temperature: 0.1, accessToken })).kind).toBe('complete');
  });

  it('is refused by a code of its own once the token has expired', async () => {
    const { run, denied, sent } = await llmHandler('text', { world: TOKENS, sources: ['token', 'application'] });
    const accessToken = await robot({ now: Date.now() - 3_600_000, expiresInSeconds: 3_599 });
    const error = errorOf(await run({ prompt: 'x', accessToken }));
    expect(error).toMatchObject({ code: 'TOKEN_EXPIRED', field: 'accessToken', retryable: false });
    expect(denied).toMatchObject([{ subject: '', source: '', mode: 'enforce' }]);
    expect(sent).toEqual([]);
  });

  it.each<[string, () => Promise<string>, string]>([
    ['is for the API', () => robot({ audience: 'api' }), 'it is not for the audience task'],
    ['is of another key', () => robot({ accessKeyId: 'key-a' }), 'its access key is of another application'],
    ['is of another installation', () => tokenOf(newSigner()), 'none of this installation'],
    [
      'is for another workflow',
      () => robot({ workflow: 'claims' }),
      'it is for the workflow claims, and this is claims_intake',
    ],
    ['is no token', async () => 'SEKRET', 'it is no JWT'],
  ])('is refused where the token %s, though the workflow’s application would do', async (_, token, reason) => {
    const { run, captured } = await llmHandler('text', { world: { ...TOKENS, grants: WORLD.grants } });
    const accessToken = await token();
    const error = errorOf(await run({ prompt: 'x', accessToken }));
    expect(error).toMatchObject({ code: 'TOKEN_INVALID', field: 'accessToken', retryable: false });
    expect(error.message).toContain(reason);
    expect(JSON.stringify([error, captured.lines])).not.toContain(accessToken);
  });

  it('runs in the one workflow that its token names', async () => {
    const { run } = await llmHandler('text', { world: TOKENS, sources });
    expect((await run({ prompt: 'x', accessToken: await robot({ workflow: 'claims_intake' }) })).kind).toBe('complete');
  });

  it('is refused at its dispatch where its key was switched off while it waited', async () => {
    const tools = await llmHandler('text', {
      ...{ world: TOKENS, sources },
      ready: () => tools.change(keyOff),
    });
    const error = errorOf(await tools.run({ prompt: 'x', accessToken: await robot() }));
    expect(error).toMatchObject({ code: 'TOKEN_INVALID' });
    expect(error.message).toContain('its access key is switched off');
    expect(tools.sent).toEqual([]);
    await tools.change(TOKENS);
  });
});

describe('records that came while Redis or a signature was looked at', () => {
  async function lookedAt(before: World, token: string) {
    const snapshot = await snapshotOf(before);
    const source = createTokenSource({ catalog: () => snapshot, pins: soloPins() });
    const byRecords = await source.of(polled({ inputData: { accessToken: token } }));
    if (byRecords === undefined) throw new Error('a task without a token');
    return byRecords;
  }

  it('send a task back whose token is of a key that was unknown then', async () => {
    const byRecords = await lookedAt({ ...TOKENS, 'token-keys': {} }, await robot());
    expect(byRecords(await snapshotOf({ ...TOKENS, 'token-keys': {} }))).toMatchObject({ code: 'TOKEN_INVALID' });
    const after = await snapshotOf(TOKENS);
    expect(() => byRecords(after)).toThrow(Undecided);
  });

  it('send a task back whose token is for one workflow, and was worth nothing then', async () => {
    const byRecords = await lookedAt(keyOff, await robot({ once: true }));
    expect(byRecords(await snapshotOf(keyOff))).toMatchObject({ code: 'TOKEN_INVALID' });
    const after = await snapshotOf(TOKENS);
    expect(() => byRecords(after)).toThrow(Undecided);
  });
});

describe('a token for one workflow', () => {
  const inWorkflow = (workflowInstanceId: string) => ({ workflowInstanceId });

  it('is good for every task of the first instance that uses it, and for no other', async () => {
    const { run, sent } = await llmHandler('text', { world: TOKENS, sources });
    const accessToken = await robot({ once: true });
    for (let task = 0; task < 3; task += 1) {
      expect((await run({ prompt: 'x', accessToken }, inWorkflow('first'))).kind).toBe('complete');
    }
    const error = errorOf(await run({ prompt: 'x', accessToken }, inWorkflow('second')));
    expect(error).toMatchObject({ code: 'TOKEN_INVALID', field: 'accessToken' });
    expect(error.message).toContain('another has used it before');
    expect((await run({ prompt: 'x', accessToken: await robot({ once: true }) }, inWorkflow('second'))).kind).toBe(
      'complete',
    );
    expect(sent).toHaveLength(4);
  });

  it('is not used up by one who may not use it', async () => {
    const pins = soloPins();
    const { run } = await llmHandler('text', { world: TOKENS, sources, pins });
    const once = { once: true } as const;
    const useless = [
      await robot({ ...once, audience: 'task', workflow: 'another' }),
      await robot({ ...once, now: 0 }),
      await robot({ ...once, accessKeyId: 'gone' }),
      await tokenOf(newSigner(), once),
    ];
    for (const accessToken of useless) errorOf(await run({ prompt: 'x', accessToken }));
    expect(pins.asked).toEqual([]);
    await run({ prompt: 'x', accessToken: await robot() });
    expect(pins.asked).toEqual([]);
  });

  it('is asked for once a task, though it is decided again at the dispatch', async () => {
    const pins = soloPins();
    const tools = await llmHandler('text', {
      ...{ world: TOKENS, sources, pins },
      ready: () => tools.change({ ...TOKENS, users: { [String(Math.random())]: {} } }),
    });
    expect((await tools.run({ prompt: 'x', accessToken: await robot({ once: true }) })).kind).toBe('complete');
    expect(pins.asked).toHaveLength(1);
  });

  it('sends its task back while Redis does not say whose it is', async () => {
    const pins = { pin: () => Promise.reject(new Error('Redis is away')) };
    const { run, captured } = await llmHandler('text', { world: TOKENS, sources, pins });
    const accessToken = await robot({ once: true });
    expect(await run({ prompt: 'x', accessToken })).toEqual({ kind: 'give-back', afterSeconds: 5 });
    expect(JSON.stringify(captured.lines)).not.toContain(accessToken);
  });
});

describe('the token of a task', () => {
  const CANARY = 'eyJhbGciOiJFZERTQSJ9.SEKRET.SEKRET';
  const task = polled({ inputData: { accessToken: CANARY, prompt: 'x', promptVariables: { a: 1 } } });

  it('is no input: it is taken off as soon as the task is read', () => {
    expect(task.input).toEqual({ prompt: 'x', promptVariables: { a: 1 } });
    expect(task.accessToken?.reveal()).toBe(CANARY);
    expect(polled({ inputData: { accessToken: null } }).accessToken).toBeUndefined();
    expect(polled().accessToken).toBeUndefined();
  });

  it('is shown by nothing that shows a task', () => {
    const shown = [
      JSON.stringify(task),
      JSON.stringify({ ...task }),
      JSON.stringify(structuredClone(task.accessToken)),
      inspect(task, { depth: 10, showHidden: true }),
      `${task.accessToken}`,
      String(task.accessToken),
    ];
    for (const text of shown) expect(text).not.toContain('SEKRET');
  });

  it('is not what the answer of a model is made of', async () => {
    const { run, sent } = await llmHandler('text', { world: TOKENS, sources, answer: () => TEXT_ANSWER });
    const accessToken = await robot();
    const outcome = await run({ prompt: 'x', accessToken });
    expect(JSON.stringify([outcome, sent])).not.toContain(accessToken);
  });
});
