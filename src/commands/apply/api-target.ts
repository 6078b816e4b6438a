import { z } from 'zod';
import { type ErrorCode, messageOf, ServiceError } from '../../errors.ts';
import type { ManifestFault, Wanted } from '../../manifests/manifest.ts';
import { manifestOf } from '../../manifests/read-value.ts';
import type { ShownPlan } from '../../manifests/shown-plan.ts';
import type { Terminal } from '../terminal.ts';
import type { Variables } from '../with-redis.ts';
import type { ApplyTarget, Outcome } from './apply-target.ts';

export interface ApiTargetParts {
  /** With or without `/api`. */
  readonly server: string;
  /** Undefined: `BEDROCK_COHERE_KEY_ID`. */
  readonly keyId: string | undefined;
  readonly variables: Variables;
  readonly wanted: Wanted;
  readonly prune: boolean;
  readonly dryRun: boolean;
  readonly terminal: Terminal;
}

/** As long as the server takes for a request. */
const TIMEOUT_MS = 60_000;

const tokenAnswer = z.object({ token: z.string() });
const applyAnswer = z.object({
  digest: z.string(),
  changes: z.array(
    z.object({
      action: z.enum(['create', 'update', 'delete']),
      kind: z.string(),
      name: z.string(),
      before: z.unknown(),
      after: z.unknown(),
      hidden: z.array(z.string()),
      leftBehind: z.boolean(),
    }),
  ),
  kept: z.array(z.object({ kind: z.string(), name: z.string() })),
  warnings: z.array(z.object({ record: z.string(), message: z.string() })),
});
const refusal = z.object({
  message: z.string(),
  faults: z.array(z.object({ record: z.string(), message: z.string() })).optional(),
});

type Answered = ShownPlan & { readonly digest: string };

/**
 * The admin API, as whoever has the access key. First asks what would change, then has that done: where by then something
 * else would change, nothing is. Throws USAGE without a key or with a URL that is none.
 */
export function apiTarget(parts: ApiTargetParts): ApplyTarget {
  const { wanted, prune, dryRun, terminal } = parts;
  const base = baseOf(parts.server);
  const { hostname, protocol, host } = new URL(base);
  const keySecret = parts.variables['BEDROCK_COHERE_KEY_SECRET'] || undefined;
  const keyId = (parts.keyId ?? parts.variables['BEDROCK_COHERE_KEY_ID']) || undefined;
  if (keyId === undefined || keySecret === undefined) {
    throw new ServiceError(
      'USAGE',
      `apply: --server needs an access key: give ${keyId === undefined ? '--key-id or BEDROCK_COHERE_KEY_ID' : 'its secret as BEDROCK_COHERE_KEY_SECRET'}`,
    );
  }
  if (protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) {
    terminal.warn(`${host} is asked over plain http: the secret of the access key can be read on the way`);
  }

  async function post(path: string, body: unknown, token?: string): Promise<{ status: number; value: unknown }> {
    try {
      const response = await fetch(`${base}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { 'x-authorization': token }) },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { status: response.status, value: parsed(await response.text()) };
    } catch (cause) {
      const { message } =
        (cause as { cause?: unknown }).cause instanceof Error
          ? ((cause as Error).cause as Error)
          : { message: messageOf(cause) };
      throw new ServiceError('UNREACHABLE', `The admin API at ${host} cannot be reached (--server): ${message}`, {
        cause,
      });
    }
  }

  async function ask(token: string, more: object): Promise<Answered | readonly ManifestFault[]> {
    const { status, value } = await post('/manifests/apply', { manifest: manifestOf(wanted), prune, ...more }, token);
    const faults = status === 400 ? refusal.safeParse(value).data?.faults : undefined;
    if (faults !== undefined) return faults.map((fault) => placed(fault, wanted));
    const answer = read(applyAnswer, status, value);
    const warnings = answer.warnings.map((warning) => placed(warning, wanted));
    return {
      ...answer,
      changes: answer.changes as Answered['changes'],
      kept: answer.kept as Answered['kept'],
      warnings,
    };
  }

  function read<T>(schema: z.ZodType<T>, status: number, value: unknown): T {
    const answer = status === 200 ? schema.safeParse(value).data : undefined;
    if (answer !== undefined) return answer;
    const message = refusal.safeParse(value).data?.message ?? 'an answer that is none of the admin API';
    throw new ServiceError(codeOf(status), `The admin API at ${host} says ${status}: ${message}`);
  }

  return {
    name: host,
    async bring(agree): Promise<Outcome> {
      const { status, value } = await post('/token', { keyId, keySecret });
      const { token } = read(tokenAnswer, status, value);
      const proposed = await ask(token, { dryRun: true });
      if (!('digest' in proposed)) return { plan: { changes: [], kept: [], warnings: [] }, faults: proposed };
      const plan = proposed;
      if (plan.changes.length === 0 || !(await agree(plan)) || dryRun) return { plan, faults: [] };
      const done = await ask(token, { digest: plan.digest });
      if (!('digest' in done)) return { plan, faults: done };
      return { plan: done, faults: [] };
    },
  };
}

/** `https://host/base`, with or without `/api`, as the prefix of the API's routes. */
function baseOf(server: string): string {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new ServiceError('USAGE', 'apply: --server is a URL that begins with http:// or https://');
  }
  if (url.password !== '') throw new ServiceError('USAGE', 'apply: --server holds no password: give an access key');
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/\/api$/, '')}/api`;
}

function placed({ record, message }: { record: string; message: string }, { places }: Wanted): ManifestFault {
  const place = places.get(record) ?? { file: 'the manifests', line: 1, column: 1 };
  return { ...place, record, message };
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'ACCESS_KEY_INVALID';
  if (status === 403) return 'PERMISSION_DENIED';
  if (status === 409) return 'CATALOG_CHANGED';
  if (status === 429 || status >= 500) return 'UNREACHABLE';
  return 'REQUEST_INVALID';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
