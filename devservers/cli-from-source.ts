import { fileURLToPath } from 'node:url';
import { ENVIRONMENT_CREDENTIALS } from '../simulator/known.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

/** How to run the command line without a build: Node 24 reads TypeScript by itself. */
export function cliFromSource(args: readonly string[]): { command: string; args: string[] } {
  return { command: process.execPath, args: [CLI, ...args] };
}

/** What a child may know of this machine; none of it configures the service, AWS's SDK, Conductor's or Redis'. */
const NEUTRAL = [
  ...['PATH', 'HOME', 'USER', 'TMPDIR', 'LANG', 'TZ', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'],
  // Where Node keeps what it compiled, for the next start of the same source.
  'NODE_COMPILE_CACHE',
];

/** An environment in which only what is given configures the service; an undefined value leaves the variable out. */
export function bareEnvironment(given: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const neutral = Object.fromEntries(NEUTRAL.map((name) => [name, process.env[name]]));
  const all = Object.entries({ ...neutral, ...given }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(all);
}

/** The variables that turn AWS's SDK to the simulator: plain http, and the keys that it knows. */
export function simulatorEnvironment(url: string): Record<string, string> {
  return {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: ENVIRONMENT_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ENVIRONMENT_CREDENTIALS.secretAccessKey,
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: url,
    AWS_ENDPOINT_URL_STS: url,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}
