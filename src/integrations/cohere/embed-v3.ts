import type { Codec } from '../codec.ts';
import { embeddingsWords, inputInvalid } from '../parameters.ts';
import { decodeEmbeddings, type EmbedRules, encodeEmbeddings, fitContent } from './embeddings.ts';

/** Characters a text; checked by Bedrock before it would truncate. */
export const MAXIMUM_CHARACTERS = 2048;

const RULES: EmbedRules = {
  family: 'embed-v3',
  maximumCharacters: MAXIMUM_CHARACTERS,
  imageFormats: ['jpeg', 'png'],
  maximumImages: 1,
  mixed: false,
};

/**
 * Cohere Embed English and Multilingual v3: up to 96 texts of up to 2048 characters in, or one image; vectors of 1024 numbers
 * out. `input_type` is `image` for an image and for nothing else.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v3.html
 */
export const embedV3: Codec = {
  family: 'embed-v3',
  embeddings: {
    dimensions: 1024,
    imageInputType: 'image',
    fit: (request) => fitContent(RULES, request),

    encode(request) {
      if (request.images === undefined) return encodeEmbeddings(RULES, request);
      const { inputType = 'image', ...others } = request;
      if (inputType !== 'image') {
        throw inputInvalid('inputType', `inputType of an image must be image for Cohere Embed v3, not "${inputType}".`);
      }
      return encodeEmbeddings(RULES, request, { ...embeddingsWords('embed-v3', others), input_type: inputType });
    },

    decode: (answer, expected, types) => decodeEmbeddings('embed-v3', answer, expected, types),
  },
};
