import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { UserRole } from '../../../src/redis/users.ts';

/** What is sent to a Redis, by whom: read from MONITOR, where each of our connections says its name. */
export interface SentCommands {
  /** As an ACL calls them: `hset`, `client|id`. Those that a script asked for, too. */
  of(role: UserRole): ReadonlySet<string>;
  /** Commands of ours that run meanwhile connect as this user. One at a time. */
  during<T>(role: UserRole, run: () => Promise<T>): Promise<T>;
  stop(): void;
}

const SERVERS: Readonly<Record<string, UserRole>> = { 'bedrock-cohere': 'worker', 'bedrock-cohere-admin': 'admin' };
const WITH_SUBCOMMANDS = new Set(['client', 'cluster', 'acl', 'config', 'script']);

export async function watchSentCommands(redis: Redis): Promise<SentCommands> {
  const monitor = await redis.duplicate().monitor();
  const sent = new Map<UserRole, Set<string>>();
  /** What connections sent that have not yet said who they are. */
  const unnamed = new Map<string, Set<string>>();
  const roles = new Map<string, UserRole>();
  const fences = new Map<string, () => void>();
  let ofCommands: UserRole | undefined;
  let last = '';

  monitor.on('monitor', (_time: string, [name = '', ...args]: string[], source: string) => {
    const command = name.toLowerCase();
    // What a script asks for follows it at once: Redis does nothing else meanwhile.
    const from = source === 'lua' ? last : source;
    last = from;
    if (command === 'echo') fences.get(args[0] ?? '')?.();
    const whole = WITH_SUBCOMMANDS.has(command) ? `${command}|${args[0]?.toLowerCase()}` : command;
    if (whole === 'client|setname') {
      const role =
        args[1] === 'bedrock-cohere-cli' ? ofCommands : SERVERS[(args[1] ?? '').replace(/-(runtime|ears)$/, '')];
      if (role === undefined) throw new Error(`an unknown connection: ${args[1]}`);
      // The system gives a port of a connection that has ended to another.
      roles.set(from, role);
      for (const earlier of unnamed.get(from) ?? []) addTo(sent, role, earlier);
      unnamed.delete(from);
    }
    const role = roles.get(from);
    if (role === undefined) addTo(unnamed, from, whole);
    else addTo(sent, role, whole);
  });

  /** Everything that Redis has done until now has been heard. */
  async function heard(): Promise<void> {
    const text = randomUUID();
    const seen = new Promise<void>((resolve) => fences.set(text, resolve));
    await redis.echo(text);
    await seen;
  }

  return {
    of: (role) => sent.get(role) ?? new Set(),
    async during(role, run) {
      ofCommands = role;
      const result = await run();
      await heard();
      ofCommands = undefined;
      return result;
    },
    stop: () => monitor.disconnect(),
  };
}

function addTo<Key>(all: Map<Key, Set<string>>, key: Key, command: string): void {
  all.set(key, (all.get(key) ?? new Set()).add(command));
}
