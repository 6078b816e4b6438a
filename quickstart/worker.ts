import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cliFromSource } from '../devservers/cli-from-source.ts';
import { bodyOf, type RunningProcess, startProcess, waitUntilReady } from '../devservers/processes.ts';
import type { Environment } from './environment.ts';

export const EXAMPLES = fileURLToPath(new URL('../examples/quickstart/', import.meta.url));
const MANIFESTS = ['integrations.yaml', 'prompts.yaml', 'access.yaml'].map((file) => join(EXAMPLES, file));

/** Something ran and did not do what it should. The message is one line. */
export class QuickstartFailure extends Error {}

/** Brings Redis to what the manifests say. @throws QuickstartFailure with what `apply` said */
export async function applyManifests({ env, folder }: Environment): Promise<void> {
  const apply = await startProcess({
    name: 'apply',
    ...cliFromSource(['apply', '-f', ...MANIFESTS]),
    env,
    logFile: join(folder, 'apply.log'),
  });
  const { code } = await apply.exited;
  if (code === 0) return;
  // A crash ends with a stack and Node's version: the line that says something stands above them.
  const words = apply
    .tail()
    .split('\n')
    .findLast((line) => !/^(\s+at |Node\.js v|\s*$)/.test(line));
  throw new QuickstartFailure(
    `Applying examples/quickstart failed: ${words ?? `exit code ${code}`} (log: ${apply.logFile})`,
  );
}

export interface Worker {
  readonly name: string;
  readonly url: string;
  readonly process: RunningProcess;
  readonly stop: () => Promise<unknown>;
}

/** Starts the worker from source and waits until it is ready. @throws SetupError where it ends, or is not within 30 s */
export async function startWorker(environment: Environment, port: number, outlivesParent: boolean): Promise<Worker> {
  const worker = await startProcess({
    name: 'Worker',
    ...cliFromSource(['worker']),
    env: environment.env,
    logFile: join(environment.folder, 'worker.log'),
    outlivesParent,
  });
  const url = `http://127.0.0.1:${port}`;
  // Past its own time to finish running tasks.
  const stop = () => worker.stop(30_000);
  const isReady = async () => (await bodyOf(`${url}/readyz`)) !== undefined;
  await waitUntilReady(worker, isReady, { timeoutMs: 30_000 }).catch(async (error) => {
    await stop();
    throw error;
  });
  return { name: 'Worker', url, process: worker, stop };
}
