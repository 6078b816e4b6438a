import type { EmbeddingsContent, EmbeddingType } from '../../integrations/codec.ts';
import { BATCH_BYTES_AT_MOST, BATCH_TEXTS_AT_MOST } from '../../integrations/lanes/line.ts';
import { estimateTokens } from '../plan.ts';

/** One request's part of what a task embeds. */
export interface EmbeddingsPart {
  readonly content: EmbeddingsContent;
  /** Texts, images or inputs in it. */
  readonly count: number;
  readonly estimatedTokens: number;
}

/** What Bedrock counts for an image is not documented; Cohere's pages make it some hundred to two thousand. */
const IMAGE_TOKENS = 1_000;

/** In order, each of at most 96 pieces and 1 MB of JSON; a piece that is larger goes alone. At least one piece is given. */
export function splitContent({ texts, images, inputs }: EmbeddingsContent): readonly EmbeddingsPart[] {
  if (texts !== undefined) return split(texts, estimateTokens, (part) => ({ texts: part }));
  if (images !== undefined) {
    return split(
      images,
      () => IMAGE_TOKENS,
      (part) => ({ images: part }),
    );
  }
  const tokensOf = (input: NonNullable<typeof inputs>[number]): number =>
    input.content.reduce((sum, part) => sum + (part.type === 'text' ? estimateTokens(part.text) : IMAGE_TOKENS), 0);
  return split(inputs ?? [], tokensOf, (part) => ({ inputs: part }));
}

function split<T>(
  pieces: readonly T[],
  tokensOf: (piece: T) => number,
  contentOf: (part: readonly T[]) => EmbeddingsContent,
): EmbeddingsPart[] {
  const parts: { pieces: T[]; bytes: number; tokens: number }[] = [];
  for (const piece of pieces) {
    const bytes = bodyBytes(piece);
    const last = parts.at(-1);
    const fits = last && last.pieces.length < BATCH_TEXTS_AT_MOST && last.bytes + bytes <= BATCH_BYTES_AT_MOST;
    const part = fits ? last : { pieces: [], bytes: 0, tokens: 0 };
    if (part !== last) parts.push(part);
    part.pieces.push(piece);
    part.bytes += bytes;
    part.tokens += tokensOf(piece);
  }
  return parts.map((part) => ({
    content: contentOf(part.pieces),
    count: part.pieces.length,
    estimatedTokens: part.tokens,
  }));
}

/** What a piece adds to a request's body. */
export function bodyBytes(piece: unknown): number {
  return Buffer.byteLength(JSON.stringify(piece)) + 1;
}

/** Characters of JSON that a number of each type takes, comma included, as Bedrock writes them. */
const CHARACTERS: Readonly<Record<EmbeddingType, number>> = { float: 12, int8: 4, uint8: 4, binary: 0.5, ubinary: 0.5 };

/** About how large the output of so many vectors is, in bytes. */
export function outputBytes(vectors: number, dimensions: number, types: readonly EmbeddingType[]): number {
  return vectors * dimensions * types.reduce((sum, type) => sum + CHARACTERS[type], 0);
}
