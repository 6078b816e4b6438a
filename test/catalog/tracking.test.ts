import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { followChanges } from '../../src/catalog/tracking.ts';
import { keyNames } from '../../src/redis/keys.ts';
import { createLog } from '../../src/telemetry/log.ts';

const replyError = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });

/** Two connections to a Redis that answers each command one turn later and knows the rules of RESP2 tracking. */
function fakeConnections() {
  let subscribed = false;
  let redirect: string | undefined;
  const answer = async <T>(act: () => T): Promise<T> => {
    await turn();
    return act();
  };
  const ears = Object.assign(new EventEmitter(), {
    status: 'ready',
    unsubscribe: () =>
      answer(() => {
        subscribed = false;
      }),
    subscribe: () =>
      answer(() => {
        subscribed = true;
      }),
    client: () =>
      answer(() => {
        if (subscribed) throw replyError("ERR Can't execute 'client': only (P|S)SUBSCRIBE are allowed in this context");
        return 42;
      }),
  });
  const redis = Object.assign(new EventEmitter(), {
    status: 'ready',
    call: (...args: string[]) =>
      answer(() => {
        if (args[2] === 'ON' && redirect !== undefined)
          throw replyError("ERR Prefix 'x' overlaps with an existing prefix 'x'");
        redirect = args[2] === 'ON' ? args[4] : undefined;
      }),
  });
  const cut = () => {
    [subscribed, redirect] = [false, undefined];
  };
  return { ears, redis, cut, state: () => ({ subscribed, redirect }) };
}

function follow(fake: ReturnType<typeof fakeConnections>) {
  const heard: string[] = [];
  const followed = followChanges({
    redis: fake.redis as unknown as Redis,
    ears: fake.ears as unknown as Redis,
    names: keyNames('x:'),
    log: createLog('silent'),
    onListening: () => void heard.push('listening'),
    onDeaf: () => void heard.push('deaf'),
    onChange: () => undefined,
    onRefused: () => void heard.push('refused'),
  });
  return { heard, ...followed };
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await turn();
}

describe('connections that come back', () => {
  it('are set up once both are ready', async () => {
    const fake = fakeConnections();
    fake.ears.status = 'connecting';
    const { heard, start } = follow(fake);
    start();
    await turns(20);
    expect(heard).toEqual([]);
    fake.ears.status = 'ready';
    fake.ears.emit('ready');
    await turns(20);
    expect(heard).toEqual(['listening']);
    expect(fake.state()).toEqual({ subscribed: true, redirect: '42' });
  });

  it.each([0, 1, 2, 3, 4, 5, 6])(
    'one %i turns after the other, are followed: neither set-up trips over the other',
    async (later) => {
      const fake = fakeConnections();
      const { heard, start } = follow(fake);
      start();
      await turns(20);
      fake.cut();
      fake.redis.emit('close');
      fake.redis.emit('ready');
      await turns(later);
      fake.ears.emit('close');
      fake.ears.emit('ready');
      await turns(40);
      expect(heard).not.toContain('refused');
      expect(heard.at(-1)).toBe('listening');
      expect(fake.state()).toEqual({ subscribed: true, redirect: '42' });
    },
  );

  it('say nothing more once stopped', async () => {
    const fake = fakeConnections();
    const { heard, start, stop } = follow(fake);
    start();
    stop();
    fake.redis.emit('close');
    await turns(20);
    expect(heard).toEqual([]);
  });
});
