/**
 * A strict stand-in for Amazon Bedrock runtime and AWS STS over plain http, for development and tests. One server on
 * one port: `POST /model/…` is Bedrock, `POST /` is STS, `/_control/…` sets faults and tells what was called.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAws } from './aws.ts';
import { createBedrock } from './bedrock.ts';
import { createCalls } from './calls.ts';
import { answerControl, type Control } from './control.ts';
import { createCredentials, type StaticCredentials } from './credentials.ts';
import { type AnswerSettings, DEFAULT_ANSWERS } from './families/family.ts';
import { createFaults } from './faults.ts';
import { createModels, type HostedModel } from './models.ts';
import { createRoles, type Role } from './roles.ts';
import { createSts, type StsSettings } from './sts.ts';
import { readRequest, sendJson } from './wire.ts';

export interface SimulatorOptions {
  /** Default 0: any free one. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1: nobody else on the network needs it. */
  readonly host?: string | undefined;
  /** Known beside those of `known.ts`. */
  readonly credentials?: readonly StaticCredentials[] | undefined;
  readonly roles?: readonly Role[] | undefined;
  readonly hosted?: readonly HostedModel[] | undefined;
}

export interface Simulator extends Control {
  /** `http://127.0.0.1:PORT`: the endpoint of both services. */
  readonly url: string;
  /** Closes all connections, too. May be called again. */
  close(): Promise<void>;
}

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port = 0, host = '127.0.0.1' } = options;
  const credentials = createCredentials(options.credentials);
  const roles = createRoles(options.roles);
  const models = createModels(options.hosted);
  const faults = createFaults();
  const calls = createCalls();
  const stsSettings: StsSettings = {};
  const answerSettings: AnswerSettings = { ...DEFAULT_ANSWERS };

  const control: Control = {
    setFault: faults.setFault,
    setLatency: faults.setLatency,
    addCredentials: credentials.add,
    revokeCredentials: credentials.revoke,
    setRole: roles.set,
    setSts({ lifetimeMs }) {
      stsSettings.lifetimeMs = lifetimeMs;
    },
    setAnswers: (settings) => void Object.assign(answerSettings, settings),
    host: models.host,
    calls: calls.report,
    clearCalls: calls.clear,
    reset() {
      for (const part of [credentials, roles, models, faults]) part.reset();
      calls.clear();
      stsSettings.lifetimeMs = undefined;
      Object.assign(answerSettings, DEFAULT_ANSWERS);
    },
  };
  const aws = createAws({
    credentials,
    faults,
    calls,
    sts: createSts({ credentials, roles, settings: stsSettings }),
    bedrock: createBedrock({ models, settings: answerSettings }),
  });

  const server = createServer(async (incoming, outgoing) => {
    const request = await readRequest(incoming);
    // The caller went away while it was sending.
    if (request === undefined) return;
    const [, name] = /^\/_control\/(.*)$/.exec(request.path) ?? [];
    if (name === undefined) return aws.serve(request, outgoing);
    const { status, body } = answerControl({ ...request, name }, control);
    return sendJson(outgoing, status, body);
  });
  // Longer than any client keeps a connection, so that none is closed just as it is used again.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;

  return {
    ...control,
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    close() {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}
