/** A conversation through Bedrock's Converse. */
import { z } from 'zod';
import { givenCounts, readAnswer } from '../answers.ts';
import type {
  ChatCodec,
  ChatTool,
  ChatTurn,
  ConverseBlock,
  ConverseFields,
  ConverseMessage,
  ToolCall,
  ToolResult,
} from '../codec.ts';
import { finishReasonOf } from '../finish-reasons.ts';
import { FAMILY_NAMES, generationWords, inputInvalid } from '../parameters.ts';
import { demandTools } from '../tools.ts';

const NAME = FAMILY_NAMES.converse;

const toolUse = z.object({
  toolUseId: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()).nullish(),
});

const body = z.object({
  output: z.object({
    message: z.object({
      // Blocks of other kinds (reasoningContent, kinds yet to come) are read as such and skipped.
      content: z.array(z.object({ text: z.string().nullish(), toolUse: toolUse.nullish() })),
    }),
  }),
  stopReason: z.string().nullish(),
  usage: z.object({ inputTokens: z.number().nullish(), outputTokens: z.number().nullish() }).nullish(),
});

/**
 * Chat with any model behind Converse. A conversation that ends with the assistant's words is sent as it is: some models
 * go on from there, others refuse it with their own words.
 * Sources, in https://docs.aws.amazon.com/bedrock/latest/: APIReference/API_runtime_Converse.html, userguide/tool-use.html.
 */
export const converseChat: ChatCodec = {
  encode({ system, turns, tools, documents, ...generation }) {
    if (documents.length > 0) {
      throw inputInvalid('documents', `${NAME} has no documents; Cohere Command R takes them and cites them.`);
    }
    demandTools('converse', { turns, tools });
    const [first] = turns;
    if (first !== undefined && first.role !== 'user') {
      throw inputInvalid(first.field, `A conversation with ${NAME} begins with a message of the user.`);
    }
    return {
      operation: 'Converse',
      input: {
        messages: messagesOf(turns),
        ...(system.length === 0 ? {} : { system: system.map((text) => ({ text })) }),
        ...(tools.length === 0 ? {} : { toolConfig: { tools: tools.map(toolSpec) } }),
        // The table's words for this family are the members of InferenceConfiguration.
        inferenceConfig: generationWords('converse', generation) as NonNullable<ConverseFields['inferenceConfig']>,
      },
    };
  },

  decode(answer) {
    const { output, stopReason, usage } = readAnswer('converse', answer.body, body);
    const blocks = output.message.content;
    const toolCalls = blocks.flatMap(({ toolUse: call }) =>
      call === undefined || call === null
        ? []
        : [{ id: call.toolUseId, name: call.name, parameters: call.input ?? {} }],
    );
    const finishReason = finishReasonOf(stopReason);
    return {
      text: blocks.map((block) => block.text ?? '').join(''),
      finishReason: toolCalls.length > 0 && finishReason === 'STOP' ? 'TOOL_CALLS' : finishReason,
      toolCalls,
      citations: [],
      tokens: givenCounts(usage?.inputTokens, usage?.outputTokens),
    };
  },
};

/** Roles must alternate, so neighbours of one role are one message. Results of tools are the user's. */
function messagesOf(turns: readonly ChatTurn[]): ConverseMessage[] {
  const ids = createToolUseIds(turns);
  const messages: { readonly role: 'user' | 'assistant'; readonly content: ConverseBlock[] }[] = [];
  for (const turn of turns) {
    const role = turn.role === 'user' || turn.role === 'tool-results' ? 'user' : 'assistant';
    const content = blocksOf(turn, ids);
    const before = messages.at(-1);
    if (before?.role === role) before.content.push(...content);
    else messages.push({ role, content });
  }
  return messages;
}

function blocksOf(turn: ChatTurn, ids: (call: ToolCall) => string): ConverseBlock[] {
  switch (turn.role) {
    case 'user':
      return [
        ...(turn.text === undefined ? [] : [{ text: turn.text }]),
        ...turn.images.map(({ format, bytes }) => ({ image: { format, source: { bytes } } })),
      ];
    case 'assistant':
      return [{ text: turn.text }];
    case 'tool-calls':
      return turn.calls.map((call) => ({
        toolUse: { toolUseId: ids(call), name: demandToolName(call.name, turn.field), input: call.parameters },
      }));
    case 'tool-results':
      return turn.results.map((result) => ({
        toolResult: { toolUseId: ids(result.call), content: [resultBlock(result)] },
      }));
  }
}

/** Objects as JSON, other values as text; a blank text would be refused. */
function resultBlock({ output }: ToolResult): { readonly json: unknown } | { readonly text: string } {
  if (output === undefined || output === null) return { json: {} };
  if (typeof output === 'object' && !Array.isArray(output)) return { json: output };
  const text = typeof output === 'string' ? output : JSON.stringify(output);
  return text.trim() === '' ? { json: { output: text } } : { text };
}

/** AWS: ToolSpecification.name and ToolUseBlock.toolUseId, 1 to 64 characters of these. */
const WORD = /^[a-zA-Z0-9_-]{1,64}$/;

function demandToolName(name: string, field: string): string {
  if (WORD.test(name)) return name;
  throw inputInvalid(
    field,
    `The tool's name "${name.slice(0, 80)}" is not of 1 to 64 letters, digits, "_" or "-", as ${NAME} wants it.`,
  );
}

function toolSpec({ name, description, inputSchema = { type: 'object', properties: {} } }: ChatTool) {
  return {
    toolSpec: {
      name: demandToolName(name, 'tools'),
      ...(description === undefined || description === '' ? {} : { description }),
      inputSchema: { json: inputSchema },
    },
  };
}

/** Calls come with the names of Conductor's tasks, which may be longer and hold other characters than an id of Bedrock's. */
function createToolUseIds(turns: readonly ChatTurn[]): (call: ToolCall) => string {
  const calls = turns.flatMap((turn) => (turn.role === 'tool-calls' ? turn.calls : []));
  const taken = new Set(calls.map(({ id = '' }) => id));
  const ids = new Map<ToolCall, string>();
  const used = new Set<string>();
  let count = 0;
  for (const call of calls) {
    let id = call.id ?? '';
    while (!WORD.test(id) || used.has(id) || (id !== call.id && taken.has(id))) {
      count += 1;
      id = `call_${count}`;
    }
    used.add(id);
    ids.set(call, id);
  }
  return (call) => ids.get(call) ?? '';
}
