import type { z } from 'zod';
import type { TaskType } from '../../config.ts';
import { chatCompleteInput } from './chat-inputs.ts';
import { generateEmbeddingsInput, rerankInput, textCompleteInput } from './task-inputs.ts';
import { chatCompleteOutput, generateEmbeddingsOutput, rerankOutput, textCompleteOutput } from './task-outputs.ts';

export interface TaskSchemas {
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  /** Inputs of which a task gives one or more, where no single one is needed. */
  readonly oneOf?: readonly string[];
}

/** What each task type reads and puts out. */
export const TASK_SCHEMAS: Readonly<Record<TaskType, TaskSchemas>> = {
  LLM_TEXT_COMPLETE: { input: textCompleteInput, output: textCompleteOutput, oneOf: ['promptName', 'prompt'] },
  LLM_CHAT_COMPLETE: { input: chatCompleteInput, output: chatCompleteOutput, oneOf: ['messages', 'userInput'] },
  LLM_GENERATE_EMBEDDINGS: {
    input: generateEmbeddingsInput,
    output: generateEmbeddingsOutput,
    oneOf: ['text', 'texts', 'images', 'inputs'],
  },
  LLM_RERANK: { input: rerankInput, output: rerankOutput },
};
