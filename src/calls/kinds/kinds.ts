import type { TaskType } from '../../config.ts';
import type { CallKind } from '../plan.ts';
import { chatComplete } from './chat-complete.ts';
import { generateEmbeddings } from './generate-embeddings.ts';
import { rerank } from './rerank.ts';
import { textComplete } from './text-complete.ts';

/** What each task type does, whoever calls. */
export const CALL_KINDS: Readonly<Record<TaskType, CallKind>> = {
  LLM_TEXT_COMPLETE: textComplete,
  LLM_CHAT_COMPLETE: chatComplete,
  LLM_GENERATE_EMBEDDINGS: generateEmbeddings,
  LLM_RERANK: rerank,
};
