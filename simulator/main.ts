/** Runs the simulator by itself: `node simulator/main.ts [--port N] [--host ADDRESS]`. */
import { parseArgs } from 'node:util';
import { startSimulator } from './simulator.ts';

const HELP = `Stands in for Amazon Bedrock runtime and AWS STS, over plain http.

  node simulator/main.ts [--port N] [--host ADDRESS]

  --port N        port to listen on; default: any free one
  --host ADDRESS  address to listen on; default 127.0.0.1
  --help          this text

Prints {"url": "http://…"} once it listens, and ends on SIGTERM or SIGINT. Give that url to the AWS SDK as
AWS_ENDPOINT_URL_BEDROCK_RUNTIME and AWS_ENDPOINT_URL_STS; known keys and roles are in simulator/known.ts.
`;

function readArguments(): { port: number; host: string | undefined; help: boolean } {
  const options = { port: { type: 'string' }, host: { type: 'string' }, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ options });
  const port = Number(values.port ?? 0);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port ${values.port}: no port number`);
  return { port, host: values.host, help: values.help === true };
}

async function main(): Promise<void> {
  const { port, host, help } = readArguments();
  if (help) {
    process.stdout.write(HELP);
    return;
  }
  const simulator = await startSimulator({ port, host });
  process.stdout.write(`${JSON.stringify({ url: simulator.url })}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void simulator.close());
}

main().catch((thrown: unknown) => {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exitCode = 2;
});
