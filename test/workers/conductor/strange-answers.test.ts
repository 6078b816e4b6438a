import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Conductor, ConductorRefusal, createConductor } from '../../../src/workers/conductor/conductor.ts';
import { createConductorSession } from '../../../src/workers/conductor/session.ts';
import { capturedLog } from '../support/harness.ts';

/** Something in front of Conductor that answers in its place. */
let answer: { status: number; type: string; body: string };
let conductor: Conductor;
let close: () => Promise<void>;

beforeEach(async () => {
  const server = createServer((_, response) => {
    response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
  const session = createConductorSession({ apiUrl, auth: undefined, log: capturedLog().log });
  conductor = createConductor({ apiUrl, session });
  close = async () => {
    await conductor.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
});
afterEach(() => close());

const UPDATE = { taskId: 'task-1', workflowInstanceId: 'w', status: 'COMPLETED' } as const;
const POLL = { queue: 'q', count: 1, waitMs: 10, workerId: 'w', domain: undefined };

describe('an answer that is no JSON', () => {
  it.each([['["SEKRET" SEKRET]'], ['{"inputData":{"accessToken":"SEKRET"}} SEKRET'], ['SEKRET'], ['["SEKRET']])(
    'is said to be none, without a piece of it: %s',
    async (body) => {
      answer = { status: 200, type: 'application/json', body };
      const error = await conductor.poll(POLL).catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({ message: 'the answer to a poll is no JSON; is it a Conductor?' });
      expect(inspect(error, { depth: 5 })).not.toContain('SEKRET');
    },
  );
});

describe('an update', () => {
  it.each([
    ['as text', 'task-1'],
    ['as JSON', '"task-1"'],
  ])('is made when the answer is the task id, %s', async (_, body) => {
    answer = { status: 200, type: 'text/plain', body };
    await expect(conductor.update(UPDATE)).resolves.toBeUndefined();
  });

  it('is not made when a page comes in place of it', async () => {
    answer = { status: 200, type: 'text/html', body: '<h1>Under maintenance</h1>' };
    await expect(conductor.update(UPDATE)).rejects.toThrow("is not Conductor's");
  });

  it('is worth repeating after a gateway’s 404, and not after Conductor’s own', async () => {
    answer = { status: 404, type: 'text/plain', body: 'default backend - 404' };
    const gateway = await conductor.update(UPDATE).catch((error: unknown) => error as ConductorRefusal);
    expect(gateway).toBeInstanceOf(ConductorRefusal);
    expect(gateway?.worthRepeating).toBe(true);
    answer = { status: 404, type: 'application/json', body: '{"status":404,"message":"No such workflow"}' };
    const own = await conductor.update(UPDATE).catch((error: unknown) => error as ConductorRefusal);
    expect(own?.worthRepeating).toBe(false);
    expect(own?.message).toContain('No such workflow');
  });

  it('that is refused repeats nothing of what was sent, whatever the answer repeats', async () => {
    answer = { status: 502, type: 'text/plain', body: 'X-Authorization: secret-token' };
    await expect(conductor.update(UPDATE)).rejects.toThrow(/^Conductor answered 502 to an update$/);
  });

  it('larger than Conductor takes is not even sent', async () => {
    answer = { status: 200, type: 'text/plain', body: 'task-1' };
    const large = { ...UPDATE, outputData: { result: 'x'.repeat(10 * 1024 * 1024) } };
    await expect(conductor.update(large)).rejects.toMatchObject({ status: 413, worthRepeating: false });
  });
});

describe('a poll', () => {
  it.each([
    [204, ''],
    [200, '[]'],
  ])('answered %s %j brings nothing', async (status, body) => {
    answer = { status, type: 'application/json', body };
    expect(await conductor.poll(POLL)).toEqual([]);
  });

  it.each([['{"maintenance":true}'], ['<html></html>']])('answered %j was not answered by Conductor', async (body) => {
    answer = { status: 200, type: 'application/json', body };
    await expect(conductor.poll(POLL)).rejects.toThrow();
  });
});
