import { type FastifyInstance, fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BODY_LIMIT, readBodies } from '../../../src/admin/http/bodies.ts';
import { sendProblem } from '../../../src/admin/http/problem.ts';

let app: FastifyInstance;
beforeAll(async () => {
  app = fastify({ bodyLimit: BODY_LIMIT });
  readBodies(app);
  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, error));
  app.post('/json', async (request) => ({ read: request.body ?? 'nothing' }));
  app.post('/text', { config: { rawText: true } }, async (request) => ({ read: request.body }));
});
afterAll(() => app.close());

const post = (url: string, payload: string, type = 'application/json') =>
  app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } });

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

describe('a body of JSON', () => {
  it.each([
    ['{"a":[1]}', { a: [1] }],
    ['', 'nothing'],
    ['"]]]]{{{{"', ']]]]{{{{'],
    [deep(32), JSON.parse(deep(32))],
    [`["${'[\\"{'.repeat(200)}"]`, [`${'["{'.repeat(200)}`]],
  ])('of %s is read', async (text, read) => {
    expect((await post('/json', text)).json()).toEqual({ read });
  });

  it.each([
    ['that is none', '{', 400, 'not JSON'],
    ['that nests too deep', deep(33), 400, 'more than 32'],
    ['that nests without end', deep(200_000), 400, 'more than 32'],
    ['with a key that reaches prototypes', '{"a":{"__proto__":{"x":1}}}', 400, '__proto__'],
    ['with a constructor', '{"constructor":1}', 400, 'constructor'],
    ['that is too large', `"${'x'.repeat(BODY_LIMIT)}"`, 413, 'too large'],
  ])('%s is refused', async (_, text, status, words) => {
    const answer = await post('/json', text);
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject({ status, retryable: false, message: expect.stringContaining(words) });
  });

  it('is not taken as another kind', async () => {
    expect((await post('/json', 'x', 'text/plain')).statusCode).toBe(415);
    expect((await post('/json', '<x/>', 'application/xml')).statusCode).toBe(415);
  });
});

describe('a body that is text', () => {
  it.each(['application/json', 'text/plain'])('is taken as it is, as %s', async (type) => {
    expect((await post('/text', '{"not": read', type)).json()).toEqual({ read: '{"not": read' });
  });
});
