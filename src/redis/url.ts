/** Where a Redis is, read from REDIS_URL. */
export interface RedisEndpoint {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** One for `single`; the sentinels; or some nodes of the cluster. IPv6 hosts without brackets. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The name under which the sentinels know the primary. Default `mymaster`. */
  readonly master: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number | undefined;
  readonly tls: boolean;
}

const FORMS =
  'redis://host:port/db, rediss://…, redis+sentinel://host:port,host:port/master/db, ' +
  'redis+cluster://host:port,host:port, or several redis:// nodes separated by commas';

/**
 * Reads one of the forms above; each may carry `user:password@`, percent-encoded. Throws a RangeError that names the
 * forms and never repeats the URL, which may hold a password.
 */
export function parseRedisUrl(text: string): RedisEndpoint {
  const parts = /^(redis|rediss|redis\+sentinel|redis\+cluster):\/\/(.+)$/s.exec(text.trim());
  const [, scheme = '', rest = ''] = parts ?? [];
  const several = rest.split(',').map((node) => node.trim().replace(/^(redis|rediss|redis\+cluster):\/\//, ''));
  const kind =
    scheme === 'redis+sentinel' ? 'sentinel' : scheme === 'redis+cluster' || several.length > 1 ? 'cluster' : 'single';
  const [first = '', ...others] = several;
  const credentials = /^(.*)@/s.exec(first)?.[1];
  const hosts = [first.replace(/^.*@/s, ''), ...others.map((node) => node.replace(/^.*@/s, ''))];
  const path = /\/(.*)$/s.exec(hosts.at(-1) ?? '')?.[1] ?? '';
  const segments = path.split('/');
  const [master = '', database = ''] = kind === 'sentinel' ? segments : ['', segments[0]];
  if (parts === null || !/^\d*$/.test(database ?? '') || segments.length > (kind === 'sentinel' ? 2 : 1))
    throw malformed();
  return {
    kind,
    nodes: hosts.map((host) => nodeOf(host.replace(/\/.*$/s, ''), kind === 'sentinel' ? 26379 : 6379)),
    master: master === '' ? 'mymaster' : master,
    username: decoded(credentials?.split(/:(.*)/s)[0]),
    password: decoded(credentials?.split(/:(.*)/s)[1]),
    database: database === '' || database === undefined ? undefined : Number(database),
    tls: scheme === 'rediss',
  };
}

function nodeOf(text: string, defaultPort: number): { host: string; port: number } {
  if (!/^[^\s/?#]+$/.test(text) || !URL.canParse(`redis://${text}`)) throw malformed();
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? defaultPort : Number(port) };
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed();
  }
}

function malformed(): RangeError {
  return new RangeError(FORMS);
}
