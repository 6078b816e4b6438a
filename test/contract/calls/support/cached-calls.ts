/** Calls of models that have a cache, over a real Redis; Bedrock is a function. */
import { Redis } from 'ioredis';
import { afterAll, beforeEach, inject } from 'vitest';
import { createAnswerCache } from '../../../../src/cluster/answer-cache.ts';
import { keyNames } from '../../../../src/redis/keys.ts';
import type {} from '../../../support/redis-for-all.ts';
import { capturedLog } from '../../../workers/support/harness.ts';
import {
  COMMAND,
  COMMAND_R,
  EMBED,
  type HandlerOptions,
  llmHandler,
  outputOf,
  type Sent,
  WORLD,
  type World,
} from '../../../workers/support/llm.ts';
import { freshPrefix } from '../../support/live-catalog.ts';

export const CONFIGURATION = { cache: { ttlSeconds: 60 } };
export const NOVA = 'amazon.nova-micro-v1:0';
export const worldWith = (configuration: object = CONFIGURATION): World => ({
  ...WORLD,
  integrations: { ...WORLD.integrations, other: WORLD.integrations.prod },
  models: {
    ...WORLD.models,
    [`prod:${EMBED}`]: { configuration },
    [`prod:${COMMAND}`]: { configuration },
    [`prod:${COMMAND_R}`]: { configuration },
    [`prod:${NOVA}`]: { configuration },
    [`other:${EMBED}`]: { configuration },
    'prod:cohere.embed-english-v3': { configuration },
  },
  grants: { 'USER:app:claims': { ...WORLD.grants['USER:app:claims'], 'INTEGRATION_PROVIDER:other': 'EXECUTE' } },
});

export const textsOf = ({ body }: Sent) => (body['texts'] ?? body['images'] ?? body['inputs']) as string[];
/** The vector of `text 7` is [7]; of anything else [length]. */
export const vectorOf = (text: string) => [Number(/^text (\d+)$/.exec(text)?.[1] ?? JSON.stringify(text).length)];
export const embedded = (sent: Sent) => ({
  body: { embeddings: { float: textsOf(sent).map(vectorOf) } },
  tokens: { prompt: textsOf(sent).length },
});
export const texts = (...numbers: number[]) => numbers.map((number) => `text ${number}`);
export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

/** For one file: a cache that is new and empty in every test. */
export function cachedCalls() {
  const redis = new Redis(inject('redisUrl'));
  afterAll(() => redis.disconnect());
  let prefix = freshPrefix();
  const make = () => createAnswerCache({ redis, names: keyNames(prefix), log: capturedLog().log });
  let cache = make();
  beforeEach(() => {
    prefix = freshPrefix();
    cache = make();
  });

  async function handler(type: Parameters<typeof llmHandler>[0], options: HandlerOptions = {}) {
    const made = await llmHandler(type, { world: worldWith(), cache, ...options });
    return {
      ...made,
      /** The output, once what is to be kept is. */
      async output(input: Record<string, unknown>) {
        const output = outputOf(await made.run(input));
        await cache.settled();
        return output;
      },
    };
  }

  return {
    redis,
    get cache() {
      return cache;
    },
    /** All keys of Redis, in this test. */
    keys: () => redis.keys(`${prefix}*`),
    /** Where the answers of one model of `prod` stand. */
    valuesOf: (model: string) => keyNames(prefix).answers(`prod:${model}`).values,
    handler,
    embeddings: (options: HandlerOptions = {}) => handler('embeddings', { answer: embedded, ...options }),
  };
}
