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
    ['pollTimeoutSeconds', 20],
    ['timeoutSeconds', 899],
  ])('is a warning, said once however often it is used: %s', async (field, seconds) => {
    conductor.taskDefinitions = [{ name: 'ask', [field]: seconds }];
    conductor.workflows = [workflow(task('ask')), { ...workflow(task('ask')), version: 2 }];
    const { code, findings } = await check();
    expect(code).toBe(1);
    expect(findings).toEqual([
      {
        severity: 'warning',
        key: 'task definition ask',
        field,
        message: expect.stringContaining(`${seconds} s may end`),
      },
    ]);
  });

  it('is none with no limit, with enough of it, or where none of our tasks uses it', async () => {
    conductor.taskDefinitions = [
      { name: 'ask', pollTimeoutSeconds: 0, timeoutSeconds: 900 },
      { name: 'email', pollTimeoutSeconds: 5, timeoutSeconds: 5 },
    ];
    conductor.workflows = [workflow(task('ask'), task('email', { type: 'SIMPLE' }))];
    expect(await check()).toMatchObject({ code: 0, findings: [] });
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
