/**
 * A real admin server of a test's own: a process, its port, and a client that speaks to it as somebody. It connects as a user of
 * Redis that may no more than an admin must.
 */
import { randomBytes } from 'node:crypto';
import { freePort } from '../../devservers/ports.ts';
import { type RunningCli, startCli, waitForReady } from './cli.ts';
import { encryptionKeys } from './encryption-keys.ts';
import { redisUrlAs } from './redis-user.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined where it is empty or none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly body: any;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Somebody who calls the API with a token, or without one. */
export interface Client {
  readonly token: string | undefined;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  get(path: string): Promise<Answer>;
  /** `body` as JSON; a string goes as text. */
  post(path: string, body?: unknown): Promise<Answer>;
  put(path: string, body?: unknown): Promise<Answer>;
  delete(path: string, body?: unknown): Promise<Answer>;
}

export interface RunningAdmin {
  readonly cli: RunningCli;
  readonly env: NodeJS.ProcessEnv;
  readonly prefix: string;
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** The bootstrapped administrator. */
  readonly admin: Client;
  readonly adminKey: { readonly id: string; readonly secret: string };
  client(token?: string): Client;
  /** An application with these roles and an access key of its own, as somebody who calls the API. */
  somebody(name: string, roles?: readonly string[]): Promise<Somebody>;
  /** Another server over the same records, as the same administrator. */
  replica(more?: NodeJS.ProcessEnv): Promise<Replica>;
  stop(): Promise<void>;
}

export interface Replica {
  readonly cli: RunningCli;
  readonly url: string;
  readonly admin: Client;
  stop(): Promise<void>;
}

export interface Somebody extends Client {
  readonly applicationId: string;
  readonly userId: string;
  readonly key: { readonly id: string; readonly secret: string };
}

export async function startAdminServer(redisUrl: string, more: NodeJS.ProcessEnv = {}): Promise<RunningAdmin> {
  const prefix = more['REDIS_PREFIX'] ?? `admin_${randomBytes(4).toString('hex')}:`;
  const port = await freePort();
  const env = {
    REDIS_URL: await redisUrlAs('admin', redisUrl, prefix),
    REDIS_PREFIX: prefix,
    ENCRYPTION_KEYS: encryptionKeys('k1'),
    ADMIN_PORT: String(port),
    ...more,
  };
  const bootstrapped = await startCli(['bootstrap', '--output', 'json'], env);
  await bootstrapped.exited;
  const adminKey = JSON.parse((await bootstrapped.lines()).at(-1) ?? '{}') as { id: string; secret: string };
  if (adminKey.secret === undefined) throw new Error(`bootstrap failed: ${await bootstrapped.stderr()}`);
  await bootstrapped.remove();
  const { cli, url, stop } = await startProcess(env, port);
  const client = (token?: string): Client => clientAt(url, token);
  const admin = client(await tokenFor(client(), adminKey));
  return {
    cli,
    env,
    prefix,
    url,
    admin,
    adminKey,
    client,
    async somebody(name, roles = []) {
      const { body: application } = await admin.post('/api/applications', { name });
      for (const role of roles) await admin.post(`/api/applications/${application.id}/roles/${role}`);
      const { body: key } = await admin.post(`/api/applications/${application.id}/accessKeys`);
      const own = client(await tokenFor(client(), key));
      return { ...own, applicationId: application.id, userId: `app:${application.id}`, key };
    },
    async replica(others = {}) {
      const otherPort = await freePort();
      const other = await startProcess({ ...env, ...others, ADMIN_PORT: String(otherPort) }, otherPort);
      return { ...other, admin: clientAt(other.url, admin.token) };
    },
    stop,
  };
}

async function startProcess(env: NodeJS.ProcessEnv, port: number) {
  const cli = await startCli(['admin'], env);
  await waitForReady(cli, port);
  return {
    cli,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      if (cli.exit() === undefined) await cli.stop();
      await cli.remove();
    },
  };
}

export async function tokenFor(
  anybody: Client,
  { id, secret }: { readonly id: string; readonly secret: string },
  more: object = {},
): Promise<string> {
  const answer = await anybody.post('/api/token', { keyId: id, keySecret: secret, ...more });
  if (answer.status !== 200) throw new Error(`no token: ${answer.text}`);
  return answer.body.token;
}

function clientAt(url: string, token: string | undefined): Client {
  async function call(method: string, path: string, { body, headers = {} }: CallOptions = {}): Promise<Answer> {
    const isText = typeof body === 'string';
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { 'x-authorization': token }),
        ...(body === undefined ? {} : { 'content-type': isText ? 'text/plain' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parsed(text) };
  }
  return {
    token,
    call,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, { body }),
    put: (path, body) => call('PUT', path, { body }),
    delete: (path, body) => call('DELETE', path, { body }),
  };
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
