import type { Codec } from '../codec.ts';
import { embeddingsWords } from '../parameters.ts';
import { checkTexts, decodeEmbeddings } from './embeddings.ts';

/** Characters a text; checked by Bedrock before it would truncate. */
export const MAXIMUM_CHARACTERS = 2048;

/**
 * Cohere Embed English and Multilingual v3: up to 96 texts of up to 2048 characters in, vectors of 1024 numbers out.
 * `truncate` is always sent, since its default differs between documents, and is NONE: nothing is cut silently.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v3.html
 */
export const embedV3: Codec = {
  family: 'embed-v3',
  embeddings: {
    encode(request) {
      checkTexts('embed-v3', request.texts, MAXIMUM_CHARACTERS);
      return {
        operation: 'InvokeModel',
        body: {
          texts: request.texts,
          ...embeddingsWords('embed-v3', request),
          truncate: 'NONE',
          embedding_types: ['float'],
        },
      };
    },

    decode(answer, expected) {
      return decodeEmbeddings('embed-v3', answer, expected);
    },
  },
};
