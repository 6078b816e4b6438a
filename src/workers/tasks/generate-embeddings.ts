import { ServiceError } from '../../errors.ts';
import type { LlmTaskKind } from './llm-task.ts';
import { generateEmbeddingsInput, readInput } from './task-inputs.ts';

/** LLM_GENERATE_EMBEDDINGS: a text as a vector. Orkes: "LLM Generate Embeddings" task. */
export const generateEmbeddings: LlmTaskKind = {
  type: 'LLM_GENERATE_EMBEDDINGS',
  plan({ task, model }) {
    const name = `${model.integration}:${model.model}`;
    const { value: input, notes } = readInput(task.input, generateEmbeddingsInput, model.record.configuration.defaults);
    const codec = model.codec.embeddings;
    if (codec === undefined) {
      throw new ServiceError(
        'MODEL_UNFIT',
        `Task input model: ${name} (family ${model.family}) cannot generate embeddings`,
        {
          field: 'model',
        },
      );
    }
    const { text, dimensions, inputType } = input;
    return {
      call: codec.encode({ texts: [text], dimensions, inputType }),
      notes,
      finish(answer) {
        const { vectors, tokens } = codec.decode(answer, 1);
        return { output: { result: vectors[0] }, tokens };
      },
    };
  },
};
