import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { z } from 'zod';
import { messageOf, ServiceError } from './errors.ts';
import { describeFaults, didYouMean, type Fault, parseValue } from './parsing.ts';
import { parseSubject, type Subject } from './rbac/subject.ts';
import { SUBJECT_SOURCES, type SubjectSource } from './rbac/task-subject.ts';
import { parseRedisUrl } from './redis/url.ts';
import { type Keyring, parseKeyring } from './secrets/keyring.ts';
import { TASK_TYPES, type TaskType } from './task-types.ts';

export { TASK_TYPES, type TaskType };

/** A Conductor task type to poll, and which of ours its tasks are. */
export interface ServedType {
  readonly type: TaskType;
  /** The task type as Conductor knows it; the same unless TASK_TYPES says otherwise. */
  readonly queue: string;
}

const wholeNumber = (from: number, to = Number.MAX_SAFE_INTEGER) =>
  z
    .string()
    .regex(/^\d+$/, 'a whole number')
    .transform(Number)
    .pipe(z.number().min(from, `at least ${from}`).max(to, `at most ${to}`));

const httpUrl = z.string().superRefine((text, context) => {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    context.addIssue({ code: 'custom', message: 'a URL that begins with http:// or https://' });
  }
});

const redisUrl = z.string().superRefine((text, context) => {
  try {
    parseRedisUrl(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
  }
});

const taskTypes = z.string().transform((text, context): ServedType[] => {
  const served: ServedType[] = [];
  for (const entry of text.split(',').map((part) => part.trim())) {
    const [type = '', queue = type, ...rest] = entry.split('=').map((part) => part.trim());
    if (!(TASK_TYPES as readonly string[]).includes(type) || queue === '' || rest.length > 0) {
      const hint = didYouMean(type, TASK_TYPES);
      context.addIssue({
        code: 'custom',
        message: `"${entry}" is not TYPE or TYPE=conductor_task_type; types are ${TASK_TYPES.join(', ')}.${hint}`,
      });
    } else if (served.some((other) => other.queue === queue)) {
      context.addIssue({ code: 'custom', message: `"${queue}" is named twice` });
    } else {
      served.push({ type: type as TaskType, queue });
    }
  }
  return served;
});

const subjectSources = z.string().transform((text, context): SubjectSource[] => {
  const sources = text.split(',').map((part) => part.trim());
  const unknown = sources.find((source) => !(SUBJECT_SOURCES as readonly string[]).includes(source));
  if (unknown !== undefined) {
    context.addIssue({
      code: 'custom',
      message: `"${unknown}" is not one of ${SUBJECT_SOURCES.join(', ')}.${didYouMean(unknown, SUBJECT_SOURCES)}`,
    });
  }
  return sources as SubjectSource[];
});

const encryptionKeys = z
  .string()
  .optional()
  .transform((text, context): Keyring => {
    try {
      return parseKeyring(text);
    } catch (error) {
      // It tells the entry's number alone: this message goes to a log.
      context.addIssue({ code: 'custom', message: messageOf(error) });
      return z.NEVER;
    }
  });

const hostNames = z.string().transform((text, context): string[] => {
  const names = text.split(',').map((part) => part.trim());
  const bad = names.find((name) => !/^[\w.:-]+$/.test(name) || /^[\w.-]+:\d+$/.test(name));
  if (bad !== undefined) context.addIssue({ code: 'custom', message: `"${bad}" is not a host name without a port` });
  return names;
});

const proxies = z.string().transform((text, context): string[] => {
  const ranges = text.split(',').map((part) => part.trim());
  for (const range of ranges) {
    const fault = rangeFault(range);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: `"${range}" ${fault}` });
  }
  return ranges;
});

/** What keeps a text from being an address or a range of them; undefined for one that is. */
function rangeFault(text: string): string | undefined {
  const [address = '', bits, ...rest] = text.split('/');
  const most = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  const isOne = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most);
  if (most === 0 || address.includes('%') || !isOne || rest.length > 0)
    return 'is not an address, or a range such as 10.0.0.0/8';
  return Number(bits) === 0 ? 'would believe everybody where they come from' : undefined;
}

const anonymousSubject = z.string().transform((text, context): Subject => {
  const subject = parseSubject(text);
  if (subject !== undefined) return subject;
  context.addIssue({ code: 'custom', message: 'USER:x, GROUP:x, ROLE:x, app:x or a user id' });
  return z.NEVER;
});

const DAY_MS = 24 * 3_600_000;

const environment = z.object({
  CONDUCTOR_SERVER_URL: httpUrl.default('http://localhost:8080'),
  CONDUCTOR_AUTH_KEY: z.string().optional(),
  CONDUCTOR_AUTH_SECRET: z.string().optional(),
  TASK_TYPES: taskTypes.default(TASK_TYPES.map((type) => ({ type, queue: type }))),
  TASK_DOMAIN: z
    .string()
    .regex(/^[\w.-]+$/, 'letters, digits, "_", "." and "-"')
    .optional(),
  REGISTER_TASK_DEFINITIONS: z.enum(['all', 'common', 'none']).default('all'),
  REDIS_URL: redisUrl.default('redis://localhost:6379'),
  REDIS_PREFIX: z.string().default('cohere:'),
  ENCRYPTION_KEYS: encryptionKeys,
  SECRET_FILES_DIR: z.string().optional(),
  MAX_IN_FLIGHT: wholeNumber(1, 10_000).default(256),
  WORKER_ID: z
    .string()
    .regex(/^[\w.@-]+$/, 'letters, digits, "_", ".", "@" and "-"')
    .optional(),
  DRAIN_TIMEOUT_MS: wholeNumber(0, 3_600_000).default(25_000),
  SUBJECT_SOURCES: subjectSources.default(['token', 'creator', 'application']),
  RBAC_MODE: z.enum(['enforce', 'audit', 'off']).default('enforce'),
  HTTP_PORT: wholeNumber(0, 65_535).default(9464),
  ADMIN_HOST: z.string().default('127.0.0.1'),
  ADMIN_PORT: wholeNumber(0, 65_535).default(8090),
  ADMIN_ALLOWED_HOSTS: hostNames.optional(),
  ADMIN_TRUSTED_PROXIES: proxies.optional(),
  ANONYMOUS_SUBJECT: anonymousSubject.optional(),
  AUDIT_RETENTION_DAYS: wholeNumber(1, 36_500).optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** What single variables cannot show; looked at even where some of them are malformed, so that all is said at once. */
function faultsBetween(given: Readonly<Record<string, string | undefined>>): Fault[] {
  const faults: Fault[] = [];
  const [key, secret] = [given['CONDUCTOR_AUTH_KEY'], given['CONDUCTOR_AUTH_SECRET']];
  if ((key === undefined) !== (secret === undefined)) {
    const field = key === undefined ? 'CONDUCTOR_AUTH_KEY' : 'CONDUCTOR_AUTH_SECRET';
    faults.push({ field, message: 'missing: key and secret go together' });
  }
  // Redis looks at the first brace only: `{}{cohere}:` has no tag.
  if (isCluster(given['REDIS_URL'] ?? '') && !/^[^{]*\{[^}]+\}/.test(given['REDIS_PREFIX'] ?? '')) {
    faults.push({ field: 'REDIS_PREFIX', message: 'on Redis Cluster the prefix holds a hash tag, such as {cohere}:' });
  }
  return faults;
}

function isCluster(url: string): boolean {
  try {
    return parseRedisUrl(url).kind === 'cluster';
  } catch {
    return false;
  }
}

/** What the environment says, parsed once at the start and never changed. Times in milliseconds. */
export interface Config {
  readonly conductor: {
    /** Ends in `/api`, whether or not CONDUCTOR_SERVER_URL did. */
    readonly apiUrl: string;
    readonly auth: { readonly keyId: string; readonly keySecret: string } | undefined;
  };
  readonly tasks: {
    readonly served: readonly ServedType[];
    readonly domain: string | undefined;
    readonly registerDefinitions: 'all' | 'common' | 'none';
    /** Tasks held by one worker at once. */
    readonly maxInFlight: number;
    readonly drainTimeoutMs: number;
  };
  readonly redis: { readonly url: string; readonly prefix: string; readonly cluster: boolean };
  readonly secrets: { readonly filesDir: string | undefined; readonly keyring: Keyring };
  readonly access: { readonly mode: 'enforce' | 'audit' | 'off'; readonly sources: readonly SubjectSource[] };
  /** A label for people; identity adds a random part at every start. */
  readonly workerLabel: string;
  readonly httpPort: number;
  readonly admin: {
    readonly host: string;
    readonly port: number;
    /** Host names that requests may be made to, besides `localhost` and `host`. */
    readonly allowedHosts: readonly string[];
    /** Addresses and ranges of proxies that are believed in `X-Forwarded-For`. */
    readonly trustedProxies: readonly string[];
    /** Whose READ grants somebody without a token has, for what Conductor's UI asks. */
    readonly anonymous: Subject | undefined;
  };
  readonly audit: {
    /** How long a record of a change is kept; undefined: it is not said. */
    readonly keptForMs: number | undefined;
  };
  readonly logLevel: string;
}

/** Reads the environment. Throws CONFIG_INVALID naming every fault at once; an empty value counts as absent. */
export function parseConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''),
  );
  const read = parseValue(given, environment);
  const faults = [...(read.ok ? [] : read.faults), ...faultsBetween(given)];
  if (!read.ok || faults.length > 0) throw configError(faults);
  const values = read.value;
  return deepFreeze({
    conductor: {
      apiUrl: apiUrlOf(values.CONDUCTOR_SERVER_URL),
      auth:
        values.CONDUCTOR_AUTH_KEY === undefined || values.CONDUCTOR_AUTH_SECRET === undefined
          ? undefined
          : { keyId: values.CONDUCTOR_AUTH_KEY, keySecret: values.CONDUCTOR_AUTH_SECRET },
    },
    tasks: {
      served: values.TASK_TYPES,
      domain: values.TASK_DOMAIN,
      registerDefinitions: values.REGISTER_TASK_DEFINITIONS,
      maxInFlight: values.MAX_IN_FLIGHT,
      drainTimeoutMs: values.DRAIN_TIMEOUT_MS,
    },
    redis: { url: values.REDIS_URL, prefix: values.REDIS_PREFIX, cluster: isCluster(values.REDIS_URL) },
    secrets: { filesDir: values.SECRET_FILES_DIR, keyring: values.ENCRYPTION_KEYS },
    access: { mode: values.RBAC_MODE, sources: values.SUBJECT_SOURCES },
    workerLabel: values.WORKER_ID ?? hostname().replaceAll(/[^\w.@-]/g, '-'),
    httpPort: values.HTTP_PORT,
    admin: {
      host: values.ADMIN_HOST,
      port: values.ADMIN_PORT,
      allowedHosts: values.ADMIN_ALLOWED_HOSTS ?? [],
      trustedProxies: values.ADMIN_TRUSTED_PROXIES ?? [],
      anonymous: values.ANONYMOUS_SUBJECT,
    },
    audit: { keptForMs: values.AUDIT_RETENTION_DAYS === undefined ? undefined : values.AUDIT_RETENTION_DAYS * DAY_MS },
    logLevel: values.LOG_LEVEL,
  });
}

/** `https://host/base`, `https://host/base/` and `https://host/base/api` are the same server. */
function apiUrlOf(serverUrl: string): string {
  const { origin, pathname } = new URL(serverUrl);
  return `${origin}${pathname.replace(/\/+$/, '').replace(/\/api$/, '')}/api`;
}

function configError(faults: readonly Fault[]): ServiceError {
  return new ServiceError('CONFIG_INVALID', `The environment is not usable: ${describeFaults(faults)}`);
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part);
  return Object.freeze(value);
}
