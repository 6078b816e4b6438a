import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { inject } from 'vitest';
import {
  type ConductorApi,
  conductorApi,
  type TaskState,
  type WorkflowState,
} from '../../../devservers/conductor-api.ts';
import { freePort } from '../../../devservers/ports.ts';
import { startSimulator } from '../../../devservers/simulator.ts';
import { ENVIRONMENT_CREDENTIALS } from '../../../simulator/known.ts';
import { type RunningCli, startCli, waitForReady } from '../../support/cli.ts';
import { redisUrlAs } from '../../support/redis-user.ts';
import { controlSimulator } from '../../support/simulator-control.ts';

export interface RunningWorker {
  readonly cli: RunningCli;
  readonly httpPort: number;
  /** GET of `/healthz`, `/readyz` or `/metrics`. */
  get(path: string): Promise<{ status: number; body: string }>;
}

/**
 * A corner of the shared servers that belongs to one test file: a Redis prefix and a task domain of its own, so that
 * its workers take no tasks but its own, and a simulator. Files run beside each other: what a server has but once (Conductor's
 * definitions, Redis' scripts and users) is not a corner, and a file that changes such a thing starts that server itself.
 */
export interface World {
  readonly prefix: string;
  readonly redis: Redis;
  readonly conductor: ConductorApi;
  /** What a CLI of this world is started with. Workers connect as a user of Redis that may no more than a worker must. */
  readonly env: NodeJS.ProcessEnv;
  key(name: string): string;
  startWorker(env?: NodeJS.ProcessEnv, options?: { awaitReady?: boolean }): Promise<RunningWorker>;
  /** Registers a workflow of one task and starts it; answers the workflow's id. */
  startTask(task: TaskToRun): Promise<string>;
  /** The same, and waits until the workflow is over; answers its last task. */
  runTask(task: TaskToRun): Promise<{ task: TaskState; workflow: WorkflowState }>;
  control(name: string, body?: unknown, method?: string): Promise<unknown>;
  calls(): Promise<SimulatorCalls>;
  close(): Promise<void>;
}

export interface TaskToRun {
  readonly workflow: string;
  readonly type: 'LLM_TEXT_COMPLETE' | 'LLM_CHAT_COMPLETE' | 'LLM_GENERATE_EMBEDDINGS' | 'LLM_RERANK' | 'SIMPLE';
  /** The task's name, whose definition protects it; default: the type in lower case. */
  readonly name?: string;
  readonly input: Record<string, unknown>;
  /** False: Conductor's default queue, without this world's domain. */
  readonly inDomain?: boolean;
}

export interface SimulatorCalls {
  readonly calls: readonly {
    readonly operation: string;
    readonly modelId: string;
    readonly region: string;
    readonly accessKeyId: string;
    readonly status: number;
    readonly error?: string;
    readonly body: Record<string, unknown>;
  }[];
  readonly totals: {
    readonly calls: number;
    readonly succeeded: number;
    readonly inFlight: number;
    readonly maxInFlight: number;
  };
  readonly models: Record<
    string,
    { readonly calls: number; readonly succeeded: number; readonly inFlight: number; readonly maxInFlight: number }
  >;
}

/** `redisUrl`, `conductorUrl`: servers of the test's own, in place of those of all tests. `prefix`: in place of one of its own. */
export async function createWorld(
  name: string,
  {
    redisUrl = inject('redisUrl'),
    conductorUrl = inject('conductorUrl'),
    prefix: wanted,
  }: { readonly redisUrl?: string; readonly conductorUrl?: string; readonly prefix?: string } = {},
): Promise<World> {
  const id = `${name}_${randomBytes(3).toString('hex')}`;
  const prefix = wanted ?? `${id}:`;
  const redis = new Redis(redisUrl);
  const conductor = conductorApi(conductorUrl);
  const simulator = await startSimulator();
  const simulatorUrl = simulator.url;
  const workers: RunningWorker[] = [];
  // A test that ends its own Redis ends the users there, too.
  const isShared = redisUrl === inject('redisUrl');

  const env = {
    REDIS_URL: redisUrl,
    REDIS_PREFIX: prefix,
    CONDUCTOR_SERVER_URL: conductorUrl,
    TASK_DOMAIN: id,
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: simulatorUrl,
    AWS_ENDPOINT_URL_STS: simulatorUrl,
    AWS_ACCESS_KEY_ID: ENVIRONMENT_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ENVIRONMENT_CREDENTIALS.secretAccessKey,
    LOG_LEVEL: 'debug',
  };

  async function startTask({
    workflow,
    type,
    name = type.toLowerCase(),
    input,
    inDomain = true,
  }: TaskToRun): Promise<string> {
    // By way of the workflow's input: in a definition Conductor would take a prompt's own ${…} for a reference.
    const inputParameters = Object.fromEntries(Object.keys(input).map((key) => [key, `\${workflow.input.${key}}`]));
    await conductor.registerWorkflow({
      name: workflow,
      tasks: [{ name, taskReferenceName: 'task', type, inputParameters }],
    });
    return await conductor.startWorkflow(workflow, input, inDomain ? { taskToDomain: { '*': id } } : {});
  }

  return {
    prefix,
    redis,
    conductor,
    env,
    key: (key) => `${prefix}${key}`,
    async startWorker(more = {}, { awaitReady = true } = {}) {
      const httpPort = await freePort();
      const REDIS_URL = isShared ? await redisUrlAs('worker', redisUrl, prefix) : redisUrl;
      const cli = await startCli(['worker'], { ...env, REDIS_URL, HTTP_PORT: String(httpPort), ...more });
      const worker: RunningWorker = {
        cli,
        httpPort,
        async get(path) {
          const response = await fetch(`http://127.0.0.1:${httpPort}${path}`);
          return { status: response.status, body: await response.text() };
        },
      };
      workers.push(worker);
      if (awaitReady) await waitForReady(cli, httpPort);
      return worker;
    },
    startTask,
    async runTask(task) {
      const workflow = await conductor.waitForWorkflow(await startTask(task));
      const last = workflow.tasks.at(-1);
      if (last === undefined) throw new Error('the workflow has no task');
      return { task: last, workflow };
    },
    control: (what, body, method) => controlSimulator(simulatorUrl, what, body, method),
    async calls() {
      return (await controlSimulator(simulatorUrl, 'calls', undefined, 'GET')) as SimulatorCalls;
    },
    async close() {
      for (const { cli } of workers) {
        if (cli.exit() === undefined) await cli.stop(20_000);
        await cli.remove();
      }
      const keys = await redis.keys(`${prefix}*`);
      if (keys.length > 0) await redis.del(keys);
      await redis.quit();
      await simulator.stop();
    },
  };
}
