/** What both Embed families share: the checks of texts, and an answer that comes in two shapes. */
import { z } from 'zod';
import { answerInvalid, givenCounts, readAnswer } from '../answers.ts';
import type { BedrockAnswer, Embeddings } from '../codec.ts';
import { type EmbeddingsFamily, FAMILY_NAMES, inputInvalid } from '../parameters.ts';

/** Texts in one request. Source: AWS, userguide/model-parameters-embed-v3.html and -v4.html. */
export const MAXIMUM_TEXTS = 96;

/**
 * Throws INPUT_INVALID (field `text`) unless there are 1 to 96 texts, none empty and none longer than `maximumCharacters`.
 * Bedrock would answer an empty list with a misleading error, and an empty text with a plausible vector.
 */
export function checkTexts(family: EmbeddingsFamily, texts: readonly string[], maximumCharacters = Infinity): void {
  const name = FAMILY_NAMES[family];
  if (texts.length < 1 || texts.length > MAXIMUM_TEXTS) {
    throw inputInvalid('text', `${name} takes 1 to ${MAXIMUM_TEXTS} texts at once, not ${texts.length}.`);
  }
  for (const [index, text] of texts.entries()) {
    const which = texts.length === 1 ? 'The text' : `Text ${index + 1} of ${texts.length}`;
    if (text === '') throw inputInvalid('text', `${which} is empty; ${name} needs at least one character.`);
    const characters = text.length > maximumCharacters ? countCharacters(text) : 0;
    if (characters > maximumCharacters) {
      throw inputInvalid('text', `${which} has ${characters} characters; ${name} takes at most ${maximumCharacters}.`);
    }
  }
}

// The vectors are checked by hand: a schema would look at, and copy, some 150,000 numbers a full request.
const body = z.object({
  embeddings: z.union([z.array(z.unknown()), z.object({ float: z.array(z.unknown()) })]),
});

/**
 * Reads `embeddings` as `number[][]` or `{float: number[][]}`: both are documented, and v4 may give the second unasked.
 * Throws ANSWER_INVALID unless there are exactly `expected`; one that is empty, or not of finite numbers, is a fault by itself.
 */
export function decodeEmbeddings(family: EmbeddingsFamily, answer: BedrockAnswer, expected: number): Embeddings {
  const { embeddings } = readAnswer(family, answer.body, body);
  const vectors = Array.isArray(embeddings) ? embeddings : embeddings.float;
  if (vectors.length !== expected) {
    throw answerInvalid(family, `${vectors.length} vectors for ${expected} texts`);
  }
  return {
    vectors: vectors.map((vector, index) =>
      isVector(vector)
        ? vector
        : answerInvalid(family, `vector ${index + 1} of ${expected} is empty or holds something but finite numbers`),
    ),
    tokens: givenCounts(answer.tokens.prompt, answer.tokens.completion),
  };
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => Number.isFinite(item));
}

/** Unicode characters, as a JSON schema counts them, not UTF-16 units: an emoji is one. */
function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
