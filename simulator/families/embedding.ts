/** What the generations of Embed share: cutting long texts, and the two shapes of their answer. */
import { validationError } from '../errors.ts';
import { countTokens, firstTokens, lastTokens } from '../tokens.ts';
import { type EmbeddingType, quantise } from '../vectors.ts';

/** The text as the model reads it. `keep`: which end of a text over `limit` tokens stays; none: it is refused. */
export function fitText(text: string, limit: number, keep: 'start' | 'end' | undefined): string {
  // A token has at least one character.
  if (text.length <= limit || countTokens(text) <= limit) return text;
  if (keep === undefined) {
    throw validationError(`too many tokens: the input may have at most ${limit} tokens; shorten it or set truncate`);
  }
  return keep === 'start' ? firstTokens(text, limit) : lastTokens(text, limit);
}

/** `embeddings` with its `response_type`: by type where types are given, else the bare vectors. */
export function embeddingsOf(
  vectors: readonly (readonly number[])[],
  types: readonly EmbeddingType[] | undefined,
): Record<string, unknown> {
  if (types === undefined) return { response_type: 'embeddings_floats', embeddings: vectors };
  const entries = types.map((type) => [type, vectors.map((vector) => quantise(vector, type))]);
  return { response_type: 'embeddings_by_type', embeddings: Object.fromEntries(entries) };
}
