import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CheckWorld, type StubConductor, startCheckWorld } from './check-world.ts';
import { INTEGRATION, install } from './installation.ts';

let world: CheckWorld;
let conductor: StubConductor;
beforeAll(async () => {
  world = await startCheckWorld();
  conductor = world.conductor;
});
afterAll(() => world.close());
beforeEach(() => world.reset());

/** `check` on a catalog that is in order: whatever it finds is Conductor's. */
async function check(env: NodeJS.ProcessEnv = {}) {
  await using here = await install();
  await here.put('integrations', 'p', INTEGRATION);
  return await world.check(here, env);
}

const task = (name: string, more: object = {}) => ({
  name,
  taskReferenceName: `${name}_ref`,
  type: 'LLM_TEXT_COMPLETE',
  ...more,
});
const workflow = (...tasks: unknown[]) => ({ name: 'claims_intake', version: 1, tasks });

describe('a task whose name no definition protects', () => {
  it('is a warning that names the workflow and the task', async () => {
    conductor.taskDefinitions = [{ name: 'other' }];
    conductor.workflows = [workflow(task('ask'), task('other'))];
    const { code, findings } = await check();
    expect(code).toBe(1);
    expect(findings).toEqual([
      {
        severity: 'warning',
        key: 'workflow claims_intake',
        field: 'ask_ref',
        message: expect.stringContaining('no task definition is named "ask"'),
      },
    ]);
  });

  it('is said once, though the workflow has several versions', async () => {
    conductor.workflows = [workflow(task('ask')), { ...workflow(task('ask')), version: 2 }];
    expect((await check()).findings.length).toBe(1);
  });

  it('comes back late where it is SIMPLE, since Conductor makes up a definition for it', async () => {
    conductor.workflows = [workflow(task('ask', { type: 'SIMPLE' }))];
    const { findings } = await check({ TASK_TYPES: 'LLM_TEXT_COMPLETE=ask' });
    expect(findings.map(({ message }) => message)).toEqual([expect.stringContaining('only after an hour')]);
  });

  it.each([
    [
      'a branch of SWITCH',
      { type: 'SWITCH', decisionCases: { yes: [task('a')], no: [task('b')] }, defaultCase: [task('c')] },
      ['a', 'b', 'c'],
    ],
    ['a branch of FORK_JOIN', { type: 'FORK_JOIN', forkTasks: [[task('a')], [task('b'), task('c')]] }, ['a', 'b', 'c']],
    ['a DO_WHILE', { type: 'DO_WHILE', loopOver: [task('a')] }, ['a']],
    [
      'all of them in each other',
      {
        type: 'DO_WHILE',
        loopOver: [
          {
            ...task('s', { type: 'SWITCH' }),
            decisionCases: { x: [{ ...task('f', { type: 'FORK_JOIN' }), forkTasks: [[task('deep')]] }] },
          },
        ],
      },
      ['deep'],
    ],
  ])('is found in %s', async (_, around, names) => {
    conductor.workflows = [workflow({ name: 'around', taskReferenceName: 'around', ...around })];
    const { findings } = await check();
    expect(findings.map(({ field }) => field).sort()).toEqual(names.map((name) => `${name}_ref`));
  });

  it.each<[string, NodeJS.ProcessEnv, object, number]>([
    ['of our other type is found', {}, { type: 'LLM_GENERATE_EMBEDDINGS' }, 1],
    [
      'of a type that TASK_TYPES takes for ours is found',
      { TASK_TYPES: 'LLM_TEXT_COMPLETE=my_llm' },
      { type: 'my_llm' },
      1,
    ],
    ['that is SIMPLE and named as that type is found', { TASK_TYPES: 'LLM_TEXT_COMPLETE=ask' }, { type: 'SIMPLE' }, 1],
    ['of a type that is not served is not ours', { TASK_TYPES: 'LLM_GENERATE_EMBEDDINGS' }, {}, 0],
    ['of somebody else is not ours', {}, { type: 'SIMPLE' }, 0],
  ])('%s', async (_, env, more, found) => {
    conductor.workflows = [workflow(task('ask', more))];
    const { code, findings } = await check(env);
    expect([code, findings.length]).toEqual([found, found]);
  });
});

describe('a definition that gives a waiting task little time', () => {
  it.each([
    ['pollTimeoutSeconds', 20, 'first scheduled'],
    // 900 s of deferral, and 120 s for the call.
    ['timeoutSeconds', 1_019, 'first polled'],
    ['totalTimeoutSeconds', 1_019, 'all its retries'],
  ])('is a warning, said once however often it is used: %s', async (field, seconds, since) => {
    conductor.taskDefinitions = [{ name: 'ask', [field]: seconds }];
    conductor.workflows = [workflow(task('ask')), { ...workflow(task('ask')), version: 2 }];
    const { code, findings } = await check();
    expect(code).toBe(1);
    expect(findings).toEqual([
      {
        severity: 'warning',
        key: 'task definition ask',
        field,
        message: expect.stringContaining(`${seconds} s may end the whole workflow`),
      },
    ]);
    expect(findings[0]?.message).toContain(since);
  });

  it('may end the task alone where its policy is RETRY, and nothing where that is ALERT_ONLY', async () => {
    conductor.workflows = [workflow(task('ask'))];
    conductor.taskDefinitions = [{ name: 'ask', timeoutSeconds: 60, timeoutPolicy: 'RETRY' }];
    const [finding] = (await check()).findings;
    expect(finding?.message).toContain('60 s may end a task that waits');
    conductor.taskDefinitions = [
      { name: 'ask', timeoutSeconds: 60, pollTimeoutSeconds: 20, timeoutPolicy: 'ALERT_ONLY' },
    ];
    expect(await check()).toMatchObject({ code: 0, findings: [] });
  });

  it('is none with no limit, with enough of it, or where none of our tasks uses it', async () => {
    conductor.taskDefinitions = [
      {
        name: 'ask',
        pollTimeoutSeconds: 900,
        timeoutSeconds: 1_020,
        totalTimeoutSeconds: 0,
        responseTimeoutSeconds: 4,
      },
      { name: 'email', pollTimeoutSeconds: 5, timeoutSeconds: 5, responseTimeoutSeconds: 1 },
    ];
    conductor.workflows = [workflow(task('ask'), task('email', { type: 'SIMPLE' }))];
    expect(await check()).toMatchObject({ code: 0, findings: [] });
  });

  it('is measured by the longest that any model lets a task wait and call', async () => {
    await using here = await install();
    await here.put('integrations', 'p', INTEGRATION);
    await here.put('models', 'p:quick', {
      configuration: { family: 'converse', maxDeferralSeconds: 10, timeoutMs: 5_000 },
    });
    await here.put('models', 'p:slow', {
      configuration: { family: 'converse', maxDeferralSeconds: 60, timeoutMs: 9_500 },
    });
    conductor.workflows = [workflow(task('ask'))];
    conductor.taskDefinitions = [{ name: 'ask', pollTimeoutSeconds: 59, timeoutSeconds: 69 }];
    expect((await world.check(here)).findings.map(({ field }) => field)).toEqual([
      'pollTimeoutSeconds',
      'timeoutSeconds',
    ]);
    conductor.taskDefinitions = [{ name: 'ask', pollTimeoutSeconds: 60, timeoutSeconds: 70 }];
    expect((await world.check(here)).findings).toEqual([]);
  });

  it('and one that no heartbeat can hold, is a warning', async () => {
    conductor.taskDefinitions = [{ name: 'ask', responseTimeoutSeconds: 3 }];
    conductor.workflows = [workflow(task('ask'))];
    expect((await check()).findings).toEqual([
      {
        severity: 'warning',
        key: 'task definition ask',
        field: 'responseTimeoutSeconds',
        message: expect.stringContaining('cannot be held by heartbeats'),
      },
    ]);
  });

  it('is looked for where the task brings it, before the one of its name', async () => {
    conductor.taskDefinitions = [{ name: 'ask', pollTimeoutSeconds: 20 }];
    conductor.workflows = [
      workflow(
        task('ask', { taskDefinition: { name: 'ask', timeoutSeconds: 30 } }),
        task('fine', { taskDefinition: {} }),
      ),
    ];
    expect((await check()).findings).toEqual([
      {
        severity: 'warning',
        key: 'workflow claims_intake',
        field: 'ask_ref taskDefinition.timeoutSeconds',
        message: expect.stringContaining('30 s may end'),
      },
    ]);
  });
});

describe('a Conductor that does not answer as one', () => {
  const unreachable = { severity: 'error', key: 'conductor', field: '' };

  it('is exit code 3 where nobody listens, and the address is named', async () => {
    const { code, findings } = await check({ CONDUCTOR_SERVER_URL: 'http://127.0.0.1:1/api' });
    expect(code).toBe(3);
    expect(findings).toEqual([{ ...unreachable, message: expect.stringContaining('http://127.0.0.1:1/api') }]);
    expect(findings[0]?.message).toContain('CONDUCTOR_SERVER_URL');
  });

  it.each([
    ['an error of its own', 500, '{"message":"boom"}'],
    ['a refusal', 401, '{"message":"who are you"}'],
    ['a page of somebody else', 200, '<html>hello</html>'],
    ['nothing of that kind', 404, ''],
  ])('is exit code 3 with %s', async (_, status, body) => {
    conductor.instead = { status, body };
    const { code, findings } = await check();
    expect(code).toBe(3);
    expect(findings).toEqual([{ ...unreachable, message: expect.stringContaining(conductor.url) }]);
    expect(findings[0]?.message).not.toContain('is not a function');
  });

  it('is exit code 3 after a while where it never answers, to a login neither', { timeout: 60_000 }, async () => {
    conductor.instead = 'silence';
    const login = { CONDUCTOR_AUTH_KEY: 'key', CONDUCTOR_AUTH_SECRET: 'open-sesame' };
    for (const { code, findings, output } of await Promise.all([check(), check(login)])) {
      expect(code).toBe(3);
      expect(findings).toEqual([{ ...unreachable, message: expect.stringContaining('no answer within 15 s') }]);
      expect(output).not.toContain('sesame');
    }
  });
});
