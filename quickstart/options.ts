import { parseArgs } from 'node:util';

export interface Options {
  /** Leave everything running at the end. */
  readonly keep: boolean;
  /** Stop what an earlier `keep` left running, and do nothing else. */
  readonly stop: boolean;
  /** Call Bedrock itself, with the AWS credentials of this machine. */
  readonly aws: boolean;
  readonly help: boolean;
  readonly ports: Ports;
}

export interface Ports {
  readonly redis: number;
  readonly conductor: number;
  readonly simulator: number;
  readonly worker: number;
}

/** Fixed, so that the URLs are the same every time; none is the usual port of what may run on a developer's machine. */
export const DEFAULT_PORTS: Ports = { redis: 6390, conductor: 8980, simulator: 8981, worker: 9464 };

export const HELP = `Runs the whole of it once: Redis, a Conductor server, a stand-in for Bedrock, the worker and two workflows.

  npm run quickstart [-- FLAGS]

  --keep              leave everything running and print the URLs
  --stop              stop what --keep left running
  --aws               call Amazon Bedrock with this machine's AWS credentials, in place of the simulator
  --redis-port N      default ${DEFAULT_PORTS.redis}
  --conductor-port N  default ${DEFAULT_PORTS.conductor}
  --simulator-port N  default ${DEFAULT_PORTS.simulator}
  --worker-port N     default ${DEFAULT_PORTS.worker}: /healthz, /readyz and /metrics
  --help              this text

Environment: with REDIS_URL (redis://…) or CONDUCTOR_SERVER_URL (and CONDUCTOR_AUTH_KEY, CONDUCTOR_AUTH_SECRET) given,
those are used and none is started; BEDROCK_COHERE_CACHE is where the Conductor server is kept.
Exit codes: 0 all went as it should, 1 something did not, 2 wrong usage, 3 something is missing, taken or unreachable.
`;

/** A flag or a value that is not known. The message is one line. */
export class UsageError extends Error {}

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const values = parse(args);
  const port = (name: keyof Ports): number => {
    const text = values[`${name}-port`];
    if (text === undefined) return DEFAULT_PORTS[name];
    const number = Number(text);
    if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
    throw new UsageError(`--${name}-port takes a number from 1 to 65535, not "${text}".`);
  };
  return {
    keep: values.keep ?? false,
    stop: values.stop ?? false,
    aws: values.aws ?? false,
    help: values.help ?? false,
    ports: {
      redis: port('redis'),
      conductor: port('conductor'),
      simulator: port('simulator'),
      worker: port('worker'),
    },
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        keep: { type: 'boolean' },
        stop: { type: 'boolean' },
        aws: { type: 'boolean' },
        help: { type: 'boolean' },
        'redis-port': { type: 'string' },
        'conductor-port': { type: 'string' },
        'simulator-port': { type: 'string' },
        'worker-port': { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(
      `${(error as Error).message.split('. ')[0]}. \`npm run quickstart -- --help\` lists the flags.`,
    );
  }
}
