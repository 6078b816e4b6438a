/** A conversation in Command R's own words: the user's last message, what came before it, tools, their results, documents. */
import { z } from 'zod';
import { givenCounts, readAnswer } from '../answers.ts';
import type { ChatCodec, ChatRequest, ChatTool, ChatTurn, ToolResult } from '../codec.ts';
import { finishReasonOf } from '../finish-reasons.ts';
import { FAMILY_NAMES, generationWords, inputInvalid } from '../parameters.ts';
import { demandTools } from '../tools.ts';

const NAME = FAMILY_NAMES['command-r'];

const body = z.object({
  text: z.string(),
  finish_reason: z.string().nullish(),
  tool_calls: z
    .array(z.object({ name: z.string(), parameters: z.record(z.string(), z.unknown()).nullish() }))
    .nullish(),
  citations: z
    .array(
      z.object({ start: z.number(), end: z.number(), text: z.string(), document_ids: z.array(z.string()).nullish() }),
    )
    .nullish(),
});

/**
 * Chat with Command R and R+ through InvokeModel, since Converse has neither documents nor citations for them.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-cohere-command-r-plus.html
 */
export const commandRChat: ChatCodec = {
  encode(request) {
    const { system, tools, documents, turns } = request;
    demandTools('command-r', request);
    const { message, history, results } = conversation(turns);
    return {
      operation: 'InvokeModel',
      body: {
        message,
        ...(history.length === 0 ? {} : { chat_history: history }),
        ...(system.length === 0 ? {} : { preamble: system.join('\n\n') }),
        ...(documents.length === 0 ? {} : { documents }),
        ...(tools.length === 0 ? {} : { tools: tools.map(toolWords) }),
        ...(results.length === 0 ? {} : { tool_results: results.map(resultWords) }),
        ...generationWords('command-r', generationOf(request)),
      },
    };
  },

  decode(answer) {
    const { text, finish_reason, tool_calls, citations } = readAnswer('command-r', answer.body, body);
    const toolCalls = (tool_calls ?? []).map(({ name, parameters }) => ({ name, parameters: parameters ?? {} }));
    return {
      text,
      // It has no reason of its own for this: it says COMPLETE.
      finishReason: toolCalls.length > 0 ? 'TOOL_CALLS' : finishReasonOf(finish_reason),
      toolCalls,
      citations: (citations ?? []).map(({ document_ids, ...cited }) => ({ ...cited, documentIds: document_ids ?? [] })),
      tokens: givenCounts(answer.tokens.prompt, answer.tokens.completion),
    };
  },
};

function generationOf({ system: _, turns: __, tools: ___, documents: ____, ...generation }: ChatRequest) {
  return generation;
}

interface Conversation {
  readonly message: string;
  readonly history: readonly { readonly role: 'USER' | 'CHATBOT'; readonly message: string }[];
  readonly results: readonly ToolResult[];
}

/** `message` is the user's last; only results of tools may follow it, and none may stand before it. */
function conversation(turns: readonly ChatTurn[]): Conversation {
  const last = turns.findLastIndex(({ role }) => role === 'user');
  const message = turns[last];
  if (message === undefined) throw inputInvalid('messages', `${NAME} needs a message of the user.`);
  return {
    message: textOf(message),
    history: turns.slice(0, last).map((turn) => ({
      role: turn.role === 'user' ? 'USER' : 'CHATBOT',
      message: textOf(turn),
    })),
    results: turns.slice(last + 1).flatMap((turn) => {
      if (turn.role === 'assistant') {
        throw inputInvalid(
          turn.field,
          `${NAME} goes on after the user's last message: no text of the assistant may follow it.`,
        );
      }
      return turn.role === 'tool-results' ? turn.results : [];
    }),
  };
}

function textOf(turn: ChatTurn): string {
  if (turn.role === 'tool-calls' || turn.role === 'tool-results') {
    throw inputInvalid(turn.field, `${NAME} takes calls and results of tools only after the user's last message.`);
  }
  if (turn.role === 'user' && turn.images.length > 0) {
    throw inputInvalid(`${turn.field}.media`, `${NAME} takes no images.`);
  }
  if (turn.text === undefined) throw inputInvalid(turn.field, `${NAME} needs a text in every message.`);
  return turn.text;
}

/** A JSON Schema's types as Command R knows them: Python's. */
const PYTHON_TYPES: Readonly<Record<string, string>> = {
  string: 'str',
  integer: 'int',
  number: 'float',
  boolean: 'bool',
  array: 'list',
  object: 'dict',
};

const objectSchema = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  required: z.array(z.string()).optional(),
});

function toolWords({ name, description, inputSchema = {} }: ChatTool): Record<string, unknown> {
  const schema = objectSchema.safeParse(inputSchema);
  if (!schema.success) {
    throw inputInvalid('tools', `The inputSchema of the tool ${name} must be an object with properties for ${NAME}.`);
  }
  const { properties = {}, required = [] } = schema.data;
  const parameters = Object.entries(properties).map(([parameter, property]) => [
    parameter,
    { ...parameterWords(property), required: required.includes(parameter) },
  ]);
  return {
    name,
    description: description ?? name,
    ...(parameters.length === 0 ? {} : { parameter_definitions: Object.fromEntries(parameters) }),
  };
}

/** What a parameter's schema says beyond its type, which Command R has no word for, goes into its description. */
function parameterWords({ type, description, ...rest }: Readonly<Record<string, unknown>>) {
  const words = typeof description === 'string' ? description : '';
  const known = typeof type === 'string' ? PYTHON_TYPES[type] : undefined;
  const beyond = { ...(known === undefined && type !== undefined ? { type } : {}), ...rest };
  const schema = Object.keys(beyond).length === 0 ? '' : `JSON Schema: ${JSON.stringify(beyond)}`;
  return { description: [words, schema].filter((part) => part !== '').join('\n'), type: known ?? 'str' };
}

/** Citations need a list of objects. */
function resultWords({ call: { name, parameters }, output }: ToolResult): Record<string, unknown> {
  const outputs = Array.isArray(output) ? output : output === undefined ? [] : [output];
  return { call: { name, parameters }, outputs: outputs.map((one) => (isObject(one) ? one : { result: one })) };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
