/** What both Embed families share: the checks of texts and images, the request, and an answer that comes in two shapes. */
import { z } from 'zod';
import { answerInvalid, givenCounts, readAnswer } from '../answers.ts';
import type {
  BedrockAnswer,
  BedrockCall,
  Embedding,
  Embeddings,
  EmbeddingsContent,
  EmbeddingsRequest,
  EmbeddingType,
  MixedInput,
  Vector,
} from '../codec.ts';
import { type EmbeddingsFamily, embeddingsWords, FAMILY_NAMES, inputInvalid } from '../parameters.ts';
import { faultOfImage } from './data-uri.ts';

/** Texts, images or mixed inputs in one request. Source: AWS, userguide/model-parameters-embed-v3.html and -v4.html. */
export const MAXIMUM_PIECES = 96;

/** What one of the families takes. */
export interface EmbedRules {
  readonly family: EmbeddingsFamily;
  /** Unicode characters a text; Bedrock checks them before it would truncate. */
  readonly maximumCharacters?: number;
  /** As a data URI names them after `image/`. */
  readonly imageFormats: readonly string[];
  /** Images a task: with one, no request holds more, and none is split for it. */
  readonly maximumImages?: number;
  /** Whether texts and images may become one vector together. */
  readonly mixed: boolean;
}

/** See `EmbeddingsCodec.fit`. */
export function fitContent(rules: EmbedRules, request: EmbeddingsRequest): EmbeddingsContent {
  const name = FAMILY_NAMES[rules.family];
  const given = (['texts', 'images', 'inputs'] as const).filter((kind) => request[kind] !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    throw inputInvalid(kind ?? 'texts', `${name} takes one of texts, images and inputs at once, not ${given.length}.`);
  }
  if (request[kind]?.length === 0) throw inputInvalid(kind, `${kind} is an empty list: there is nothing to embed.`);
  const { texts, images, inputs } = request;
  if (texts !== undefined) {
    const whole = texts.map((text, index) => fitText(rules, request, text, placeOf('Text', index, texts.length)));
    return { texts: whole };
  }
  if (images !== undefined) {
    if (images.length > (rules.maximumImages ?? Infinity)) {
      throw inputInvalid('images', `${name} takes ${rules.maximumImages} image at once, not ${images.length}.`);
    }
    for (const [index, image] of images.entries()) {
      checkImage(rules, image, 'images', placeOf('Image', index, images.length));
    }
    return { images };
  }
  checkInputs(rules, inputs ?? []);
  return { inputs };
}

/** One request for all that is given. */
export function encodeEmbeddings(
  rules: EmbedRules,
  request: EmbeddingsRequest,
  words = embeddingsWords(rules.family, request),
): BedrockCall {
  const content = fitContent(rules, request);
  const [[kind, pieces] = ['texts', []]] = Object.entries(content);
  if (pieces.length > MAXIMUM_PIECES) {
    const name = FAMILY_NAMES[rules.family];
    throw inputInvalid(kind, `${name} takes 1 to ${MAXIMUM_PIECES} ${kind} at once, not ${pieces.length}.`);
  }
  return { operation: 'InvokeModel', body: { ...content, ...words } };
}

/** Bedrock would answer an empty text with a plausible vector. */
function fitText({ family, maximumCharacters }: EmbedRules, request: EmbeddingsRequest, text: string, place: string) {
  const name = FAMILY_NAMES[family];
  if (text === '') throw inputInvalid('texts', `${place} is empty; ${name} needs at least one character.`);
  if (maximumCharacters === undefined || text.length <= maximumCharacters) return text;
  // As a JSON schema counts them, not UTF-16 units: an emoji is one, and is never cut in two.
  const characters = Array.from(text);
  if (characters.length <= maximumCharacters) return text;
  if (request.truncate === 'START') return characters.slice(-maximumCharacters).join('');
  if (request.truncate === 'END') return characters.slice(0, maximumCharacters).join('');
  throw inputInvalid(
    'texts',
    `${place} has ${characters.length} characters; ${name} takes at most ${maximumCharacters}. ` +
      'Split it, or set truncate to END or START to have the rest cut off.',
  );
}

function checkImage({ family, imageFormats }: EmbedRules, image: string, field: string, place: string): void {
  const fault = faultOfImage(image, imageFormats);
  if (fault !== undefined) throw inputInvalid(field, `${place} ${fault} (${FAMILY_NAMES[family]}).`);
}

function checkInputs(rules: EmbedRules, inputs: readonly MixedInput[]): void {
  const name = FAMILY_NAMES[rules.family];
  if (!rules.mixed) {
    throw inputInvalid('inputs', `${name} embeds no texts and images together; cohere.embed-v4:0 does.`);
  }
  for (const [index, { content }] of inputs.entries()) {
    const place = placeOf('Input', index, inputs.length);
    if (content.length === 0) throw inputInvalid('inputs', `${place} is empty; ${name} needs a text or an image.`);
    for (const part of content) {
      if (part.type === 'image_url') checkImage(rules, part.image_url.url, 'inputs', `${place}: an image`);
      else if (part.text === '') throw inputInvalid('inputs', `${place} holds an empty text.`);
    }
  }
}

function placeOf(noun: string, index: number, count: number): string {
  return count === 1 ? `The ${noun.toLowerCase()}` : `${noun} ${index + 1} of ${count}`;
}

// The vectors are checked by hand: a schema would look at, and copy, some 150,000 numbers a full request.
const body = z.object({
  embeddings: z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]),
});

/**
 * Reads `embeddings` as `number[][]` or by type: both are documented, and v4 may give the second unasked. `types`: those that
 * were asked for; without them each vector is its floats alone. Throws ANSWER_INVALID unless there are exactly `expected` of
 * each type; one that is empty, or not of finite numbers, is a fault by itself.
 */
export function decodeEmbeddings(
  family: EmbeddingsFamily,
  answer: BedrockAnswer,
  expected: number,
  types?: readonly EmbeddingType[],
): Embeddings {
  const { embeddings } = readAnswer(family, answer.body, body);
  const lists = (types ?? ['float']).map((type) => {
    // Bare vectors are floats.
    const list = Array.isArray(embeddings) ? (type === 'float' ? embeddings : undefined) : embeddings[type];
    if (!Array.isArray(list)) throw answerInvalid(family, `it holds no ${type} vectors`);
    if (list.length !== expected) throw answerInvalid(family, `${list.length} vectors for ${expected} inputs`);
    return { type, list };
  });

  function embeddingAt(index: number): Embedding | ReturnType<typeof answerInvalid> {
    const found: [EmbeddingType, Vector][] = [];
    for (const { type, list } of lists) {
      const vector: unknown = list[index];
      if (!isVector(vector)) {
        const place = `${types === undefined ? '' : `${type} `}vector ${index + 1} of ${expected}`;
        return answerInvalid(family, `${place} is empty or holds something but finite numbers`);
      }
      found.push([type, vector]);
    }
    return types === undefined ? (found[0]?.[1] ?? []) : Object.fromEntries(found);
  }

  return {
    vectors: Array.from({ length: expected }, (_, index) => embeddingAt(index)),
    tokens: givenCounts(answer.tokens.prompt, answer.tokens.completion),
  };
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => Number.isFinite(item));
}
