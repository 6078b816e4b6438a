import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFoundTaskNames, type FoundTaskNames } from '../../../src/workers/conductor/found-task-names.ts';
import { createConductorSession } from '../../../src/workers/conductor/session.ts';
import { capturedLog, until } from '../support/harness.ts';
import { type StubConductor, startStubConductor } from '../support/stub-conductor.ts';

const SERVED = [
  { type: 'LLM_TEXT_COMPLETE', queue: 'LLM_TEXT_COMPLETE' },
  { type: 'LLM_GENERATE_EMBEDDINGS', queue: 'my_embeddings' },
] as const;

let stub: StubConductor;
let captured: ReturnType<typeof capturedLog>;
let names: FoundTaskNames;
beforeEach(async () => {
  stub = await startStubConductor();
  captured = capturedLog();
  const session = createConductorSession({ apiUrl: stub.apiUrl, auth: undefined, log: captured.log });
  names = createFoundTaskNames({ session, served: SERVED, log: captured.log });
});
afterEach(async () => {
  await names.stop();
  expect(stub.offences).toEqual([]);
  await stub[Symbol.asyncDispose]();
});

const task = (name: string, more: object = {}) => ({
  name,
  taskReferenceName: `${name}_ref`,
  type: 'LLM_TEXT_COMPLETE',
  ...more,
});
const workflow = (...tasks: unknown[]) => ({ name: 'claims_intake', version: 1, tasks });
const defined = () => [...stub.definitions.keys()].sort();
const warnings = () => captured.at('warn').map(({ msg }) => msg);
const asked = (path: string) => stub.requests.filter((request) => request.path === path).length;
/** The list has been looked through, and what it brought is registered. */
const looked = () => until(() => captured.at('info').length > 0);

describe('names in workflow definitions', () => {
  it('of our types are registered, wherever the tasks are; nobody else’s are', async () => {
    stub.workflowDefinitions = [
      workflow(
        task('my_odd_name'),
        task('around', { type: 'SWITCH', decisionCases: { yes: [task('deep', { type: 'my_embeddings' })] } }),
        task('email', { type: 'SIMPLE' }),
        task('theirs', { type: 'LLM_GENERATE_EMBEDDINGS' }),
      ),
      { name: 'empty' },
    ];
    names.start();
    await looked();
    expect(defined()).toEqual(['deep', 'my_odd_name']);
    expect(stub.definitions.get('deep')).toMatchObject({
      retryCount: 3,
      retryLogic: 'EXPONENTIAL_BACKOFF',
      responseTimeoutSeconds: 60,
      timeoutSeconds: 0,
    });
  });

  it('that have a definition, or whose task brings one, are left as they are', async () => {
    const theirs = { name: 'theirs', responseTimeoutSeconds: 3 };
    stub.definitions.set('theirs', theirs);
    stub.workflowDefinitions = [
      workflow(task('theirs'), task('inline', { taskDefinition: { name: 'inline' } }), task('new')),
    ];
    names.start();
    await looked();
    expect(stub.definitions.get('theirs')).toBe(theirs);
    expect(defined()).toEqual(['new', 'theirs']);
    // Not even asked about: the list of all has told.
    expect(asked('/metadata/taskdefs/theirs')).toBe(0);
  });

  it('are not more than a thousand, said once', async () => {
    stub.workflowDefinitions = Array.from({ length: 110 }, (_, n) =>
      workflow(...Array.from({ length: 10 }, (_, k) => task(`made_${n}_${k}`))),
    );
    names.start();
    await until(() => captured.at('info').length > 0, 30_000);
    names.noticeTask('one_more', false);
    names.noticeTask('and_another', false);
    await names.stop();
    expect(stub.definitions.size).toBe(1_000);
    expect(warnings()).toEqual([expect.stringContaining('More than 1000 task names')]);
  });

  it('that cannot be had are said once, and names of polled tasks are registered all the same', async () => {
    stub.on.metadata = ({ path }) => (path === '/metadata/workflow' ? { status: 403 } : undefined);
    names.start();
    await until(() => warnings().length > 0);
    names.noticeTask('polled', false);
    await looked();
    expect(defined()).toEqual(['polled']);
    expect(warnings()).toEqual([expect.stringContaining('cannot be listed')]);
  });

  it('are asked for again after an error that passes, with one warning', async () => {
    let failures = 0;
    stub.on.metadata = ({ path }) => (path === '/metadata/workflow' && failures++ < 2 ? { status: 503 } : undefined);
    stub.workflowDefinitions = [workflow(task('late'))];
    names.start();
    await until(() => stub.definitions.has('late'), 10_000);
    expect(warnings()).toEqual([expect.stringContaining('trying again')]);
  });
});

describe('the name of a polled task', () => {
  beforeEach(async () => {
    names.start();
    await until(() => asked('/metadata/taskdefs') === 1);
  });

  it('without a definition is registered, once however many tasks carry it', async () => {
    for (let n = 0; n < 50; n += 1) names.noticeTask('polled', false);
    await looked();
    for (let n = 0; n < 50; n += 1) names.noticeTask('polled', false);
    names.noticeTask('another', false);
    await until(() => stub.definitions.has('another'));
    expect(asked('/metadata/taskdefs/polled')).toBe(1);
  });

  it('with a definition is no matter, nor is one without words', async () => {
    names.noticeTask('protected', true);
    names.noticeTask('', false);
    names.noticeTask('last', false);
    await looked();
    expect(defined()).toEqual(['last']);
  });

  it('that fits no path is looked up in the list of all', async () => {
    const theirs = { name: 'their/name', responseTimeoutSeconds: 3 };
    stub.definitions.set(theirs.name, theirs);
    names.noticeTask('their/name', false);
    names.noticeTask('our/name', false);
    await until(() => stub.definitions.has('our/name'));
    expect(stub.definitions.get('their/name')).toBe(theirs);
    expect(warnings()).toEqual([]);
  });

  it('that was defined since its workflow started is left as it is', async () => {
    const theirs = { name: 'polled', responseTimeoutSeconds: 3 };
    stub.definitions.set('polled', theirs);
    names.noticeTask('polled', false);
    names.noticeTask('last', false);
    await until(() => stub.definitions.has('last'));
    expect(stub.definitions.get('polled')).toBe(theirs);
  });

  it('that Conductor refuses keeps no other from being registered', async () => {
    stub.on.metadata = ({ method, name }) => (method === 'POST' && name === 'bad' ? { status: 400 } : undefined);
    names.noticeTask('bad', false);
    names.noticeTask('good', false);
    await until(() => stub.definitions.has('good'));
    names.noticeTask('bad', false);
    expect(warnings()).toEqual([expect.stringContaining('refuses to register')]);
    expect(asked('/metadata/taskdefs/bad')).toBe(1);
  });

  it('that Conductor stumbles over waits behind the others', async () => {
    stub.on.metadata = ({ name }) => (name === 'bad' ? { status: 500 } : undefined);
    names.noticeTask('bad', false);
    names.noticeTask('good', false);
    await until(() => stub.definitions.has('good'), 10_000);
    expect(warnings()).toEqual([expect.stringContaining('trying again')]);
  });
});

it('a stop ends what is under way, though Conductor never answers', async () => {
  stub.on.metadata = () => ({ hang: true });
  names.start();
  await until(() => asked('/metadata/workflow') === 1);
  await names.stop();
  await names.stop();
  expect(warnings()).toEqual([]);
});
