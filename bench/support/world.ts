import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { bareEnvironment, cliFromSource, simulatorEnvironment } from '../../devservers/cli-from-source.ts';
import { type ConductorApi, conductorApi } from '../../devservers/conductor-api.ts';
import { startConductor } from '../../devservers/conductor-server.ts';
import { freePort } from '../../devservers/ports.ts';
import { bodyOf, type RunningProcess, startProcess, waitUntilReady } from '../../devservers/processes.ts';
import { startRedis } from '../../devservers/redis-server.ts';
import { type Server, type ServerOptions, startServer } from '../../devservers/server.ts';
import { startSimulator } from '../../devservers/simulator.ts';
import { openRedis } from '../../src/redis/connect.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { type ConductorKind, say } from './options.ts';
import { controlSimulator, type SimulatorControl } from './simulator-control.ts';

export const PREFIX = 'bench:';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

export interface WorldOptions {
  readonly conductor: ConductorKind;
  /** What runs already, and stays when the world ends. Default of each: a process of its own. */
  readonly conductorUrl?: string;
  readonly simulatorUrl?: string;
  readonly redisUrl?: string;
}

/** The servers of one bench, each in a process of its own on 127.0.0.1. */
export interface World extends AsyncDisposable {
  /** For the result: which Conductor was used. */
  readonly conductor: string;
  readonly conductorUrl: string;
  readonly api: ConductorApi;
  /** To the service's Redis; Conductor has one of its own. */
  readonly redis: Redis;
  readonly simulator: SimulatorControl;
  /** Starts a program that finds all the servers by its environment. */
  start(name: string, program: Program, env?: NodeJS.ProcessEnv): Promise<RunningProcess>;
  /** Starts a worker and waits until it is ready. */
  startWorker(env?: NodeJS.ProcessEnv): Promise<Worker>;
}

export interface Worker extends RunningProcess {
  /** Of /metrics. */
  readonly httpPort: number;
}

/** A plain start, with both of Java's compilers: the server's speed matters here, not its start. */
export const JAVA_ARGS = ['-Xmx1500m'];

export async function startWorld(options: WorldOptions): Promise<World> {
  const servers: Server[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'bedrock-cohere-bench-'));
  const up = async (server: Promise<Server>) => {
    const started = await server;
    servers.push(started);
    return started.url;
  };
  try {
    const [redisUrl, conductorUrl, simulatorUrl] = await Promise.all([
      options.redisUrl ?? up(startRedis()),
      options.conductorUrl ?? (options.conductor === 'stub' ? up(startStub()) : startReal(servers)),
      options.simulatorUrl ?? up(startSimulator()),
    ]);
    const redis = openRedis({ url: redisUrl, cluster: false }, 'bench', createLog('silent')) as Redis;
    await redis.connect();
    const start = async (name: string, program: Program, env: NodeJS.ProcessEnv = {}) =>
      startProcess({
        name,
        ...program,
        logFile: join(folder, `${name}-${performance.now().toFixed(3)}.log`),
        env: bareEnvironment({
          ...simulatorEnvironment(simulatorUrl),
          ...{ REDIS_URL: redisUrl, REDIS_PREFIX: PREFIX, CONDUCTOR_SERVER_URL: conductorUrl },
          ...{ LOG_LEVEL: process.env['BENCH_LOG_LEVEL'] ?? 'warn', ...env },
        }),
      });
    return {
      conductor: options.conductor === 'stub' ? 'stub' : 'real, on Redis',
      ...{ conductorUrl, redis, start },
      api: conductorApi(conductorUrl),
      simulator: controlSimulator(simulatorUrl),
      async startWorker(env = {}) {
        const httpPort = await freePort();
        const worker = await start('worker', cliFromSource(['worker']), { HTTP_PORT: String(httpPort), ...env });
        await waitUntilReady(worker, () => bodyOf(`http://127.0.0.1:${httpPort}/readyz`), { timeoutMs: 60_000 });
        return { ...worker, httpPort };
      },
      async [Symbol.asyncDispose]() {
        redis.disconnect();
        await stopAll(servers);
        if (process.env['BENCH_LOG_LEVEL'] === undefined) await rm(folder, { recursive: true, force: true });
        else say(`logs are in ${folder}`);
      },
    };
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
}

/** Conductor before its store: the last that started is the first to go. */
async function stopAll(servers: readonly Server[]): Promise<void> {
  for (const server of [...servers].reverse()) await server.stop();
}

async function startReal(servers: Server[]): Promise<string> {
  const store = await startRedis();
  const conductor = await startConductor({
    javaArgs: JAVA_ARGS,
    redis: { host: '127.0.0.1', port: store.port },
  }).catch(async (error: unknown) => {
    await store.stop();
    throw error;
  });
  servers.push(store, conductor);
  return conductor.url;
}

function startStub(options: ServerOptions = {}): Promise<Server> {
  return startServer(
    {
      name: 'Stub',
      command: process.execPath,
      args: (port) => [fileURLToPath(new URL('../programs/stub-conductor.ts', import.meta.url)), String(port)],
      ready: async (port) => {
        const url = `http://127.0.0.1:${port}`;
        return (await bodyOf(`${url}/health`)) === undefined ? undefined : url;
      },
      timeoutMs: 20_000,
    },
    options,
  );
}
