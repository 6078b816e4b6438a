import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createConductorSession } from '../../../src/workers/conductor/session.ts';
import { registerTaskDefinitions } from '../../../src/workers/conductor/task-definitions.ts';
import { capturedLog } from '../support/harness.ts';
import { type StubConductor, startStubConductor } from '../support/stub-conductor.ts';
import type { Treatment } from '../support/treatment.ts';

const never = new AbortController().signal;
const SERVED = [{ type: 'LLM_TEXT_COMPLETE', queue: 'my_llm' }] as const;

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(async () => {
  expect(stub.offences).toEqual([]);
  await stub[Symbol.asyncDispose]();
});

async function register(signal = never): Promise<ReturnType<typeof capturedLog>> {
  const captured = capturedLog();
  const session = createConductorSession({ apiUrl: stub.apiUrl, auth: stub.keys, log: captured.log });
  await registerTaskDefinitions({ session, served: SERVED, log: captured.log }, signal);
  session.close();
  return captured;
}

/** Treats the first calls so, one after the other; the rest as usual. */
function first(...treatments: readonly Treatment[]): () => number {
  let calls = 0;
  stub.on.metadata = () => treatments[calls++];
  return () => calls;
}

describe('task definitions', () => {
  it('are registered for the common names and the served queues, so that Conductor revives what a worker drops', async () => {
    await register();
    expect([...stub.definitions.keys()].sort()).toEqual([
      'LLM_CHAT_COMPLETE',
      'LLM_GENERATE_EMBEDDINGS',
      'LLM_RERANK',
      'LLM_TEXT_COMPLETE',
      'llm_chat_complete',
      'llm_generate_embeddings',
      'llm_rerank',
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
  });

  it('that exist are never touched', async () => {
    const theirs = { name: 'llm_text_complete', responseTimeoutSeconds: 3 };
    stub.definitions.set(theirs.name, theirs);
    await register();
    expect(stub.definitions.get(theirs.name)).toBe(theirs);
    expect(stub.definitions.size).toBe(9);
    const posts = stub.requests.length;
    await register();
    expect(stub.requests.length).toBe(posts + 1);
  });

  it('that somebody makes after the list was read are not touched either', async () => {
    const theirs = { name: 'my_llm', responseTimeoutSeconds: 3 };
    stub.on.metadata = ({ name }) => {
      if (name === 'LLM_TEXT_COMPLETE') stub.definitions.set('my_llm', theirs);
      return undefined;
    };
    await register();
    expect(stub.definitions.get('my_llm')).toBe(theirs);
    expect(stub.definitions.size).toBe(9);
  });

  it('are registered with a login, too', async () => {
    stub.keys = { keyId: 'id', keySecret: 'secret' };
    await register();
    expect(stub.definitions.has('my_llm')).toBe(true);
  });

  it.each([400, 403, 405])('are left alone, with a warning, where Conductor refuses by %i', async (status) => {
    const calls = first({ status });
    const { at } = await register();
    expect(calls()).toBe(1);
    expect(stub.definitions.size).toBe(0);
    expect(at('warn').map(({ msg }) => msg)).toEqual([expect.stringContaining('refuses to register')]);
  });

  it('are left alone where Conductor shows them and refuses to take one', async () => {
    stub.on.metadata = ({ method }) => (method === 'POST' ? { status: 403 } : undefined);
    const { at } = await register();
    expect(at('warn').map(({ msg }) => msg)).toEqual([expect.stringContaining('refuses to register')]);
  });

  it.each<[string, Treatment]>([
    ['a lost connection', { cut: 'before' }],
    ['503', { status: 503 }],
    ['429', { status: 429 }],
  ])('are tried again after %s', async (_, treatment) => {
    first(treatment);
    const { at } = await register();
    expect(stub.definitions.has('my_llm')).toBe(true);
    expect(at('warn').map(({ msg }) => msg)).toEqual([expect.stringContaining('trying again')]);
  });

  it.each([undefined, { keyId: 'id', keySecret: 'secret' }])(
    'do not hold up a stop, though Conductor never answers (login: %o)',
    async (keys) => {
      stub.keys = keys;
      const stop = new AbortController();
      const asked = new Promise<void>((resolve) => {
        const hang = (): Treatment => {
          resolve();
          return { hang: true };
        };
        Object.assign(stub.on, { metadata: hang, token: hang });
      });
      const registering = register(stop.signal);
      await asked;
      stop.abort();
      expect((await registering).at('warn')).toEqual([]);
    },
  );
});
