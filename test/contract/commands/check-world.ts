/** What `check` looks at beside Redis: a simulated STS, and as much of a Conductor as it asks. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { simulatorEnvironment } from '../../../devservers/cli-from-source.ts';
import { INTEGRATION_CREDENTIALS, ROLE } from '../../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../../simulator/simulator.ts';
import { INTEGRATION, type Installation, resultOf } from './installation.ts';

export interface StubConductor {
  readonly url: string;
  /** What `GET /api/metadata/taskdefs` answers. */
  taskDefinitions: readonly unknown[];
  /** What `GET /api/metadata/workflow` answers. */
  workflows: readonly unknown[];
  /** In place of both: a status and a body, or never anything. */
  instead: { readonly status: number; readonly body: string } | 'silence' | undefined;
  /** `GET /api/…` of every request so far. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** As much of a Conductor as `check` asks: the definitions of tasks and workflows. */
export async function startStubConductor(): Promise<StubConductor> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (stub.instead === 'silence') return;
    if (stub.instead !== undefined) return void response.writeHead(stub.instead.status).end(stub.instead.body);
    const path = new URL(request.url ?? '', 'http://stub').pathname;
    const body = { '/api/metadata/taskdefs': stub.taskDefinitions, '/api/metadata/workflow': stub.workflows }[path];
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? { message: 'no such path' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stub: StubConductor = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taskDefinitions: [],
    workflows: [],
    instead: undefined,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return stub;
}

export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly key: string;
  readonly field: string;
  readonly message: string;
}

export interface CheckWorld {
  readonly simulator: Simulator;
  readonly conductor: StubConductor;
  /** `check --output json`. */
  check(
    here: Installation,
    env?: NodeJS.ProcessEnv,
    ...options: string[]
  ): Promise<{ code: number | null; findings: readonly Finding[]; output: string }>;
  reset(): void;
  close(): Promise<unknown>;
}

export async function startCheckWorld(): Promise<CheckWorld> {
  const [simulator, conductor] = [await startSimulator(), await startStubConductor()];
  return {
    simulator,
    conductor,
    async check(here, env = {}, ...options) {
      const ran = await here.run(['check', '--output', 'json', ...options], {
        ...simulatorEnvironment(simulator.url),
        CONDUCTOR_SERVER_URL: conductor.url,
        ...env,
      });
      const { findings } = resultOf<{ findings: Finding[] }>(ran);
      return { code: ran.code, findings, output: ran.stdout + ran.stderr };
    },
    reset() {
      simulator.reset();
      Object.assign(conductor, { taskDefinitions: [], workflows: [], instead: undefined });
    },
    close: () => Promise.all([simulator.close(), conductor.close()]),
  };
}

/** An integration with another configuration. */
export const configured = (configuration: object) => ({
  ...INTEGRATION,
  configuration: { ...INTEGRATION.configuration, ...configuration },
});
export const ACCESS_KEY = {
  connectionType: 'ACCESS_KEY',
  user: INTEGRATION_CREDENTIALS.accessKeyId,
  api_key: 'env:SECRET',
};
export const EXTERNAL_ROLE = { connectionType: 'EXTERNAL_ROLE', roleArn: ROLE.arn, externalId: 'env:EXTERNAL' };
/** What the references above name. */
export const SECRETS = { SECRET: INTEGRATION_CREDENTIALS.secretAccessKey, EXTERNAL: ROLE.externalId };
