import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Pool } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AnswerLate, exchange, type HttpRequest } from '../src/http-exchange.ts';

let respond: (request: IncomingMessage, response: ServerResponse) => void;
let cut: number;
let close: () => Promise<void>;
let pool: Pool;

beforeEach(async () => {
  cut = 0;
  respond = (_, response) => void response.end();
  const server = createServer((request, response) => {
    response.once('close', () => {
      if (!response.writableEnded) cut += 1;
    });
    respond(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  pool = new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { connections: 1 });
  close = async () => {
    await pool.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
});
afterEach(() => close());

const send = (given: Partial<HttpRequest> = {}) =>
  exchange(pool, { method: 'GET', path: '/', headers: {}, timeoutMs: 10_000, ...given });
const hang = () => undefined;

describe('an exchange', () => {
  it('sends what it is given and brings the whole answer, whatever its status', async () => {
    respond = async (request, response) => {
      const { method, url, headers } = request;
      const said = { method, url, of: headers['x-of'], length: headers['content-length'], body: await text(request) };
      response.writeHead(418, { 'x-a': 'one' }).end(JSON.stringify(said));
    };
    const answer = await send({ method: 'POST', path: '/a?b=c', headers: { 'x-of': 'us' }, body: 'ü' });
    expect(answer).toMatchObject({ status: 418, headers: { 'x-a': 'one' } });
    expect(JSON.parse(answer.text)).toEqual({ method: 'POST', url: '/a?b=c', of: 'us', length: '2', body: 'ü' });
  });

  it('puts a character together that came in two pieces', async () => {
    respond = (_, response) => {
      response.write(Buffer.from([0x61, 0xc3]));
      setTimeout(() => response.end(Buffer.from([0xbc])), 30);
    };
    expect((await send()).text).toBe('aü');
  });

  it('of an empty answer has an empty text', async () => {
    respond = (_, response) => void response.writeHead(204).end();
    expect(await send()).toMatchObject({ status: 204, text: '' });
  });

  it('fails where the answer is cut short', async () => {
    respond = (_, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('12345');
      setTimeout(() => response.destroy(), 10);
    };
    await expect(send()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
  });

  it('fails where the pool is closed', async () => {
    await pool.close();
    await expect(send()).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
  });
});

describe('an exchange that is not answered in time', () => {
  it.each([
    ['at all', hang],
    ['in whole', (_: unknown, response: ServerResponse) => void response.writeHead(200).write('a part')],
  ])('%s rejects, and the connection is given up', async (_, how) => {
    respond = how;
    await expect(send({ timeoutMs: 100 })).rejects.toThrow(AnswerLate);
    await vi.waitFor(() => expect(cut).toBe(1));
  });

  it('because it waits for a connection is never sent', async () => {
    const paths: (string | undefined)[] = [];
    let answerFirst = hang as () => void;
    respond = ({ url }, response) => {
      paths.push(url);
      answerFirst = () => void response.end('first');
    };
    const first = send({ path: '/first' });
    await vi.waitFor(() => expect(paths).toEqual(['/first']));
    await expect(send({ path: '/second', timeoutMs: 20 })).rejects.toThrow(AnswerLate);
    respond = ({ url }, response) => {
      paths.push(url);
      response.end('third');
    };
    answerFirst();
    expect((await first).text).toBe('first');
    expect((await send({ path: '/third' })).text).toBe('third');
    expect(paths).toEqual(['/first', '/third']);
  });
});

describe('an exchange whose signal is aborted', () => {
  it('rejects with its reason, and the connection is given up', async () => {
    const arrived = Promise.withResolvers<void>();
    respond = () => arrived.resolve();
    const stopping = new AbortController();
    const reason = { not: 'an error' };
    const sent = send({ signal: stopping.signal });
    await arrived.promise;
    stopping.abort(reason);
    await expect(sent).rejects.toBe(reason);
    await vi.waitFor(() => expect(cut).toBe(1));
  });

  it('before it began is not begun', async () => {
    let arrived = 0;
    respond = (_, response) => {
      arrived += 1;
      response.end();
    };
    const reason = new Error('gone');
    await expect(send({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await send();
    expect(arrived).toBe(1);
  });

  it('after its end is nobody’s business: no listener stays', async () => {
    const { signal } = new AbortController();
    const [added, removed] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    await send({ signal });
    await pool.close();
    await expect(send({ signal })).rejects.toThrow();
    expect(added).toHaveBeenCalledTimes(2);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });
});
