import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { openCluster, openRedis, reconnectDelay } from '../../src/redis/connect.ts';

const lines: string[] = [];
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
const opened: { disconnect(): void }[] = [];
afterEach(() => {
  lines.length = 0;
  for (const connection of opened.splice(0)) connection.disconnect();
});

/** A connection's options; nothing is connected. */
function optionsOf(url: string): object {
  const redis = openRedis({ url, cluster: false }, 'catalog', log);
  opened.push(redis);
  expect(redis.status).toBe('wait');
  return redis.options;
}

describe('a connection to Redis', () => {
  it.each<[string, Record<string, unknown>]>([
    ['redis://localhost', { host: 'localhost', port: 6379, db: 0, username: null, password: null, tls: undefined }],
    ['redis://host:7000/3', { host: 'host', port: 7000, db: 3 }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['redis://user:p%40ss%2Fword@host', { host: 'host', username: 'user', password: 'p@ss/word' }],
    ['redis://:only@host', { username: null, password: 'only' }],
    ['rediss://host', { host: 'host', tls: { servername: 'host' } }],
  ])('at %s', (url, expected) => {
    const options = optionsOf(url);
    for (const [name, value] of Object.entries(expected))
      expect({ [name]: Reflect.get(options, name) }).toEqual({ [name]: value });
  });

  it('through sentinels knows all of them, the master and its database', () => {
    expect(optionsOf('redis+sentinel://user:p%40ss@s1:26379,s2/primary/2')).toMatchObject({
      sentinels: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 26_379 },
      ],
      name: 'primary',
      username: 'user',
      password: 'p@ss',
      db: 2,
    });
    expect(optionsOf('redis+sentinel://s1')).toMatchObject({
      sentinels: [{ host: 's1', port: 26_379 }],
      name: 'mymaster',
    });
  });

  it('shows its name, and keeps no command waiting for ever', () => {
    expect(optionsOf('redis://host')).toMatchObject({ connectionName: 'catalog', maxRetriesPerRequest: 2 });
  });

  it('that cannot be had is reported once, not at every attempt, and without the password', async () => {
    const redis = openRedis({ url: 'redis://:hunter2@127.0.0.1:1', cluster: false }, 'catalog', log, {
      retryStrategy: () => 1,
      maxRetriesPerRequest: null,
    });
    opened.push(redis);
    redis.connect().catch(() => undefined);
    for (let attempts = 0; attempts < 3; attempts += 1) {
      await new Promise<void>((resolve) => redis.once('close', () => resolve()));
    }
    expect(lines.length).toBe(1);
    expect(lines[0]).toContain('ECONNREFUSED');
    expect(lines[0]).not.toContain('hunter2');
  });
});

describe('a connection to a cluster', () => {
  function clusterOf(url: string) {
    const cluster = openCluster({ url, cluster: true }, 'catalog', log);
    opened.push(cluster);
    // What ioredis starts from; it has no public name for it.
    return { nodes: Reflect.get(cluster, 'startupNodes'), options: cluster.options };
  }

  it('starts from every node that is named', () => {
    for (const url of ['redis://a:7000, redis://b', 'redis+cluster://a:7000,redis+cluster://b']) {
      expect(clusterOf(url).nodes).toEqual([
        { host: 'a', port: 7000 },
        { host: 'b', port: 6379 },
      ]);
    }
  });

  it('takes the first node’s credentials, and TLS from the scheme', () => {
    expect(clusterOf('rediss://user:p%40ss@a,rediss://b').options.redisOptions).toMatchObject({
      username: 'user',
      password: 'p@ss',
      tls: {},
    });
    expect(clusterOf('redis://a,redis://b').options.redisOptions).not.toHaveProperty('tls');
  });

  it('reaches nodes by their IPv6 address', () => {
    expect(clusterOf('redis://[::1]:7000,redis://[::1]:7001').nodes).toEqual([
      { host: '::1', port: 7000 },
      { host: '::1', port: 7001 },
    ]);
  });
});

describe('the wait before another attempt', () => {
  it('grows, is jittered by half, and ends at five seconds', () => {
    for (let attempt = 1; attempt < 50; attempt += 1) {
      const full = Math.min(5_000, 50 * 2 ** attempt);
      const waits = Array.from({ length: 50 }, () => reconnectDelay(attempt));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(Math.floor(full / 2));
      expect(Math.max(...waits)).toBeLessThanOrEqual(full);
      expect(new Set(waits).size).toBeGreaterThan(1);
    }
  });
});
