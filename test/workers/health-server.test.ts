import { Counter, Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HealthServer, startHealthServer } from '../../src/workers/health-server.ts';

let state = 'running';
let reasons: string[] = [];
let server: HealthServer;
const registry = new Registry();
new Counter({ name: 'things_total', help: 'Things.', registers: [registry] }).inc(3);

beforeEach(async () => {
  [state, reasons] = ['running', []];
  server = await startHealthServer({ port: 0, state: () => state, unready: () => reasons, registry });
});
afterEach(() => server.close());

async function get(path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  const body = await response.text();
  return { status: response.status, type: response.headers.get('content-type'), body };
}

describe('the HTTP port of a worker', () => {
  it.each([
    ['starting', 200],
    ['running', 200],
    ['draining', 200],
    ['stopped', 503],
  ])('/healthz of a worker that is %s answers %i', async (now, status) => {
    state = now;
    reasons = ['Redis has been away'];
    const answer = await get('/healthz');
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({ state: now });
  });

  it('/readyz answers 200 while tasks are taken, else 503 with every reason', async () => {
    expect(await get('/readyz')).toMatchObject({ status: 200 });
    reasons = ['the catalog holds no integration', 'Conductor does not answer polls'];
    const answer = await get('/readyz?verbose');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toEqual({ ready: false, state: 'running', reasons });
  });

  it('/metrics speaks Prometheus', async () => {
    const { status, type, body } = await get('/metrics');
    expect(status).toBe(200);
    expect(type).toMatch(/^text\/plain/);
    expect(body).toMatch(/^things_total 3$/m);
  });

  it('answers HEAD without a body, refuses other methods, and knows no other path', async () => {
    expect(await get('/healthz', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect((await get('/healthz', 'POST')).status).toBe(405);
    expect((await get('/')).status).toBe(404);
    expect((await get('/healthz/x')).status).toBe(404);
  });

  it('says that it is taken', async () => {
    const second = startHealthServer({ port: server.port, state: () => state, unready: () => reasons, registry });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('is free again after a close, though a connection was kept open', async () => {
    await get('/healthz');
    const { port } = server;
    await server.close();
    const again = await startHealthServer({ port, state: () => state, unready: () => reasons, registry });
    expect(again.port).toBe(port);
    await again.close();
  });
});
