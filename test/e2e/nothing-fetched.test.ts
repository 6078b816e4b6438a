/** A worker calls Conductor, Redis and AWS, and nobody else, whatever a task says. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createWorld, type TaskToRun, type World } from './support/world.ts';

const EMBED = 'cohere.embed-v4:0';
const CHAT = 'amazon.nova-lite-v1:0';

let world: World;
let trap: Server;
let url = '';
const heard: string[] = [];

beforeAll(async () => {
  trap = createServer((request, response) => {
    heard.push(`${request.method} ${request.url}`);
    response.end('{}');
  });
  trap.on('connection', () => heard.push('a connection'));
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/picture.png`;
  world = await createWorld('fetch');
  await world.redis.hset(
    world.key('integrations'),
    'main',
    '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  );
  await world.redis.hset(world.key('models'), { [`main:${EMBED}`]: '{}', [`main:${CHAT}`]: '{}' });
  await world.redis.hset(
    world.key('prompts'),
    'look',
    JSON.stringify({ template: 'Look at ${it}', integrations: [`main:${CHAT}`] }),
  );
  await world.redis.hset(world.key('applications'), 'fetch', '{"workflows":["fetch_*"]}');
  const grants = world.key('grants:USER:app:fetch');
  await world.redis.hset(grants, 'INTEGRATION_PROVIDER:main', 'EXECUTE', 'PROMPT:look', 'READ');
  await world.startWorker();
});
afterAll(async () => {
  await world?.close();
  trap?.close();
});
beforeEach(async () => {
  await world.control('calls', undefined, 'DELETE');
  heard.length = 0;
});

const text = (input: object) => ({
  workflow: 'fetch_text',
  type: 'LLM_TEXT_COMPLETE' as const,
  input: { llmProvider: 'main', model: CHAT, ...input },
});
const embed = (input: object) => ({
  workflow: 'fetch_embed',
  type: 'LLM_GENERATE_EMBEDDINGS' as const,
  input: { llmProvider: 'main', model: EMBED, ...input },
});
const chat = (input: object) => ({
  workflow: 'fetch_chat',
  type: 'LLM_CHAT_COMPLETE' as const,
  input: { llmProvider: 'main', model: CHAT, ...input },
});
/** Every way in which a picture, a file or a page could be meant. */
const asPicture = () => ({
  ...{ image: url, images: [url], image_url: { url }, imageUrl: url, file: url, document: url, documents: [{ url }] },
  inputs: [{ content: [{ type: 'image_url', image_url: { url } }] }],
  messages: [{ role: 'user', message: url, media: [url] }],
});
/** A token whose header says where its key is to be had. */
const pointingToken = () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = {
    alg: 'EdDSA',
    typ: 'JWT',
    jku: url,
    x5u: url,
    kid: url,
    jwk: { kty: 'OKP', crv: 'Ed25519', x: 'x' },
  };
  return `${part(header)}.${part({ iss: url, aud: 'task', sub: 'app:fetch', exp: 4_000_000_000 })}.${part({})}`;
};

it('the server would hear of it', async () => {
  await fetch(url);
  expect(heard).toEqual(['a connection', 'GET /picture.png']);
});

describe('a URL in a task', () => {
  it('is text where text is asked for, and goes to the model as it is', async () => {
    const prompt = `What is on ${url}?`;
    expect((await world.runTask(text({ prompt }))).task.status).toBe('COMPLETED');
    expect((await world.runTask(text({ promptName: 'look', promptVariables: { it: url } }))).task.status).toBe(
      'COMPLETED',
    );
    expect((await world.runTask(embed({ text: url }))).task.status).toBe('COMPLETED');
    const { calls } = await world.calls();
    expect(calls).toHaveLength(3);
    for (const { body } of calls) {
      expect(JSON.stringify(body)).toContain(url);
      expect(JSON.stringify(body)).not.toMatch(/"(images?|documents?|source|s3Location|inputs)"/i);
    }
    expect(heard).toEqual([]);
  });

  it('in an input that is meant for a picture or a file is not used at all by a task that takes none', async () => {
    expect((await world.runTask(text({ prompt: 'Hi', ...asPicture() }))).task.status).toBe('COMPLETED');
    const others = { ...asPicture(), images: undefined, inputs: undefined };
    expect((await world.runTask(embed({ text: 'Hi', ...others }))).task.status).toBe('COMPLETED');
    const { calls } = await world.calls();
    expect(calls).toHaveLength(2);
    for (const { body } of calls) expect(JSON.stringify(body)).not.toContain(url);
    expect(heard).toEqual([]);
  });

  it.each<[string, () => TaskToRun]>([
    ['images', () => embed({ images: [url] })],
    ['inputs', () => embed({ inputs: asPicture().inputs })],
    ['messages', () => chat({ messages: [{ role: 'user', message: 'Look', media: [url] }] })],
  ])('is refused where an image is taken, in %s: only a data URI is one', async (field, task) => {
    const { task: ended } = await world.runTask(task());
    expect(ended.status).toBe('FAILED_WITH_TERMINAL_ERROR');
    expect(ended.outputData['error']).toMatchObject({ code: 'INPUT_INVALID', field: expect.stringMatching(field) });
    expect((await world.calls()).calls).toEqual([]);
    expect(heard).toEqual([]);
  });

  it.each<[string, () => object]>([
    ['provider', () => ({ llmProvider: url })],
    ['model', () => ({ model: url })],
    ['prompt’s name', () => ({ promptName: url })],
  ])('in the place of a %s is a name like any other, of which there is none', async (_, input) => {
    const { task } = await world.runTask(text({ prompt: 'Hi', ...input() }));
    expect(task.status).toBe('FAILED_WITH_TERMINAL_ERROR');
    expect((await world.calls()).calls).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('in a token’s header leads to no key', async () => {
    const { task } = await world.runTask(text({ prompt: 'Hi', accessToken: pointingToken() }));
    expect(task.outputData['error']).toMatchObject({ code: 'TOKEN_INVALID' });
    expect(heard).toEqual([]);
  });
});
