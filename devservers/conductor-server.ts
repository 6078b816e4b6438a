import { type ConductorProgram, prepareConductor } from './conductor-jar.ts';
import { bodyOf } from './processes.ts';
import { type Server, type ServerOptions, startServer } from './server.ts';

export interface ConductorOptions extends ServerOptions {
  /** Where it keeps everything. Default: an SQLite file in its folder; slower, and a long poll there waits its full time. */
  readonly redis?: { readonly host: string; readonly port: number } | undefined;
  /** Java and jar. Default: found, installed or fetched. */
  readonly program?: ConductorProgram | undefined;
  /** True: the server runs LLM tasks by itself, in a race with any worker. Default false. */
  readonly ai?: boolean;
  /** Java's own flags. Default: those for a quick start; a bench gives the ones it wants to measure. */
  readonly javaArgs?: readonly string[];
  /** More of the server's own: `['--conductor.app.taskWorkerConfigs…=…']`. */
  readonly args?: readonly string[];
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/**
 * Start to healthy on two cores, with the unpacked jar of `prepareConductor`: 7.5 s with no flags, 6.0 s with the first
 * compiler alone (and 9.4 s of CPU in place of 13.9 s), no less with the serial collector. From the jar as it is published: 13.2 s.
 * Left away: lazy beans (1.6 s less, but a fault in one shows only when it is first used) and an archive of classes
 * (2.3 s less, for an archive of 105 MB a Java version that a first, slower run must write).
 */
const QUICK_START = ['-Xmx1500m', '-XX:TieredStopAtLevel=1'];

/** No index and no scheduler: neither is needed to run workflows, and both want a database. */
const ON_REDIS = [
  '--conductor.db.type=redis_standalone',
  '--conductor.queue.type=redis_standalone',
  '--conductor.indexing.enabled=false',
  '--conductor.scheduler.enabled=false',
  '--conductor.workflow-execution-lock.type=local_only',
  '--spring.autoconfigure.exclude=org.springframework.boot.autoconfigure.jdbc.DataSourceAutoConfiguration',
];

/**
 * An open-source Conductor server on 127.0.0.1; `url` is without `/api`.
 * @throws SetupError where a program is missing, the fetch fails, or it is not healthy within 120 s
 */
export async function startConductor(options: ConductorOptions = {}): Promise<Server> {
  const { java, jar } = options.program ?? (await prepareConductor());
  const { redis } = options;
  const store =
    redis === undefined ? [] : [...ON_REDIS, `--conductor.redis.hosts=${redis.host}:${redis.port}:us-east-1c`];
  return startServer(
    {
      name: 'Conductor',
      command: java,
      args: (port) => [
        ...(options.javaArgs ?? QUICK_START),
        // Its payloads and Tomcat's folder go with the server's own.
        '-Djava.io.tmpdir=.',
        ...['-jar', jar, `--server.port=${port}`, '--server.address=127.0.0.1'],
        `--conductor.integrations.ai.enabled=${options.ai ?? false}`,
        ...store,
        ...(options.args ?? []),
      ],
      env: options.env,
      ready: async (port) => {
        const url = `http://127.0.0.1:${port}`;
        return (await bodyOf(`${url}/health`))?.includes('"healthy":true') ? url : undefined;
      },
      timeoutMs: 120_000,
    },
    options,
  );
}
