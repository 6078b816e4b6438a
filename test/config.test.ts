import { describe, expect, it } from 'vitest';
import { parseConfig } from '../src/config.ts';
import { ServiceError } from '../src/errors.ts';

function faultOf(variables: Record<string, string | undefined>): string {
  try {
    parseConfig(variables);
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', retryable: false });
    return (error as ServiceError).message;
  }
  return '';
}

const KEY = Buffer.alloc(32, 7).toString('base64');

describe('an empty environment', () => {
  it('means the documented defaults', () => {
    const config = parseConfig({});
    expect(config).toMatchObject({
      conductor: { apiUrl: 'http://localhost:8080/api', auth: undefined },
      tasks: {
        served: [
          { type: 'LLM_TEXT_COMPLETE', queue: 'LLM_TEXT_COMPLETE' },
          { type: 'LLM_CHAT_COMPLETE', queue: 'LLM_CHAT_COMPLETE' },
          { type: 'LLM_GENERATE_EMBEDDINGS', queue: 'LLM_GENERATE_EMBEDDINGS' },
          { type: 'LLM_RERANK', queue: 'LLM_RERANK' },
        ],
        domain: undefined,
        registerDefinitions: 'all',
        maxInFlight: 256,
        drainTimeoutMs: 25_000,
      },
      redis: { prefix: 'cohere:', cluster: false },
      secrets: { filesDir: undefined },
      access: { mode: 'enforce', sources: ['token', 'creator', 'application'] },
      httpPort: 9464,
    });
    expect(config.workerLabel).toMatch(/^[\w.@-]+$/);
  });

  it('is what variables that are set to nothing come to', () => {
    const names = ['CONDUCTOR_SERVER_URL', 'CONDUCTOR_AUTH_KEY', 'TASK_TYPES', 'HTTP_PORT', 'ENCRYPTION_KEYS'];
    expect(parseConfig(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(parseConfig({}));
  });

  it('may hold variables of other programs', () => {
    expect(parseConfig({ PATH: '/bin', AWS_REGION: 'us-east-1', MAX_INFLIGHT: 'x' })).toEqual(parseConfig({}));
  });
});

describe('the configuration', () => {
  it('is frozen to its depths', () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(parseConfig({}))).toBe(true);
    expect(frozen(parseConfig({ TASK_TYPES: 'LLM_TEXT_COMPLETE', SUBJECT_SOURCES: 'token' }))).toBe(true);
  });

  it('does not follow the environment it was read from', () => {
    const variables = { HTTP_PORT: '1' };
    const config = parseConfig(variables);
    variables.HTTP_PORT = '2';
    expect(config.httpPort).toBe(1);
  });
});

describe('faults', () => {
  it('are named all at once, each with its variable', () => {
    const fault = faultOf({
      CONDUCTOR_SERVER_URL: 'conductor',
      TASK_TYPES: 'LLM_TEXT',
      TASK_DOMAIN: 'a b',
      REGISTER_TASK_DEFINITIONS: 'some',
      REDIS_URL: 'http://redis',
      ENCRYPTION_KEYS: 'x',
      MAX_IN_FLIGHT: '0',
      WORKER_ID: 'a b',
      DRAIN_TIMEOUT_MS: '-1',
      SUBJECT_SOURCES: 'toke',
      RBAC_MODE: 'on',
      HTTP_PORT: '65536',
      LOG_LEVEL: 'loud',
    });
    for (const name of [
      'CONDUCTOR_SERVER_URL',
      'TASK_TYPES',
      'TASK_DOMAIN',
      'REGISTER_TASK_DEFINITIONS',
      'REDIS_URL',
      'ENCRYPTION_KEYS',
      'MAX_IN_FLIGHT',
      'WORKER_ID',
      'DRAIN_TIMEOUT_MS',
      'SUBJECT_SOURCES',
      'RBAC_MODE',
      'HTTP_PORT',
      'LOG_LEVEL',
    ]) {
      expect(fault).toContain(`${name}: `);
    }
  });

  it('between variables are named together with those of single ones', () => {
    const fault = faultOf({ CONDUCTOR_AUTH_KEY: 'key', REDIS_URL: 'redis://a,redis://b', RBAC_MODE: 'on' });
    expect(fault).toContain('RBAC_MODE: ');
    expect(fault).toContain('CONDUCTOR_AUTH_SECRET: ');
    expect(fault).toContain('REDIS_PREFIX: ');
  });

  it.each(['1e3', '0x10', '1.5', ' 1', '+1', 'NaN', '-1', '10001'])(
    'MAX_IN_FLIGHT=%j is no number of tasks',
    (text) => {
      expect(faultOf({ MAX_IN_FLIGHT: text })).toContain('MAX_IN_FLIGHT');
    },
  );
});

describe('ADMIN_TRUSTED_PROXIES', () => {
  const trusted = (text: string) => parseConfig({ ADMIN_TRUSTED_PROXIES: text }).admin.trustedProxies;

  it('are addresses and ranges; by default nobody is believed', () => {
    expect(parseConfig({}).admin.trustedProxies).toEqual([]);
    expect(trusted('10.0.0.1, 192.168.0.0/16,::1,fd00::/8')).toEqual(['10.0.0.1', '192.168.0.0/16', '::1', 'fd00::/8']);
  });

  it.each([
    'proxy.example.com',
    '10.0.0',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0.0/8/8',
    '10.0.0.0/x',
    '10.0.0.1,',
    'fe80::1%eth0',
    'true',
    '1',
  ])('of another form are a fault: %s', (text) => {
    expect(() => trusted(text)).toThrow(/ADMIN_TRUSTED_PROXIES: "[^"]*" is not an address, or a range/);
  });

  it('are not everybody, and every fault is said', () => {
    expect(() => trusted('0.0.0.0/0')).toThrow('ADMIN_TRUSTED_PROXIES: "0.0.0.0/0" would believe everybody');
    expect(() => trusted('::/0, x')).toThrow(/"::\/0" would believe everybody.*"x" is not/);
  });
});

describe('Conductor', () => {
  it.each([
    ['http://conductor:8080', 'http://conductor:8080/api'],
    ['http://conductor:8080/', 'http://conductor:8080/api'],
    ['http://conductor:8080/api', 'http://conductor:8080/api'],
    ['http://conductor:8080/api//', 'http://conductor:8080/api'],
    ['https://host/conductor', 'https://host/conductor/api'],
    ['https://host/conductor/api', 'https://host/conductor/api'],
    ['https://api', 'https://api/api'],
    ['https://host/myapi', 'https://host/myapi/api'],
  ])('at %s has its API at %s', (given, apiUrl) => {
    expect(parseConfig({ CONDUCTOR_SERVER_URL: given }).conductor.apiUrl).toBe(apiUrl);
  });

  it.each(['conductor:8080', '//conductor', 'ftp://conductor', 'http://'])('is not at %s', (given) => {
    expect(faultOf({ CONDUCTOR_SERVER_URL: given })).toContain('CONDUCTOR_SERVER_URL: a URL that begins with http');
  });

  it('takes key and secret together or not at all, and says which is missing, never the other', () => {
    const both = { CONDUCTOR_AUTH_KEY: 'my-key', CONDUCTOR_AUTH_SECRET: 'my-secret' };
    expect(parseConfig(both).conductor.auth).toEqual({ keyId: 'my-key', keySecret: 'my-secret' });
    const withoutKey = faultOf({ ...both, CONDUCTOR_AUTH_KEY: '' });
    expect(withoutKey).toContain('CONDUCTOR_AUTH_KEY: missing');
    expect(withoutKey).not.toContain('my-secret');
    expect(faultOf({ ...both, CONDUCTOR_AUTH_SECRET: undefined })).toContain('CONDUCTOR_AUTH_SECRET: missing');
  });
});

describe('TASK_TYPES', () => {
  it('serves just what it names, under another name where it gives one', () => {
    expect(parseConfig({ TASK_TYPES: ' LLM_GENERATE_EMBEDDINGS ' }).tasks.served).toEqual([
      { type: 'LLM_GENERATE_EMBEDDINGS', queue: 'LLM_GENERATE_EMBEDDINGS' },
    ]);
    expect(
      parseConfig({ TASK_TYPES: 'LLM_TEXT_COMPLETE=my_llm, LLM_TEXT_COMPLETE = other ,LLM_TEXT_COMPLETE' }).tasks
        .served,
    ).toEqual(['my_llm', 'other', 'LLM_TEXT_COMPLETE'].map((queue) => ({ type: 'LLM_TEXT_COMPLETE', queue })));
  });

  it.each([
    ['LLM_TEXT_COMPLET', /Did you mean "LLM_TEXT_COMPLETE"/],
    ['LLM_TEXT_COMPLETE=', /not TYPE or TYPE=/],
    ['LLM_TEXT_COMPLETE=a=b', /not TYPE or TYPE=/],
    ['=a', /not TYPE or TYPE=/],
    ['LLM_TEXT_COMPLETE,', /not TYPE or TYPE=/],
    ['LLM_TEXT_COMPLETE=x,LLM_GENERATE_EMBEDDINGS=x', /"x" is named twice/],
    ['LLM_TEXT_COMPLETE,LLM_TEXT_COMPLETE', /named twice/],
  ])('is at fault with %j', (text, fault) => {
    expect(faultOf({ TASK_TYPES: text })).toMatch(fault);
  });
});

describe('Redis', () => {
  const SENTINELS = 'redis+sentinel://user:password@s1:26379,s2:26379/master/2';

  it.each([
    ['redis://localhost:6379/2', false],
    ['rediss://user:password@host', false],
    ['redis+sentinel://host:26379/master', false],
    [SENTINELS, false],
    ['redis+cluster://a:7000', true],
    ['redis://a:7000,redis://b:7000', true],
    ['rediss://a:7000, rediss://b:7000', true],
    ['redis+cluster://a:7000,b:7001', true],
  ])('at %s: cluster %s', (url, cluster) => {
    expect(parseConfig({ REDIS_URL: url, REDIS_PREFIX: '{cohere}:' }).redis).toEqual({
      url,
      cluster,
      prefix: '{cohere}:',
    });
  });

  it.each([
    'localhost:6379',
    'http://redis',
    'redis://a b',
    'redis://a,',
    'redis://h/abc',
    'redis://u:%zz@h',
    'redis+unix://x',
  ])('is not at %s', (url) => {
    expect(faultOf({ REDIS_URL: url, REDIS_PREFIX: '{cohere}:' })).toContain('REDIS_URL: ');
  });

  it('is not repeated with its password', () => {
    expect(faultOf({ REDIS_URL: 'redi://user:hunter2@host' })).not.toContain('hunter2');
  });

  // Redis hashes what stands between the first { and the first } after it, the whole key where that is nothing.
  it.each(['cohere:', '{}:', '{cohere:', 'cohere}:', '}cohere{:', '{}{cohere}:'])(
    'on Cluster needs a hash tag, which the prefix %s does not hold',
    (prefix) => {
      expect(faultOf({ REDIS_URL: 'redis+cluster://a', REDIS_PREFIX: prefix })).toContain('REDIS_PREFIX: ');
      expect(faultOf({ REDIS_URL: 'redis://a', REDIS_PREFIX: prefix })).toBe('');
    },
  );

  it.each(['{cohere}:', 'my{cohere}:', '}{cohere}:'])('on Cluster takes the prefix %s', (prefix) => {
    expect(faultOf({ REDIS_URL: 'redis://a,redis://b', REDIS_PREFIX: prefix })).toBe('');
  });
});

describe('ENCRYPTION_KEYS', () => {
  it('are an id and 32 bytes each', () => {
    expect(faultOf({ ENCRYPTION_KEYS: `k1:${KEY}` })).toBe('');
    expect(faultOf({ ENCRYPTION_KEYS: `k2:${KEY}, k1:${KEY}` })).toBe('');
  });

  it.each([
    KEY,
    `:${KEY}`,
    `k 1:${KEY}`,
    'k1:',
    `k1:${Buffer.alloc(31, 7).toString('base64')}`,
    `k1:${Buffer.alloc(33, 7).toString('base64')}`,
    'k1:hunter2-hunter2-hunter2',
    `k1=${KEY}`,
  ])('are at fault with %s, by the place of the entry, never the key', (entry) => {
    const fault = faultOf({ ENCRYPTION_KEYS: `k0:${KEY},${entry}` });
    expect(fault).toContain('ENCRYPTION_KEYS: entry 2 is not id:base64key');
    expect(fault).not.toContain(KEY);
    expect(fault).not.toContain('hunter2');
    expect(fault).not.toContain(Buffer.alloc(31, 7).toString('base64').slice(0, 8));
  });
});

describe('who runs a task', () => {
  it('is asked of the sources that are named, in their order', () => {
    expect(parseConfig({ SUBJECT_SOURCES: 'owner, token' }).access.sources).toEqual(['owner', 'token']);
    expect(faultOf({ SUBJECT_SOURCES: 'token,admin' })).toContain('"admin" is not one of');
    expect(faultOf({ SUBJECT_SOURCES: 'token,' })).toContain('SUBJECT_SOURCES: ');
  });

  it.each(['enforce', 'audit', 'off'])('may be judged with RBAC_MODE=%s', (mode) => {
    expect(parseConfig({ RBAC_MODE: mode }).access.mode).toBe(mode);
  });

  it.each(['Enforce', 'ENFORCE', 'false', 'disabled'])('is never left open by a slip: RBAC_MODE=%s', (mode) => {
    expect(faultOf({ RBAC_MODE: mode })).toContain('RBAC_MODE: ');
  });
});
