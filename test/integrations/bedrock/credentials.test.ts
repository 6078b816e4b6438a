import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { type AwsCredentials, refreshingCredentials } from '../../../src/integrations/bedrock/credentials.ts';

const HOUR = 3_600_000;

/** Credentials that are loaded when the test says so, on a clock that the test moves. */
function harness() {
  const clock = { now: Date.parse('2026-11-23T00:00:00Z') };
  const loads: { resolve: (credentials: AwsCredentials) => void; reject: (error: Error) => void }[] = [];
  const logged: string[] = [];
  const source = refreshingCredentials({
    load: () => {
      const { promise, resolve, reject } = Promise.withResolvers<AwsCredentials>();
      loads.push({ resolve, reject });
      return promise;
    },
    name: 'prod',
    log: pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) }),
    now: () => clock.now,
  });
  const lastsFor = (name: string, ms?: number): AwsCredentials => ({
    accessKeyId: name,
    secretAccessKey: 'secret',
    ...(ms === undefined ? {} : { expiration: new Date(clock.now + ms) }),
  });
  const answer = async (credentials: AwsCredentials | Error): Promise<void> => {
    const load = loads.at(-1);
    if (credentials instanceof Error) load?.reject(credentials);
    else load?.resolve(credentials);
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  /** Credentials in place, obtained now. */
  const begin = async (name: string, ms?: number): Promise<AwsCredentials> => {
    const getting = source.get();
    await answer(lastsFor(name, ms));
    return await getting;
  };
  return { source, clock, loads, logged, lastsFor, answer, begin };
}

const nameOf = async (credentials: Promise<AwsCredentials>) => (await credentials).accessKeyId;

describe('credentials that are asked for', () => {
  it('for the first time are loaded once for all who wait', async () => {
    const { source, loads, lastsFor, answer } = harness();
    const asked = [source.get(), source.get(), source.get()];
    await answer(lastsFor('first', HOUR));
    expect(loads.length).toBe(1);
    expect(await Promise.all(asked.map(nameOf))).toEqual(['first', 'first', 'first']);
  });

  it('reject with the load’s error where there are none, and are loaded again at the next call', async () => {
    const { source, loads, lastsFor, answer } = harness();
    const refused = expect(source.get()).rejects.toThrow('no network');
    await answer(new Error('no network'));
    await refused;
    const next = source.get();
    expect(loads.length).toBe(2);
    await answer(lastsFor('second', HOUR));
    expect(await nameOf(next)).toBe('second');
  });

  it('are kept as long as they hold, without an expiry for ever', async () => {
    const { source, clock, loads, begin } = harness();
    const first = await begin('first');
    clock.now += 1_000 * HOUR;
    expect(await source.get()).toBe(first);
    expect(loads.length).toBe(1);
  });
});

describe('credentials that soon expire', () => {
  it('are refreshed five minutes ahead, once, while calls go on with them', async () => {
    const { source, clock, loads, lastsFor, answer, begin } = harness();
    const first = await begin('first', HOUR);
    clock.now += HOUR - 300_001;
    expect(await source.get()).toBe(first);
    expect(loads.length).toBe(1);
    clock.now += 1;
    expect(await source.get()).toBe(first);
    expect(await source.get()).toBe(first);
    expect(loads.length).toBe(2);
    await answer(lastsFor('second', HOUR));
    expect(await nameOf(source.get())).toBe('second');
    expect(loads.length).toBe(2);
  });

  it('and live for less than 25 minutes are refreshed in the last fifth of their life', async () => {
    const { source, clock, loads, begin } = harness();
    await begin('first', 100_000);
    clock.now += 79_999;
    await source.get();
    expect(loads.length).toBe(1);
    clock.now += 1;
    await source.get();
    expect(loads.length).toBe(2);
  });

  it('are kept when the refresh fails, until they really expire; the failure is logged', async () => {
    const { source, clock, loads, logged, lastsFor, answer, begin } = harness();
    const first = await begin('first', HOUR);
    clock.now += HOUR - 200_000;
    await source.get();
    await answer(new Error('STS is away'));
    expect(logged.join('')).toContain('STS is away');
    expect(await source.get()).toBe(first);
    clock.now += 199_999;
    expect(await source.get()).toBe(first);
    await answer(new Error('still away'));
    clock.now += 1;
    const expired = expect(source.get()).rejects.toThrow('gone for good');
    await answer(new Error('gone for good'));
    await expired;
    const back = source.get();
    await answer(lastsFor('second', HOUR));
    expect(await nameOf(back)).toBe('second');
    expect(loads.length).toBe(5);
  });

  it('are not asked for at every call while the refresh fails', async () => {
    const { source, clock, loads, answer, begin } = harness();
    await begin('first', HOUR);
    clock.now += HOUR - 200_000;
    await source.get();
    await answer(new Error('away'));
    for (let calls = 0; calls < 50; calls += 1) await source.get();
    expect(loads.length).toBe(2);
    clock.now += 1_000;
    await source.get();
    expect(loads.length).toBe(3);
  });

  it('and have expired are never given out; all who ask wait for one refresh, also one already on its way', async () => {
    const { source, clock, loads, lastsFor, answer, begin } = harness();
    await begin('first', HOUR);
    clock.now += HOUR - 1;
    await source.get();
    expect(loads.length).toBe(2);
    clock.now += 1;
    const asked = [source.get(), source.get()];
    expect(loads.length).toBe(2);
    await answer(lastsFor('second', HOUR));
    expect(await Promise.all(asked.map(nameOf))).toEqual(['second', 'second']);
  });
});

describe('credentials that AWS refused', () => {
  it('are replaced, once for all who were refused with them', async () => {
    const { source, clock, loads, lastsFor, answer, begin } = harness();
    const first = await begin('first', HOUR);
    clock.now += 10_000;
    const renewing = [source.renew(first), source.renew(first)];
    await answer(lastsFor('second', HOUR));
    expect(await Promise.all(renewing.map(nameOf))).toEqual(['second', 'second']);
    expect(await nameOf(source.renew(first))).toBe('second');
    expect(await nameOf(source.get())).toBe('second');
    expect(loads.length).toBe(2);
  });

  it('are replaced even where they would never expire', async () => {
    const { source, clock, lastsFor, answer, begin } = harness();
    const first = await begin('first');
    clock.now += 10_000;
    const renewing = source.renew(first);
    await answer(lastsFor('second'));
    expect(await nameOf(renewing)).toBe('second');
  });

  it('are given again where they are younger than five seconds: AWS would give the same', async () => {
    const { source, clock, loads, begin } = harness();
    const first = await begin('first', HOUR);
    clock.now += 4_999;
    expect(await source.renew(first)).toBe(first);
    expect(loads.length).toBe(1);
    clock.now += 1;
    void source.renew(first);
    expect(loads.length).toBe(2);
  });

  it('stay in use where no others can be had, and whoever asked learns why', async () => {
    const { source, clock, answer, begin } = harness();
    const first = await begin('first', HOUR);
    clock.now += 10_000;
    const renewing = expect(source.renew(first)).rejects.toThrow('STS is away');
    await answer(new Error('STS is away'));
    await renewing;
    expect(await source.get()).toBe(first);
  });
});
