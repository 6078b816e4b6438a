/** `bedrock-cohere/tasks`: the tasks of this service for workflows written in TypeScript. It loads nothing else of the service. */
import type { ChatCompleteInput, GenerateEmbeddingsInput, RerankInput, TextCompleteInput } from './inputs.ts';
import type { ChatCompleteOutput, GenerateEmbeddingsOutput, RerankOutput, TextCompleteOutput } from './outputs.ts';
import { taskBuilder } from './task-builder.ts';

export type * from './inputs.ts';
export type * from './outputs.ts';
export {
  type Expression,
  type Given,
  type GivenInput,
  type LlmTask,
  outputOf,
  type TaskBuilder,
  type TaskOptions,
} from './task-builder.ts';

/** A text completed: a named prompt with variables, or literal text. */
export const textCompleteTask = taskBuilder<TextCompleteInput, TextCompleteOutput>('LLM_TEXT_COMPLETE');
/** The next message of a conversation. */
export const chatCompleteTask = taskBuilder<ChatCompleteInput, ChatCompleteOutput>('LLM_CHAT_COMPLETE');
/** Texts and images as vectors. */
export const generateEmbeddingsTask = taskBuilder<GenerateEmbeddingsInput, GenerateEmbeddingsOutput>(
  'LLM_GENERATE_EMBEDDINGS',
);
/** Documents in the order of how well they answer a query. */
export const rerankTask = taskBuilder<RerankInput, RerankOutput>('LLM_RERANK');
