/**
 * Embeddings by feature hashing: every word, and more lightly every run of three letters in it, adds to one bucket with
 * a sign, both taken from a hash; then the vector is normalised to length 1. So like texts lie close, unlike ones
 * nearly at right angles, and the same text always at the same place.
 */
import { hash32 } from './hash.ts';

/** Weight of a run of three letters beside its word's 1: "invoice" and "invoices" should be neighbours. */
const TRIGRAM_WEIGHT = 0.35;
const WORD = /[\p{L}\p{M}\p{N}]+/gu;

/** A vector of length 1 (within 1e-5: numbers are rounded to 7 places). `dimensions` ≥ 1. */
export function embedText(text: string, dimensions: number): number[] {
  const buckets = new Float64Array(dimensions);
  const add = (feature: string, weight: number) => {
    const hash = hash32(feature);
    const bucket = hash % dimensions;
    buckets[bucket] = (buckets[bucket] ?? 0) + (hash32(feature, 0x9e3779b9) & 1 ? weight : -weight);
  };
  for (const [word] of text.normalize('NFKC').toLowerCase().matchAll(WORD)) {
    add(word, 1);
    for (let start = 0; start + 3 <= word.length; start += 1) add(`#${word.slice(start, start + 3)}`, TRIGRAM_WEIGHT);
  }
  // Nothing but spaces or signs: Bedrock answers a plausible vector, too. Likewise when all features cancel out.
  if (buckets.every((value) => value === 0)) add(`?${text}`, 1);
  return normalise(buckets);
}

/** The vectors' sum, normalised: an input of several parts. */
export function mergeVectors(vectors: readonly (readonly number[])[], dimensions: number): number[] {
  const sum = new Float64Array(dimensions);
  for (const vector of vectors) {
    for (const [index, value] of vector.entries()) sum[index] = (sum[index] ?? 0) + value;
  }
  return sum.every((value) => value === 0) ? embedText('', dimensions) : normalise(sum);
}

function normalise(values: Float64Array): number[] {
  const length = Math.hypot(...values);
  return Array.from(values, (value) => Math.round((value / length) * 1e7) / 1e7);
}

/** The cosine of the angle between two vectors of length 1. */
export function similarity(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0);
}

export const EMBEDDING_TYPES = ['float', 'int8', 'uint8', 'binary', 'ubinary'] as const;
export type EmbeddingType = (typeof EMBEDDING_TYPES)[number];

/** int8 is -128…127, uint8 0…255; binary and ubinary hold eight signs a number, the first in the highest bit, as int8 and uint8. */
export function quantise(vector: readonly number[], type: EmbeddingType): readonly number[] {
  switch (type) {
    case 'float':
      return vector;
    case 'int8':
      return scaled(vector);
    case 'uint8':
      return scaled(vector).map((value) => value + 128);
    case 'binary':
      return signs(vector).map((value) => value - 128);
    case 'ubinary':
      return signs(vector);
  }
}

function scaled(vector: readonly number[]): number[] {
  const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  return vector.map((value) => Math.round((value / largest) * 127));
}

function signs(vector: readonly number[]): number[] {
  const packed: number[] = [];
  for (let start = 0; start < vector.length; start += 8) {
    let byte = 0;
    for (let bit = 0; bit < 8; bit += 1) byte = byte * 2 + ((vector[start + bit] ?? 0) > 0 ? 1 : 0);
    packed.push(byte);
  }
  return packed;
}
