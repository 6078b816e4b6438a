import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, expect, inject, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type {} from '../../support/redis-for-all.ts';
import { freshPrefix, MODEL, startCatalog, until } from '../support/live-catalog.ts';

describe('a catalog', () => {
  it('is read and followed by a user of Redis who may write nothing of it', async () => {
    const redis = new Redis(inject('redisUrl'));
    const prefix = freshPrefix();
    const name = `reader-${randomBytes(3).toString('hex')}`;
    const run = `~${prefix}run:*`;
    await redis.acl('SETUSER', name, 'reset', 'on', '>sesame', '+@all', '&*', `%R~${prefix}*`, run);
    const url = new URL(inject('redisUrl'));
    [url.username, url.password] = [name, 'sesame'];
    try {
      await redis.hset(`${prefix}models`, 'main:first', MODEL);
      await using under = await startCatalog(inject('redisUrl'), { prefix, url: url.href, earsUrl: url.href });
      expect(under.current().model('main', 'first').kind).toBe('found');
      await redis.hset(`${prefix}models`, 'main:second', MODEL);
      await until(() => under.current().model('main', 'second').kind === 'found');
      await expect(under.redis.hset(`${prefix}models`, 'main:third', '{}')).rejects.toThrow('NOPERM');
    } finally {
      await redis.acl('DELUSER', name);
      redis.disconnect();
    }
  });

  it('is read from a Redis that knows no scripts that only read', async () => {
    const server = await startRedis({
      args: ['--rename-command', 'EVALSHA_RO', '', '--rename-command', 'EVAL_RO', ''],
    });
    try {
      await using under = await startCatalog(server.url);
      await under.other.hset(under.names.hash('models'), 'main:first', MODEL);
      await until(() => under.current().model('main', 'first').kind === 'found');
    } finally {
      await server.stop();
    }
  });
});
