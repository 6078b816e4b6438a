import type { Codec } from '../codec.ts';
import { embeddingsWords } from '../parameters.ts';
import { checkTexts, decodeEmbeddings } from './embeddings.ts';

/**
 * Cohere Embed v4: up to 96 texts in, vectors of 256, 512, 1024 or 1536 numbers out (1536 where `dimensions` is absent).
 * `truncate` is always sent, and is NONE: nothing is cut silently.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v4.html
 */
export const embedV4: Codec = {
  family: 'embed-v4',
  embeddings: {
    encode(request) {
      checkTexts('embed-v4', request.texts);
      return {
        operation: 'InvokeModel',
        body: {
          texts: request.texts,
          ...embeddingsWords('embed-v4', request),
          truncate: 'NONE',
          embedding_types: ['float'],
        },
      };
    },

    decode(answer, expected) {
      return decodeEmbeddings('embed-v4', answer, expected);
    },
  },
};
