import {
  EMBEDDING_TYPES,
  type Embedding,
  type EmbeddingsCodec,
  type EmbeddingsContent,
  type EmbeddingsRequest,
} from '../../integrations/codec.ts';
import type { CachedPlan, CallPlan, Keepable } from '../plan.ts';

/** How everything in a task is embedded. */
interface Manner {
  readonly codec: EmbeddingsCodec;
  readonly options: Omit<EmbeddingsRequest, keyof EmbeddingsContent>;
}

/** A text by itself: the same vector, and kept in the same place, as in a list. */
export function cachedText(manner: Manner, text: string): Pick<CallPlan, 'cached' | 'keeps'> {
  const determinants = (): unknown => determinantsOf(manner, { texts: [text] });
  return {
    cached: {
      pieces: 1,
      determinants,
      isValue: (value) => isEmbedding(manner, value),
      join: ([result]) => ({ result }),
    },
    keeps: ({ output }) => [{ determinants: determinants(), value: output['result'] }],
  };
}

/** Each piece of a list by itself, so that a list of which some pieces are known asks for the others alone. */
export function cachedList(
  manner: Manner,
  content: EmbeddingsContent,
  planOf: (content: EmbeddingsContent) => CallPlan,
): CachedPlan {
  return {
    pieces: countOf(content),
    determinants: (piece) => determinantsOf(manner, pieceOf(content, piece)),
    isValue: (value) => isEmbedding(manner, value),
    only: (pieces) => planOf(pick(content, pieces)),
    join: (values) => ({ result: values }),
  };
}

/** What a request was answered, piece by piece. */
export function keptVectors(
  manner: Manner,
  content: EmbeddingsContent,
  vectors: readonly Embedding[],
): readonly Keepable[] {
  return vectors.map((value, piece) => ({ determinants: determinantsOf(manner, pieceOf(content, piece)), value }));
}

/** The body of a request for this piece alone; and what was asked for, since an answer by type is another than the same bare. */
function determinantsOf({ codec, options }: Manner, piece: EmbeddingsContent): unknown {
  return ['embedding', codec.encode({ ...piece, ...options }), options.embeddingTypes ?? null];
}

function countOf({ texts, images, inputs }: EmbeddingsContent): number {
  return (texts ?? images ?? inputs ?? []).length;
}

function pieceOf({ texts, images, inputs }: EmbeddingsContent, piece: number): EmbeddingsContent {
  if (texts !== undefined) return { texts: texts.slice(piece, piece + 1) };
  if (images !== undefined) return { images: images.slice(piece, piece + 1) };
  return { inputs: inputs?.slice(piece, piece + 1) };
}

function pick({ texts, images, inputs }: EmbeddingsContent, pieces: readonly number[]): EmbeddingsContent {
  const wanted = new Set(pieces);
  const some = <T>(list: readonly T[]): readonly T[] => list.filter((_, index) => wanted.has(index));
  if (texts !== undefined) return { texts: some(texts) };
  if (images !== undefined) return { images: some(images) };
  return { inputs: some(inputs ?? []) };
}

function isEmbedding({ options: { embeddingTypes } }: Manner, value: unknown): value is Embedding {
  if (embeddingTypes === undefined) return isVector(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const byType = value as Readonly<Record<string, unknown>>;
  return EMBEDDING_TYPES.every((type) => embeddingTypes.includes(type) === isVector(byType[type]));
}

function isVector(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(Number.isFinite);
}
