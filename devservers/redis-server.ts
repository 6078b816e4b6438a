import { connect } from 'node:net';
import { ensurePrograms } from './install.ts';
import { type Server, type ServerOptions, startServer } from './server.ts';

export interface RedisOptions extends ServerOptions {
  /** More of redis-server's own: `['--requirepass', 'x']`. */
  readonly args?: readonly string[];
  /** Path of redis-server. Default: found or installed. */
  readonly program?: string | undefined;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/**
 * A Redis on 127.0.0.1 that writes nothing to disk and evicts nothing.
 * @throws SetupError where redis-server is missing or does not answer within 10 s
 */
export async function startRedis(options: RedisOptions = {}): Promise<Server> {
  return startServer(
    {
      name: 'Redis',
      command: options.program ?? (await ensurePrograms(['redis-server']))['redis-server'],
      args: (port, folder) => [
        ...['--bind', '127.0.0.1', '--port', String(port), '--dir', folder],
        ...['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'],
        ...(options.args ?? []),
      ],
      env: options.env,
      ready: async (port) => ((await answersPing(port)) ? `redis://127.0.0.1:${port}` : undefined),
      timeoutMs: 10_000,
    },
    options,
  );
}

/** Any answer will do, a demand for a password too: the server is up. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'));
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
  });
}
