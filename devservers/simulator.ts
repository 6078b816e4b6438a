import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Server, type ServerOptions, startServer } from './server.ts';

const MAIN = fileURLToPath(new URL('../simulator/main.ts', import.meta.url));

export interface SimulatorOptions extends ServerOptions {
  /** More of the simulator's own flags. */
  readonly args?: readonly string[];
}

/**
 * The stand-in for Bedrock and STS on 127.0.0.1, in a process of its own.
 * @throws SetupError where it is not listening within 20 s
 */
export function startSimulator(options: SimulatorOptions = {}): Promise<Server> {
  return startServer(
    {
      name: 'Simulator',
      command: process.execPath,
      args: (port) => [MAIN, '--port', String(port), ...(options.args ?? [])],
      // It says where it listens by one line of JSON, `{"url":"http://127.0.0.1:8981"}`, among whatever else it prints.
      ready: async (_port, { logFile }) =>
        /^\{.*"url"\s*:\s*"(http[^"]+)".*\}$/m.exec(await readFile(logFile, 'utf8'))?.[1],
      timeoutMs: 20_000,
    },
    options,
  );
}
