import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bareEnvironment, simulatorEnvironment } from '../devservers/cli-from-source.ts';
import { type ConductorApi, conductorApi } from '../devservers/conductor-api.ts';
import { CONDUCTOR_VERSION, conductorNeeds, prepareConductor } from '../devservers/conductor-jar.ts';
import { startConductor } from '../devservers/conductor-server.ts';
import { ensurePrograms, type Program } from '../devservers/install.ts';
import { isPortFree } from '../devservers/ports.ts';
import { startRedis } from '../devservers/redis-server.ts';
import { SetupError } from '../devservers/setup-error.ts';
import { startSimulator } from '../devservers/simulator.ts';
import { reachConductor, reachRedis, requireAwsCredentials } from './given.ts';
import type { Options, Ports } from './options.ts';
import type { Plan } from './plan.ts';
import type { Running } from './running.ts';
import type { Steps } from './steps.ts';

export interface Environment {
  readonly redisUrl: string;
  readonly conductorUrl: string;
  /** Undefined where Bedrock itself is called. */
  readonly simulatorUrl: string | undefined;
  readonly conductor: ConductorApi;
  /** Where logs go. */
  readonly folder: string;
  /** All that the command line needs to know, and nothing else of this shell's. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Finds or starts everything but the worker, a step each.
 * @throws SetupError
 */
export async function prepareEnvironment(
  plan: Plan,
  options: Options,
  running: Running,
  steps: Steps,
): Promise<Environment> {
  await requireFreePorts(plan, options.ports);
  const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-quickstart-'));
  running.setFolder(folder);
  const common = { dir: folder, outlivesParent: options.keep };
  if (plan.aws) await steps.run('AWS credentials found', requireAwsCredentials);

  const needed: Program[] = plan.redisUrl === undefined ? ['redis-server'] : [];
  if (plan.conductor === undefined) needed.push(...(await conductorNeeds()));
  if (needed.length > 0) await steps.run(titleOf(needed), (say) => ensurePrograms(needed, { say }));
  const program =
    plan.conductor === undefined
      ? await steps.run(`Conductor server ${CONDUCTOR_VERSION} in the cache`, prepareConductor)
      : undefined;

  if (plan.redisUrl !== undefined) {
    const { redisUrl } = plan;
    await steps.run('Your Redis answers', () => reachRedis(redisUrl));
  }
  const ownRedis =
    plan.redisUrl === undefined
      ? await steps.run(`Redis on port ${options.ports.redis}`, async () =>
          running.add(await startRedis({ ...common, port: options.ports.redis })),
        )
      : undefined;
  const conductor = await steps.run(
    plan.conductor === undefined
      ? `Conductor on port ${options.ports.conductor}, its own AI off`
      : 'Your Conductor answers',
    async () => {
      if (plan.conductor !== undefined) return reachConductor(plan.conductor);
      // Beside a Redis of the user's it keeps to a file: it would fill theirs with its own keys.
      const redis = ownRedis === undefined ? undefined : { host: '127.0.0.1', port: ownRedis.port };
      const { url } = running.add(await startConductor({ ...common, port: options.ports.conductor, redis, program }));
      return { url, api: conductorApi(url), env: {} };
    },
  );
  const simulator = plan.aws
    ? undefined
    : await steps.run(`Simulator of Bedrock on port ${options.ports.simulator}`, async () =>
        running.add(await startSimulator({ ...common, port: options.ports.simulator })),
      );

  const redisUrl = ownRedis?.url ?? plan.redisUrl ?? '';
  return {
    redisUrl,
    conductorUrl: conductor.url,
    simulatorUrl: simulator?.url,
    conductor: conductor.api,
    folder,
    env: bareEnvironment({
      ...(simulator === undefined ? awsVariables(process.env) : simulatorEnvironment(simulator.url)),
      ...conductor.env,
      CONDUCTOR_SERVER_URL: conductor.url,
      TASK_DOMAIN: plan.taskDomain,
      // On a server of the user's nothing is registered but the two workflows.
      REGISTER_TASK_DEFINITIONS: plan.conductor === undefined ? undefined : 'none',
      REDIS_URL: redisUrl,
      REDIS_PREFIX: plan.redisPrefix,
      SUBJECT_SOURCES: 'application',
      HTTP_PORT: String(options.ports.worker),
      LOG_LEVEL: process.env['LOG_LEVEL'],
    }),
  };
}

async function requireFreePorts(plan: Plan, ports: Ports): Promise<void> {
  const wanted: (keyof Ports)[] = ['worker'];
  if (plan.redisUrl === undefined) wanted.push('redis');
  if (plan.conductor === undefined) wanted.push('conductor');
  if (!plan.aws) wanted.push('simulator');
  for (const name of wanted) {
    if (!(await isPortFree(ports[name]))) {
      throw new SetupError(
        `Port ${ports[name]} (${name}) is taken: stop what listens there (\`npm run quickstart -- --stop\` if it was left by --keep), or choose another with --${name}-port.`,
      );
    }
  }
}

function titleOf(needed: readonly Program[]): string {
  const words: Record<Program, string> = {
    'redis-server': 'redis-server',
    java: 'Java 21+',
    maven: 'Maven',
    python: 'Python',
  };
  const names = needed.map((program) => words[program]);
  const last = names.pop();
  return `${names.length === 0 ? last : `${names.join(', ')} and ${last}`} found`;
}

function awsVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('AWS_')));
}
