import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config.ts';
import { parseRedisUrl } from '../../src/redis/url.ts';

const read = (file: string) => readFileSync(`deploy/${file}`, 'utf8');
const known = new Set(
  readFileSync('src/config.ts', 'utf8')
    .match(/^ {2}[A-Z]+(?:_[A-Z]+)+(?=:)/gm)
    ?.map((name) => name.trim()),
);
/** A value of each variable that a reader gives; those without one here are left out. */
const GIVEN: Readonly<Record<string, string>> = {
  ...{ WORKER_PASSWORD: 'w0', ADMIN_PASSWORD: 'a0', ENCRYPTION_KEYS: `k1:${Buffer.alloc(32).toString('base64')}` },
  REDIS_URL: 'redis://cohere-worker:w0@redis:6379',
};

it('knows the variables of the configuration', () => {
  expect(known.size).toBeGreaterThan(20);
});

function expectKnown(names: Iterable<string>): void {
  for (const name of names) if (!name.startsWith('AWS_')) expect(known).toContain(name);
}

describe('deploy/compose.yaml', () => {
  interface Service {
    readonly command?: readonly string[];
    readonly environment: Readonly<Record<string, string | null>>;
    readonly volumes?: readonly string[];
    readonly ports?: readonly string[];
    readonly stop_grace_period?: string;
    readonly healthcheck?: { readonly test: readonly string[] };
  }
  const { services } = parse(read('compose.yaml'), { merge: true }) as { services: Record<string, Service> };
  const filledIn = ({ environment }: Service) =>
    Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        // `${NAME}`, `${NAME:-default}`, `${NAME:?what is missing}`.
        value?.replaceAll(
          /\$\{(\w+)(?::([-?])([^}]*))?\}/g,
          (_, variable, kind, text) =>
            GIVEN[variable] ?? (kind === '-' ? text : expect.fail(`${variable} has no value`)),
        ),
      ]),
    );

  it('has Redis, a worker and an admin', () => {
    expect(Object.keys(services)).toEqual(['redis', 'worker', 'admin']);
  });

  it.each(['worker', 'admin'])(
    'gives the %s variables that it knows, in a form that it reads, and its own user',
    (role) => {
      const service = services[role] as Service;
      const environment = filledIn(service);
      expectKnown(Object.keys(environment));
      const config = parseConfig(environment);
      expect(service.command).toEqual([role]);
      expect(parseRedisUrl(config.redis.url)).toMatchObject({
        username: `cohere-${role}`,
        password: GIVEN[`${role.toUpperCase()}_PASSWORD`],
      });
      expect(read('redis-users.acl')).toContain(`user cohere-${role} on `);
      expect(Number.parseInt(service.stop_grace_period ?? '', 10) * 1_000).toBeGreaterThanOrEqual(
        config.tasks.drainTimeoutMs + 10_000,
      );
    },
  );

  it('lets the admin be asked from this machine alone, by the port that its health check asks, too', () => {
    const admin = services['admin'] as Service;
    const config = parseConfig(filledIn(admin));
    expect(admin.ports).toEqual([`127.0.0.1:${config.admin.port}:${config.admin.port}`]);
    expect([config.admin.host, config.httpPort]).toEqual(['0.0.0.0', config.admin.port]);
  });

  it('hands Redis the files of this folder', () => {
    const files = services['redis']?.volumes?.flatMap(
      (volume) => /^\.\/(\S+):\/deploy\/\1:ro$/.exec(volume)?.[1] ?? [],
    );
    expect(files).toEqual(['redis-users.acl', 'start-redis.sh']);
    for (const file of files ?? []) expect(read(file)).not.toBe('');
  });
});

describe.each(['worker', 'admin'])('deploy/kubernetes/%s.yaml', (role) => {
  const documents = parseAllDocuments(read(`kubernetes/${role}.yaml`)).map((document) => {
    expect(document.errors).toEqual([]);
    // biome-ignore lint/suspicious/noExplicitAny: Kubernetes' own shapes.
    return document.toJS() as any;
  });
  const one = (kind: string) => documents.find((document) => document.kind === kind);
  const { spec } = one('Deployment');
  const pod = spec.template.spec;
  const [container] = pod.containers;
  type Variable = { name: string; value?: string; valueFrom?: Record<string, { name?: string; key?: string }> };
  const variables = container.env as Variable[];
  const config = parseConfig(Object.fromEntries(variables.map(({ name, value }) => [name, value ?? GIVEN[name]])));

  it('gives variables that are known, in a form that is read', () => {
    expect(container.args).toEqual([role]);
    expectKnown(variables.map(({ name }) => name));
    expect(config.redis.prefix).toBe('cohere:');
  });

  it('takes whatever is secret from the Secret of this role', () => {
    const secret = ['REDIS_URL', 'ENCRYPTION_KEYS', 'CONDUCTOR_AUTH_KEY', 'CONDUCTOR_AUTH_SECRET'];
    for (const { name, value, valueFrom } of variables.filter((variable) => secret.includes(variable.name))) {
      expect(value).toBeUndefined();
      expect(valueFrom?.['secretKeyRef']).toMatchObject({ name: `bedrock-cohere-${role}`, key: name });
    }
  });

  it('asks for life and readiness where they are told', () => {
    const port = role === 'worker' ? config.httpPort : config.admin.port;
    expect(container.ports).toEqual([{ name: 'http', containerPort: port }]);
    expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'http' });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
    if (role === 'admin') expect(config.admin.host).toBe('0.0.0.0');
  });

  it('leaves the time to stop', () => {
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(config.tasks.drainTimeoutMs + 10_000);
  });

  it('runs without rights, as the user of the image', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(container.securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
    expect(readFileSync('Dockerfile', 'utf8')).toContain('\nUSER node\n');
  });

  it('selects its own pods everywhere', () => {
    const { labels } = spec.template.metadata;
    const selectors = [spec.selector.matchLabels, one('PodDisruptionBudget').spec.selector.matchLabels];
    for (const selector of [...selectors, one('Service')?.spec.selector ?? labels]) expect(selector).toEqual(labels);
    expect(one('PodDisruptionBudget').spec.maxUnavailable).toBeLessThan(spec.replicas);
    if (role === 'admin') expect(one('Service').spec.ports).toEqual([{ name: 'http', port: 8090, targetPort: 'http' }]);
  });
});
