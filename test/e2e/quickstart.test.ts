import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { bareEnvironment } from '../../devservers/cli-from-source.ts';
import { freePort } from '../../devservers/ports.ts';
import { runToEnd } from './support/run.ts';

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.quit());

/** `npm run quickstart -- FLAGS` on free ports, with nothing of our environment. */
async function quickstart(flags: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const ports = await Promise.all(
    ['redis', 'conductor', 'simulator', 'worker'].map(async (name) => [`--${name}-port`, String(await freePort())]),
  );
  return await runToEnd(
    'npm',
    ['run', '--silent', 'quickstart', '--', ...ports.flat(), ...flags],
    bareEnvironment(env),
    170_000,
  );
}

describe('npm run quickstart', () => {
  it('runs the whole of it, shows what came out, and leaves nothing running', { timeout: 180_000 }, async () => {
    const { code, stdout, stderr } = await quickstart([]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/What came out[\s\S]*Simulated answer to[\s\S]*1536 numbers/);
    expect(stdout).toMatch(/The denial[\s\S]*PERMISSION_DENIED[\s\S]*USER:app:intruder may not use/);
    expect(stdout).toMatch(/What to try next/);
  });

  it('uses a Redis and a Conductor that are given, and leaves no key behind', { timeout: 120_000 }, async () => {
    const given = { REDIS_URL: inject('redisUrl'), CONDUCTOR_SERVER_URL: inject('conductorUrl') };
    const { code, stdout } = await quickstart([], given);
    expect(code).toBe(0);
    expect(stdout).toContain('Your Redis is used');
    expect(stdout).not.toMatch(/✔ Redis on port|✔ Conductor on port/);
    expect(await redis.keys('quickstart:*')).toEqual([]);
  });

  it('says in one line which port is taken and what to do', async () => {
    const blocker = createServer();
    const port = await new Promise<number>((resolve) =>
      blocker.listen(0, '127.0.0.1', () => resolve((blocker.address() as { port: number }).port)),
    );
    try {
      const { code, stderr } = await quickstart(['--simulator-port', String(port)]);
      expect(code).toBe(3);
      expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(new RegExp(`${port}.*--simulator-port`))]);
    } finally {
      blocker.close();
    }
  });

  it('knows its flags', async () => {
    expect(await quickstart(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--keep') });
    expect(await quickstart(['--kep'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/--kep/) });
  });
});
