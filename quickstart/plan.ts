import { SetupError } from '../devservers/setup-error.ts';
import type { Options } from './options.ts';

/** What is started here, and what of the user's is used in its place. */
export interface Plan {
  /** The user's Redis; undefined: one of our own. */
  readonly redisUrl: string | undefined;
  /** The user's Conductor server, without `/api`; undefined: one of our own. */
  readonly conductor: { readonly url: string; readonly auth: ConductorKeys | undefined } | undefined;
  /** Bedrock itself, in place of the simulator. */
  readonly aws: boolean;
  /** In a Redis of the user's a prefix of our own, so that nothing of theirs is touched. */
  readonly redisPrefix: string;
  /** On a server of the user's our tasks go by a domain: the worker then takes no task that is not the quickstart's. */
  readonly taskDomain: string | undefined;
}

export interface ConductorKeys {
  readonly keyId: string;
  readonly keySecret: string;
}

/** @throws SetupError where a given URL is none */
export function makePlan(options: Pick<Options, 'aws'>, env: NodeJS.ProcessEnv): Plan {
  const redisUrl = given(env, 'REDIS_URL', /^(rediss?|redis\+sentinel|redis\+cluster):\/\//, 'redis://127.0.0.1:6379');
  const url = given(env, 'CONDUCTOR_SERVER_URL', /^https?:\/\//, 'http://127.0.0.1:8080');
  const keyId = env['CONDUCTOR_AUTH_KEY'];
  const keySecret = env['CONDUCTOR_AUTH_SECRET'];
  return {
    redisUrl,
    redisPrefix: redisUrl === undefined ? 'cohere:' : isCluster(redisUrl) ? '{quickstart}:' : 'quickstart:',
    conductor:
      url === undefined
        ? undefined
        : {
            url: url.replace(/\/+$/, '').replace(/\/api$/, ''),
            auth: keyId && keySecret ? { keyId, keySecret } : undefined,
          },
    taskDomain: url === undefined ? undefined : 'quickstart',
    aws: options.aws,
  };
}

/** Several nodes separated by commas mean Cluster, too. */
export function isCluster(redisUrl: string): boolean {
  return redisUrl.startsWith('redis+cluster:') || (redisUrl.includes(',') && !redisUrl.startsWith('redis+sentinel:'));
}

function given(env: NodeJS.ProcessEnv, name: string, form: RegExp, example: string): string | undefined {
  const value = env[name]?.trim();
  if (value === undefined || value === '') return undefined;
  if (!form.test(value)) throw new SetupError(`${name} is not a URL such as ${example}: correct it, or unset it.`);
  return value;
}
