import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';

const SCRIPT = `${process.cwd()}/deploy/start-redis.sh`;
const PASSWORDS = { WORKER_PASSWORD: 'work $(date) \\x `id` #1', ADMIN_PASSWORD: 'b'.repeat(64) };
/** A connection that has not said who it is, which RESP3 would ask for at once. */
const UNKNOWN = { protocol: 2, enableReadyCheck: false, disableClientInfo: true } as const;
let server: Server;
beforeAll(async () => {
  server = await startRedis({
    program: SCRIPT,
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

  it('hands passwords on neither in the environment nor in an argument nor in the file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-start-'));
    // In the place of Redis, which overwrites what /proc shows of its environment.
    await writeFile(join(folder, 'redis-server'), '#!/bin/sh\nenv\necho "$@"\ncat "$2"\n', { mode: 0o755 });
    const PATH = `${folder}:${process.env['PATH']}`;
    const { stdout } = spawnSync(SCRIPT, ['--port', '1'], { env: { PATH, ...PASSWORDS }, encoding: 'utf8' });
    expect(stdout).toMatch(/^--aclfile \S+ --port 1$/m);
    expect(stdout).toMatch(/^user cohere-worker #[0-9a-f]{64} on resetkeys %R~/m);
    for (const password of Object.values(PASSWORDS)) expect(stdout).not.toContain(password);
    await rm(folder, { recursive: true });
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
