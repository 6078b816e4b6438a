/** Embed v3. Source: "Cohere Embed v3" in Bedrock's inference parameters. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { list, malformed, parseBody, text } from '../malformed.ts';
import { countTokens } from '../tokens.ts';
import { EMBEDDING_TYPES, embedText } from '../vectors.ts';
import { embeddingsOf, fitText } from './embedding.ts';
import type { FamilyAnswer } from './family.ts';
import { dataUri } from './images.ts';

const DIMENSIONS = 1024;
const CONTEXT_TOKENS = 512;
/** What Bedrock counts for an image is not documented; any stable number serves. */
const IMAGE_TOKENS = 256;

const schema = z.strictObject({
  input_type: z.enum(['search_document', 'search_query', 'classification', 'clustering', 'image']),
  texts: list(text(0, 2048), 0, 96).optional(),
  images: list(dataUri(['jpeg', 'png']), 1, 1).optional(),
  truncate: z.enum(['NONE', 'START', 'END']).optional(),
  embedding_types: list(z.enum(EMBEDDING_TYPES), 1, EMBEDDING_TYPES.length).optional(),
});

export function answerEmbedV3(body: unknown): FamilyAnswer {
  const { input_type, texts = [], images, truncate = 'NONE', embedding_types } = parseBody(schema, body);
  if (images !== undefined && texts.length > 0) throw malformed('#: 2 subschemas matched instead of one');
  if (images === undefined && texts.length === 0) {
    // What Bedrock says to an empty list, too, misleading as it is.
    throw malformed('#: required key [images] not found', '#: required key [texts] not found');
  }
  if ((images !== undefined) !== (input_type === 'image')) {
    throw malformed(`#/input_type: ${input_type} does not fit the input`);
  }
  // `truncate: START` cuts the start off.
  const keep = truncate === 'NONE' ? undefined : truncate === 'START' ? 'end' : 'start';
  const read = images === undefined ? texts.map((one) => fitText(one, CONTEXT_TOKENS, keep)) : images;
  const vectors = read.map((one) => embedText(one, DIMENSIONS));
  return {
    body: { id: randomUUID(), texts, ...embeddingsOf(vectors, embedding_types) },
    inputTokens: images === undefined ? read.reduce((sum, one) => sum + countTokens(one), 0) : IMAGE_TOKENS,
  };
}
