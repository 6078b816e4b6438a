import type { Codec } from '../codec.ts';
import { decodeEmbeddings, type EmbedRules, encodeEmbeddings, fitContent } from './embeddings.ts';

const RULES: EmbedRules = { family: 'embed-v4', imageFormats: ['jpeg', 'png', 'webp', 'gif'], mixed: true };

/**
 * Cohere Embed v4: up to 96 texts, images or mixes of both in, vectors of 256, 512, 1024 or 1536 numbers out (1536 where
 * `dimensions` is absent). It has no input type for images.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v4.html
 */
export const embedV4: Codec = {
  family: 'embed-v4',
  embeddings: {
    dimensions: 1536,
    fit: (request) => fitContent(RULES, request),
    encode: (request) => encodeEmbeddings(RULES, request),
    decode: (answer, expected, types) => decodeEmbeddings('embed-v4', answer, expected, types),
  },
};
