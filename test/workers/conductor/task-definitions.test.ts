import type { MetadataClient } from '@io-orkes/conductor-javascript';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConductorSession, createConductorSession } from '../../../src/workers/conductor/session.ts';
import { registerTaskDefinitions } from '../../../src/workers/conductor/task-definitions.ts';
import { capturedLog } from '../support/harness.ts';
import { type StubConductor, startStubConductor } from '../support/stub-conductor.ts';

const never = new AbortController().signal;
const SERVED = [{ type: 'LLM_TEXT_COMPLETE', queue: 'my_llm' }] as const;

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(() => stub[Symbol.asyncDispose]());

async function register(): Promise<ReturnType<typeof capturedLog>> {
  const captured = capturedLog();
  const session = createConductorSession({ apiUrl: stub.apiUrl, auth: undefined, log: captured.log });
  await registerTaskDefinitions({ session, served: SERVED, log: captured.log }, never);
  session.close();
  return captured;
}

/** A session whose Conductor is a script: each call of `getAllTaskDefs` takes the next answer. */
function scripted(answers: readonly (unknown[] | Error)[]) {
  let asked = 0;
  const registered: string[] = [];
  const metadata = {
    async getAllTaskDefs() {
      const answer = answers[Math.min(asked, answers.length - 1)];
      asked += 1;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    registerTasks: async (definitions: { name: string }[]) =>
      void registered.push(...definitions.map(({ name }) => name)),
  } as unknown as MetadataClient;
  const session = { metadata: async () => metadata } as unknown as ConductorSession;
  return { session, registered, asked: () => asked };
}
const withStatus = (status: number) => Object.assign(new Error('refused'), { cause: { status } });

describe('task definitions', () => {
  it('are registered for the common names and the served queues, so that Conductor revives what a worker drops', async () => {
    await register();
    expect([...stub.definitions.keys()].sort()).toEqual([
      'LLM_GENERATE_EMBEDDINGS',
      'LLM_TEXT_COMPLETE',
      'llm_generate_embeddings',
      'llm_text_complete',
      'my_llm',
    ]);
    for (const definition of stub.definitions.values()) {
      expect(definition).toMatchObject({
        retryCount: 3,
        retryLogic: 'EXPONENTIAL_BACKOFF',
        responseTimeoutSeconds: 60,
        timeoutSeconds: 0,
        ownerEmail: expect.stringContaining('@'),
      });
    }
    expect(stub.offences).toEqual([]);
  });

  it('that exist are never touched', async () => {
    const theirs = { name: 'llm_text_complete', responseTimeoutSeconds: 3 };
    stub.definitions.set(theirs.name, theirs);
    await register();
    expect(stub.definitions.get(theirs.name)).toBe(theirs);
    expect(stub.definitions.size).toBe(5);
    const posts = stub.requests.length;
    await register();
    expect(stub.requests.length).toBe(posts + 1);
  });

  it.each([400, 403])('are left alone, with a warning, where Conductor refuses by %i', async (status) => {
    const { log, at } = capturedLog();
    const script = scripted([withStatus(status)]);
    await registerTaskDefinitions({ session: script.session, served: SERVED, log }, never);
    expect(script.asked()).toBe(1);
    expect(at('warn').map(({ msg }) => msg)).toEqual([expect.stringContaining('refuses to register')]);
  });

  it.each([new Error('connect ECONNREFUSED'), withStatus(503), withStatus(429)])(
    'are tried again after %s',
    async (error) => {
      const { log, at } = capturedLog();
      const script = scripted([error, []]);
      await registerTaskDefinitions({ session: script.session, served: SERVED, log }, never);
      expect(script.registered).toContain('my_llm');
      expect(at('warn').map(({ msg }) => msg)).toEqual([expect.stringContaining('trying again')]);
    },
  );

  it('do not hold up a stop, though Conductor never answers', async () => {
    const stop = new AbortController();
    const session = { metadata: () => new Promise(() => undefined) } as unknown as ConductorSession;
    const { log, at } = capturedLog();
    const registering = registerTaskDefinitions({ session, served: SERVED, log }, stop.signal);
    stop.abort();
    await registering;
    expect(at('warn')).toEqual([]);
  });
});
