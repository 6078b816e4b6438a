import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createConductorSession } from '../../../src/workers/conductor/session.ts';
import { capturedLog, connect, startLoop, until } from '../support/harness.ts';
import { type StubConductor, startStubConductor } from '../support/stub-conductor.ts';

const KEYS = { keyId: 'key-id', keySecret: 'SEKRET-key-secret' };

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(() => stub[Symbol.asyncDispose]());

const session = (auth: typeof KEYS | undefined) => {
  const captured = capturedLog();
  return { captured, ...createConductorSession({ apiUrl: stub.apiUrl, auth, log: captured.log }) };
};

describe('a session with Conductor', () => {
  it('without keys sends no proof and asks for none', async () => {
    const { headers } = session(undefined);
    expect(await headers()).toEqual({});
    expect(stub.requests).toEqual([]);
  });

  it('with keys gets one token for key id and secret, and sends it with every call', async () => {
    stub.keys = KEYS;
    const { conductor, close, captured } = connect(stub);
    const poll = { queue: 'q', count: 1, waitMs: 1, workerId: 'w', domain: undefined };
    await Promise.all([conductor.poll(poll), conductor.poll(poll), conductor.poll(poll)]);
    await close();
    expect(stub.tokens).toEqual([KEYS]);
    expect(stub.requests.filter(({ path }) => path !== '/token').map(({ token }) => token)).toEqual(
      Array(3).fill('token-1'),
    );
    expect(JSON.stringify(captured.lines)).not.toContain('SEKRET');
  });

  it('asks for a new token after a 401, at most once a second', async () => {
    stub.keys = KEYS;
    const one = session(KEYS);
    expect(await one.headers()).toEqual({ 'X-Authorization': 'token-1' });
    one.renew();
    expect(await one.headers()).toEqual({ 'X-Authorization': 'token-2' });
    for (let n = 0; n < 10; n += 1) one.renew();
    expect(await one.headers()).toEqual({ 'X-Authorization': 'token-2' });
    one.close();
  });

  it('of a running worker is renewed by itself: no task is lost to an expired token', async () => {
    stub.keys = KEYS;
    await using loop = startLoop(stub, {});
    const first = stub.add('LLM_TEXT_COMPLETE');
    await until(() => stub.tasks.get(first)?.status === 'COMPLETED', 5_000);
    stub.expire();
    const second = stub.add('LLM_TEXT_COMPLETE');
    await until(() => stub.tasks.get(second)?.status === 'COMPLETED', 8_000);
    expect(stub.tokens).toHaveLength(2);
    expect(await loop.stop(500)).toBe(true);
  });

  it('that cannot get its first token yet lets a stop go on', async () => {
    stub.keys = KEYS;
    stub.on.token = () => ({ hang: true });
    const one = session(KEYS);
    const waiting = one.headers();
    one.stopConnecting();
    await expect(waiting).rejects.toThrow('stopping');
    one.close();
  });
});
