import { ServiceError } from '../errors.ts';
import { type CallKind, estimateTokens } from './plan.ts';
import { shareTokens } from './shared-tokens.ts';
import { generateEmbeddingsInput, readInput } from './task-inputs.ts';

/** LLM_GENERATE_EMBEDDINGS: a text as a vector. Orkes: "LLM Generate Embeddings" task. */
export const generateEmbeddings: CallKind = {
  type: 'LLM_GENERATE_EMBEDDINGS',
  plan({ input: given, model }) {
    const name = `${model.integration}:${model.model}`;
    const { value: input, notes } = readInput(given, generateEmbeddingsInput, model.record.configuration.defaults);
    const codec = model.codec.embeddings;
    if (codec === undefined) {
      throw new ServiceError(
        'MODEL_UNFIT',
        `Input model: ${name} (family ${model.family}) cannot generate embeddings`,
        {
          field: 'model',
        },
      );
    }
    const { text, dimensions, inputType } = input;
    const join = (texts: readonly string[]) => codec.encode({ texts, dimensions, inputType });
    return {
      call: join([text]),
      notes,
      estimatedTokens: estimateTokens(text),
      finish(answer) {
        const { vectors, tokens } = codec.decode(answer, 1);
        const [result] = vectors;
        if (result instanceof ServiceError) return { error: result, tokens };
        return { output: { result }, tokens };
      },
      shared: {
        key: JSON.stringify([model.integration, model.model, dimensions, inputType]),
        text,
        bytes: Buffer.byteLength(JSON.stringify(text)) + 1,
        join,
        split(answer, texts) {
          const { vectors, tokens } = codec.decode(answer, texts.length);
          const shares = tokens.prompt === undefined ? undefined : shareTokens(tokens.prompt, texts);
          return texts.map((_, index) => {
            const result = vectors[index];
            const share = shares === undefined ? {} : { prompt: shares[index] };
            if (result instanceof ServiceError) return { error: result, tokens: share };
            return { output: { result, ...(shares === undefined ? {} : { tokensShared: true }) }, tokens: share };
          });
        },
      },
    };
  },
};
