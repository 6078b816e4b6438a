import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors.ts';

/** 1 MiB: the largest prompt that a model takes is well below. */
export const BODY_LIMIT = 1_048_576;

/** Names that reach an object's prototype where somebody copies keys. */
const REFUSED_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
/**
 * How bodies are read: JSON, also without a body at all, which Orkes' clients announce and do not send; the text of a
 * prompt as it is, whatever it calls itself, where a route takes `rawText`.
 */
export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string' },
    async (request: FastifyRequest, text: string) =>
      request.routeOptions.config.rawText === true ? text : readJson(text),
  );
  app.addContentTypeParser<string>(
    'text/plain',
    { parseAs: 'string' },
    async (request: FastifyRequest, text: string) => {
      if (request.routeOptions.config.rawText === true) return text;
      throw Object.assign(new Error('The body of this route is application/json'), { statusCode: 415 });
    },
  );
}

/** No record nests deeper than a few levels; what nests by thousands overflows the stack of whoever walks over it. */
const DEPTH_LIMIT = 32;

function readJson(text: string): unknown {
  if (text === '') return undefined;
  if (isDeeperThan(DEPTH_LIMIT, text)) {
    throw new ServiceError('REQUEST_INVALID', `The body has more than ${DEPTH_LIMIT} levels`);
  }
  try {
    return JSON.parse(text, refuseKeys);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw new ServiceError('REQUEST_INVALID', 'The body is not JSON');
  }
}

/** In one pass, whatever the text is: a bracket in a string counts for nothing. */
function isDeeperThan(limit: number, text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}

function refuseKeys(this: unknown, key: string, value: unknown): unknown {
  if (REFUSED_KEYS.has(key) && !Array.isArray(this)) {
    throw new ServiceError('REQUEST_INVALID', `The body has a key "${key}", which no record may have`);
  }
  // Redis would hold another text, by which the record is not found again.
  if (!key.isWellFormed() || (typeof value === 'string' && !value.isWellFormed())) {
    throw new ServiceError('REQUEST_INVALID', 'The body has a text that is not Unicode: half of a surrogate pair');
  }
  return value;
}
