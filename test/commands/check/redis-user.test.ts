import { describe, expect, it } from 'vitest';
import { checkRedisUser } from '../../../src/commands/check/redis-user.ts';

describe('REDIS_URL', () => {
  it.each([
    'redis://redis.internal',
    'redis://10.0.0.7:6379/2',
    'rediss://redis.internal',
    'redis://default@redis.internal',
    'redis+sentinel://sentinel:26379/mymaster',
    'redis+cluster://node-1:6379,node-2:6379',
    'redis://localhost:1,redis://node-2:1',
    'redis://127.0.0.1.example.com',
    'redis://[fe80::1]:6379',
  ])('%s lets everybody in who reaches it, or nobody: a warning', (url) => {
    expect(checkRedisUser(url)).toEqual([
      expect.objectContaining({ severity: 'warning', key: 'environment', field: 'REDIS_URL' }),
    ]);
  });

  it.each([
    'redis://localhost:6379',
    'redis://127.0.0.1:6379',
    'redis://127.1.2.3',
    'redis://[::1]:6379',
    'redis://:sesame@redis.internal',
    'redis://cohere-worker:sesame@redis.internal',
    'redis://cohere-worker@redis.internal',
  ])('%s is of this machine, or names somebody', (url) => {
    expect(checkRedisUser(url)).toEqual([]);
  });

  it('is not repeated, for it may hold more than where Redis is', () => {
    expect(JSON.stringify(checkRedisUser('redis://default@redis.internal/7'))).not.toContain('redis.internal');
  });
});
