import { isIPv4 } from 'node:net';
import { parseRedisUrl } from '../../redis/url.ts';
import type { Finding } from './finding.ts';

/** Who can write Redis decides who may do what: on another machine it should not be open to everybody. */
export function checkRedisUser(url: string): Finding[] {
  const { nodes, username = 'default', password } = parseRedisUrl(url);
  if (username !== 'default' || password !== undefined || nodes.every(({ host }) => isLoopback(host))) return [];
  const message =
    'names no user and no password: if it is let in so, whoever reaches that Redis may grant themselves everything. ' +
    'Give each part a user of its own: bedrock-cohere acl';
  return [{ severity: 'warning', key: 'environment', field: 'REDIS_URL', message }];
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
