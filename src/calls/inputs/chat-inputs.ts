/** The inputs of LLM_CHAT_COMPLETE: those of Orkes, and of the open-source server's own worker where they differ. */
import { z } from 'zod';
import { common, generation, insteadOfList, number, plainName } from './task-inputs.ts';

/**
 * Inputs of the open-source server (ai/…/model/ChatCompletion.java) that no family of ours has anything for. Each would change
 * the answer, so that one which says something is refused, not dropped.
 */
export const NOT_SERVED = [
  'codeInterpreter',
  'fileSearchVectorStoreIds',
  'googleSearchRetrieval',
  'inputSchema',
  'outputLocation',
  'outputMimeType',
  'outputSchema',
  'participants',
  'previousResponseId',
  'reasoningEffort',
  'reasoningSummary',
  'thinkingTokenLimit',
  'voice',
  'webSearch',
] as const;

/** Far above what any model reads with profit: what one task may ask of the worker that all share. */
export const MAXIMUM_MESSAGES = 1_000;
/** Calls and results of tools, in all messages together. */
export const MAXIMUM_TOOL_CALLS = 1_000;
export const MAXIMUM_TOOLS = 128;

const unread = z.unknown().optional();
const record = z.record(z.string(), z.unknown());

/** The open-source server's ToolCall (ai/…/model/ToolCall.java). What stands in `type` and `integrationNames` is for Conductor. */
const toolCall = z.strictObject({
  taskReferenceName: z.string().nullish(),
  name: z.string().min(1, 'is empty'),
  inputParameters: record.nullish(),
  output: unread,
  type: unread,
  integrationNames: unread,
});

export type ToolCallInput = z.infer<typeof toolCall>;

/** The open-source server's ChatMessage (ai/…/model/ChatMessage.java); `human` is Orkes' other word for `user`. */
export const chatMessage = z.strictObject({
  role: z.enum(['user', 'human', 'assistant', 'system', 'tool_call', 'tool']),
  /** Whatever a reference of Conductor's resolves to: what is no text goes in as JSON. */
  message: unread,
  media: z.array(z.string()).nullish(),
  mimeType: unread,
  toolCalls: z.array(toolCall).max(MAXIMUM_TOOL_CALLS, `more than ${MAXIMUM_TOOL_CALLS}`).nullish(),
});
export type ChatMessage = z.infer<typeof chatMessage>;

/** The open-source server's ToolSpec (ai/…/model/ToolSpec.java). What is not for the model comes back with its calls, or stays unread. */
const tool = z.strictObject({
  name: z.string().min(1, 'is empty'),
  description: z.string().nullish(),
  inputSchema: record.nullish(),
  type: z.string().nullish(),
  integrationNames: record.nullish(),
  configParams: unread,
  outputSchema: unread,
  selfDescribing: unread,
});
export type ToolSpec = z.infer<typeof tool>;

const document = z.union(
  [
    z
      .string()
      .min(1, 'is empty')
      .transform((snippet) => ({ snippet })),
    z
      .record(z.string(), z.string())
      .refine((texts) => Object.values(texts).some((text) => text !== ''), 'has no text to answer from'),
  ],
  {
    error: 'must be a text, or an object of texts such as {title, snippet}',
  },
);

export const chatCompleteInput = z.object({
  ...common,
  instructions: z.string().optional(),
  promptVersion: number.pipe(z.number().int().min(1)).optional(),
  promptVariables: record.optional(),
  messages: z
    .array(chatMessage, { error: insteadOfList('a single text of the user goes in userInput') })
    .max(MAXIMUM_MESSAGES, `more than ${MAXIMUM_MESSAGES}`)
    .optional(),
  userInput: z.string().optional(),
  tools: z.array(tool).max(MAXIMUM_TOOLS, `more than ${MAXIMUM_TOOLS}`).optional(),
  documents: z.array(document).optional(),
  allowRawPrompts: unread,
  ...generation,
  ...(Object.fromEntries(NOT_SERVED.map((name) => [name, unread])) as Record<
    (typeof NOT_SERVED)[number],
    typeof unread
  >),
});

/** A prompt's name is one word; anything else is literal text, as the open-source server takes it. */
export function isPromptName(instructions: string): boolean {
  return !/\s/.test(instructions) && plainName.safeParse(instructions).success;
}

/** Whether an input says something: Conductor hands over empty ones for those that were never set. */
export function says(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 'false' || value === '' || value === 0) {
    return false;
  }
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
