import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';

const PASSWORDS = { WORKER_PASSWORD: 'work $(date) \\x `id` #1', ADMIN_PASSWORD: 'b'.repeat(64) };
/** A connection that has not said who it is, which RESP3 would ask for at once. */
const UNKNOWN = { protocol: 2, enableReadyCheck: false, disableClientInfo: true } as const;
let server: Server;
beforeAll(async () => {
  server = await startRedis({
    program: `${process.cwd()}/deploy/start-redis.sh`,
    env: { PATH: process.env['PATH'], ...PASSWORDS },
  });
});
afterAll(async () => await server?.stop());

async function login(username: string, password: string): Promise<string> {
  const redis = new Redis(server.port, UNKNOWN);
  try {
    return String(await redis.call('AUTH', username, password));
  } catch (error) {
    return String(error);
  } finally {
    redis.disconnect();
  }
}

describe('deploy/start-redis.sh', () => {
  it('lets in those who have a password, by it', async () => {
    expect(await login('cohere-worker', PASSWORDS.WORKER_PASSWORD)).toBe('OK');
    expect(await login('cohere-admin', PASSWORDS.ADMIN_PASSWORD)).toBe('OK');
    expect(await login('cohere-admin', PASSWORDS.WORKER_PASSWORD)).toContain('WRONGPASS');
  });

  it('lets in nobody else: no user without a password, and not the one that every Redis has', async () => {
    for (const password of ['', 'x', 'b'.repeat(64)]) {
      expect(await login('cohere-operator', password)).toContain('WRONGPASS');
      expect(await login('default', password)).toContain('WRONGPASS');
    }
    const anybody = new Redis(server.port, UNKNOWN);
    await expect(anybody.get('x')).rejects.toThrow('NOAUTH');
    anybody.disconnect();
  });

  it('leaves the passwords neither in the environment of Redis nor in what starts it', () => {
    const read = (file: string) => readFileSync(`/proc/${server.processId}/${file}`, 'latin1');
    expect(read('cmdline')).toContain('redis-server');
    for (const file of ['environ', 'cmdline']) {
      const text = read(file);
      for (const password of Object.values(PASSWORDS)) expect(text.includes(password), file).toBe(false);
    }
  });

  it('is healthy by the words of deploy/compose.yaml, and not once it is gone', async () => {
    const { services } = parse(readFileSync('deploy/compose.yaml', 'utf8'), { merge: true });
    const [kind, command] = services.redis.healthcheck.test as [string, string];
    expect(kind).toBe('CMD-SHELL');
    const check = () => spawnSync('sh', ['-c', command.replace('redis-cli', `redis-cli -p ${server.port}`)]).status;
    expect(check()).toBe(0);
    await server.stop();
    expect(check()).not.toBe(0);
  });
});
