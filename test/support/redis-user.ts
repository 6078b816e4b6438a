import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { aclRules, redisUser, type UserRole } from '../../src/redis/users.ts';

/**
 * The URL by which a process of that role connects to this Redis: as a new user with the role's rights on the prefix and
 * no others, so that every test of it shows that they are enough.
 */
export async function redisUrlAs(role: UserRole, redisUrl: string, prefix: string): Promise<string> {
  const [name, password] = [`${role}-${randomBytes(4).toString('hex')}`, randomBytes(8).toString('hex')];
  const redis = new Redis(redisUrl);
  try {
    await redis.call('ACL', 'SETUSER', name, `>${password}`, ...aclRules(redisUser(role, { prefix, cluster: false })));
  } finally {
    redis.disconnect();
  }
  const url = new URL(redisUrl);
  [url.username, url.password] = [name, password];
  return url.href;
}
