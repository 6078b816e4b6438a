import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { messageOf } from '../errors.ts';

/** Why a worker takes no tasks: each in words for an operator. Empty: it is ready. */
export type Unreadiness = readonly string[];

export interface HealthServer {
  /** The port it listens on. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `/healthz`: 200 while the process can answer at all and has not begun to end; restarting it would not help against a
 * Redis that is away. `/readyz`: 200 only while tasks are taken, else 503 with the reasons. `/metrics`: Prometheus.
 */
export async function startHealthServer(parts: {
  readonly port: number;
  readonly state: () => string;
  readonly unready: () => Unreadiness;
  readonly registry: Registry;
}): Promise<HealthServer> {
  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy();
      response
        .writeHead(500, { 'content-type': 'application/json' })
        .end(`${JSON.stringify({ message: messageOf(error) })}\n`);
    });
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    };
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, { message: 'only GET' });
    if (path === '/healthz') {
      const state = parts.state();
      return answer(state === 'stopped' ? 503 : 200, { state });
    }
    if (path === '/readyz') {
      const reasons = parts.unready();
      return answer(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, state: parts.state(), reasons });
    }
    if (path === '/metrics') {
      response.writeHead(200, { 'content-type': parts.registry.contentType }).end(await parts.registry.metrics());
      return;
    }
    answer(404, { message: 'there are /healthz, /readyz and /metrics' });
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(parts.port, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
