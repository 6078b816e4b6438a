/** Schemathesis against a real admin server, with its own description in the hand and things to find behind most names. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PythonPackages, pythonPackages } from '../../devservers/python-packages.ts';
import { startAdminServer } from '../support/admin.ts';
import { startGarden } from './garden.ts';
import { vocabulary } from './vocabulary.ts';

const REQUIREMENTS = fileURLToPath(new URL('./requirements.txt', import.meta.url));
/** A template that is tried must call nobody: nothing listens there, and no machine is asked for credentials. */
const NO_AWS = {
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: 'http://127.0.0.1:9',
  AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9',
  AWS_EC2_METADATA_DISABLED: 'true',
};
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
];

export interface FuzzOptions {
  readonly redisUrl: string;
  /** The one role of the application whose token is sent. */
  readonly role: 'ADMIN' | 'USER';
  /** Cases an operation in each phase, at most. */
  readonly examples: number;
  /** The whole run ends by then. */
  readonly seconds: number;
  readonly seed: number;
  /** Of schemathesis. Default: those that need no state. */
  readonly phases?: readonly string[];
  readonly say?: (text: string) => void;
}

export interface FuzzOutcome {
  readonly cases: number;
  /** How many answers had each status. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Operations that never did what they are for: none of their answers was 2xx. */
  readonly unreached: readonly string[];
  /** Null where it ended well; else what schemathesis says. */
  readonly failure: string | null;
}

/** @throws SetupError where schemathesis is not to be had */
export async function fuzz(options: FuzzOptions): Promise<FuzzOutcome> {
  const packages = await pythonPackages(REQUIREMENTS, options.say);
  const server = await startAdminServer(options.redisUrl, NO_AWS);
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-'));
  const caller = await server.somebody('fuzz', [options.role]);
  const garden = await startGarden({ server, caller, redisUrl: options.redisUrl });
  try {
    await writeFile(join(folder, 'schemathesis.toml'), vocabulary(caller.key));
    const { code, output } = await run(packages, folder, [
      ...['-m', 'schemathesis.cli', 'run', `${server.url}/openapi.json`],
      ...['--header', `X-Authorization: ${caller.token}`],
      ...['--checks', CHECKS.join(','), '--continue-on-failure', '--warnings', 'off', '--no-color'],
      ...['--phases', (options.phases ?? ['examples', 'coverage', 'fuzzing']).join(',')],
      ...['--max-examples', String(options.examples), '--max-time', String(options.seconds)],
      ...['--seed', String(options.seed), '--generation-database', 'none'],
      ...['--suppress-health-check', 'all', '--request-timeout', '30'],
      ...['--report', 'har', '--report-har-path', 'traffic.har'],
    ]);
    options.say?.(output);
    const { paths } = (await server.client().get('/openapi.json')).body as { paths: Record<string, object> };
    const traffic = await trafficIn(join(folder, 'traffic.har'), paths);
    const cases = Number(/(\d+) generated/.exec(output)?.[1] ?? 0);
    return { cases, ...traffic, failure: code === 0 && cases > 0 ? null : output };
  } finally {
    await garden.stop();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What was asked and answered, by the operations of the description. */
async function trafficIn(file: string, paths: Readonly<Record<string, object>>) {
  const { log } = JSON.parse(await readFile(file, 'utf8')) as {
    log: { entries: { request: { method: string; url: string }; response: { status: number } }[] };
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      name: `${method.toUpperCase()} ${path}`,
      // The fixed names before those that take any.
      isIts: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    })),
  );
  const fixedFirst = operations.sort((one, other) => one.name.split('{').length - other.name.split('{').length);
  const statuses: Record<number, number> = {};
  const unreached = new Set(operations.map(({ name }) => name));
  for (const { request, response } of log.entries) {
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    if (response.status >= 300) continue;
    const path = new URL(request.url).pathname;
    const its = fixedFirst.find(({ name, isIts }) => name.startsWith(`${request.method} `) && isIts.test(path));
    if (its !== undefined) unreached.delete(its.name);
  }
  return { statuses, unreached: [...unreached].sort() };
}

async function run({ python, folder: packages }: PythonPackages, folder: string, args: readonly string[]) {
  const env = { ...process.env, PYTHONPATH: packages };
  const child = spawn(python, [...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, output };
}
