/** A catalog under a prefix of its own, the commands as an administrator runs them on it, and a folder for manifests. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { inject } from 'vitest';
import { bareEnvironment, cliFromSource } from '../../../devservers/cli-from-source.ts';
import { type HashKind, type KeyNames, keyNames } from '../../../src/redis/keys.ts';
import { type CliResult, runCli } from '../../support/cli.ts';
import type {} from '../../support/redis-for-all.ts';
import { freshPrefix } from '../support/live-catalog.ts';

export interface Installation extends AsyncDisposable {
  readonly redis: Redis;
  readonly names: KeyNames;
  readonly env: NodeJS.ProcessEnv;
  /** Writes a record as redis-cli would; a string goes in as it is. */
  put(kind: HashKind, name: string, record: unknown): Promise<void>;
  /** Writes a manifest; answers its path. */
  manifest(name: string, text: string): Promise<string>;
  run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<CliResult>;
  /** `apply -f FILE…` with one manifest of this text. */
  apply(text: string, ...options: string[]): Promise<CliResult>;
  /** Everything that Redis holds under the prefix, to compare. */
  contents(): Promise<Record<string, unknown>>;
}

export async function install({ url = inject('redisUrl') } = {}): Promise<Installation> {
  const redis = new Redis(url);
  const names = keyNames(freshPrefix());
  const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-manifests-'));
  const env = { REDIS_URL: url, REDIS_PREFIX: names.prefix };
  const run: Installation['run'] = (args, more) => runCli(args, { ...env, ...more });
  async function manifest(name: string, content: string): Promise<string> {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  }
  return {
    redis,
    names,
    env,
    async put(kind, name, record) {
      await redis.hset(names.hash(kind), name, typeof record === 'string' ? record : JSON.stringify(record));
    },
    manifest,
    run,
    apply: async (content, ...options) => run(['apply', '-f', await manifest('m.yaml', content), ...options]),
    async contents() {
      const all: Record<string, unknown> = {};
      for (const key of (await redis.keys(`${names.prefix}*`)).sort()) {
        const type = await redis.type(key);
        // What changed, which another change does not undo.
        if (type === 'stream') continue;
        const read = { hash: () => redis.hgetall(key), set: async () => (await redis.smembers(key)).sort() }[type];
        all[key.slice(names.prefix.length)] = read === undefined ? await redis.get(key) : await read();
      }
      return all;
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The JSON value on the last line of stdout. */
export function resultOf<Result>({ stdout, stderr }: CliResult): Result {
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(last) as Result;
  } catch {
    throw new Error(`no JSON on the last line of stdout: ${stdout}\n${stderr}`);
  }
}

/** Runs a command that reads its standard input. */
export async function runWithInput(args: readonly string[], env: NodeJS.ProcessEnv, input: string): Promise<CliResult> {
  const { command, args: all } = cliFromSource(args);
  const child = spawn(command, all, { env: bareEnvironment(env) });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

/** Runs a command on a terminal (`script` of util-linux makes one), typing an answer once something asks `[y/N]`. */
export async function runOnTerminal(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  answer = '',
): Promise<{ code: number | null; shown: string }> {
  const { command, args: all } = cliFromSource(args);
  const line = [command, ...all].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], { env: bareEnvironment({ SHELL: '/bin/sh', ...env }) });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let shown = '';
  child.stdout.on('data', (piece: Buffer) => {
    if (!shown.includes('[y/N]') && (shown + piece).includes('[y/N]')) child.stdin.write(`${answer}\n`);
    shown += piece;
  });
  const code = await ended;
  return { code, shown };
}

export const INTEGRATION = {
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
};
