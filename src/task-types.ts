/** The Conductor task types that we serve. */
export const TASK_TYPES = ['LLM_TEXT_COMPLETE', 'LLM_CHAT_COMPLETE', 'LLM_GENERATE_EMBEDDINGS', 'LLM_RERANK'] as const;
export type TaskType = (typeof TASK_TYPES)[number];
