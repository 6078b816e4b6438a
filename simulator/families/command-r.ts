/** Command R and R+. Source: "Cohere Command R and Command R+ models" in Bedrock's inference parameters. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { validationError } from '../errors.ts';
import { fraction, list, parseBody, text, whole } from '../malformed.ts';
import { type Ending, type GeneratedText, generateText } from '../texts.ts';
import { countTokens } from '../tokens.ts';
import type { FamilyAnswer, FamilyContext } from './family.ts';

export const COMMAND_R_MAX_TOKENS = 4000;

const turn = z.strictObject({ role: z.enum(['USER', 'CHATBOT']), message: z.string() });
const parameter = z.strictObject({ description: z.string(), type: z.string(), required: z.boolean().optional() });
const tool = z.strictObject({
  name: z.string(),
  description: z.string(),
  parameter_definitions: z.record(z.string(), parameter).optional(),
});
const toolResult = z.strictObject({
  call: z.strictObject({ name: z.string(), parameters: z.record(z.string(), z.unknown()) }),
  outputs: list(z.record(z.string(), z.unknown()), 0),
});

/** What Converse takes for these models under `additionalModelRequestFields`, too. */
export const COMMAND_R_FIELDS = {
  k: fraction(0, 500).optional(),
  frequency_penalty: fraction(0, 1).optional(),
  presence_penalty: fraction(0, 1).optional(),
  seed: whole(0, Number.MAX_SAFE_INTEGER).optional(),
  prompt_truncation: z.enum(['OFF', 'AUTO_PRESERVE_ORDER']).optional(),
  search_queries_only: z.boolean().optional(),
  return_prompt: z.boolean().optional(),
  raw_prompting: z.boolean().optional(),
  preamble: z.string().optional(),
};

const schema = z.strictObject({
  message: text(1),
  chat_history: list(turn, 0).optional(),
  documents: list(z.record(z.string(), z.string()), 0).optional(),
  max_tokens: whole(1, COMMAND_R_MAX_TOKENS).optional(),
  temperature: fraction(0, 1).optional(),
  p: fraction(0.01, 0.99).optional(),
  stop_sequences: list(z.string(), 0).optional(),
  tools: list(tool, 0).optional(),
  tool_results: list(toolResult, 0).optional(),
  ...COMMAND_R_FIELDS,
});
type Request = z.infer<typeof schema>;

export function answerCommandR(body: unknown, { settings }: Pick<FamilyContext, 'settings'>): FamilyAnswer {
  const request = parseBody(schema, body);
  if ((request.tool_results ?? []).length > 0 && (request.tools ?? []).length === 0) {
    throw validationError('invalid request: cannot specify tool_results without specifying tools.');
  }
  const reading = [request.preamble, ...(request.chat_history ?? []).map(({ message }) => message), request.message]
    .concat((request.documents ?? []).flatMap((document) => Object.values(document)))
    .concat((request.tool_results ?? []).map(({ outputs }) => JSON.stringify(outputs)))
    .filter((part) => part !== undefined)
    .join('\n');
  const said = say(request);
  const finishReason = FINISH_REASONS[said.ending];
  return {
    body: {
      response_id: randomUUID(),
      generation_id: randomUUID(),
      text: said.text,
      finish_reason: settings.commandRFinishReasons === 'upper' ? finishReason.toUpperCase() : finishReason,
      chat_history: [
        ...(request.chat_history ?? []),
        { role: 'USER', message: request.message },
        { role: 'CHATBOT', message: said.text },
      ],
      ...extras(request, said),
      ...(request.return_prompt === true ? { prompt: reading } : {}),
      meta: {
        api_version: { version: '1' },
        billed_units: { input_tokens: countTokens(reading), output_tokens: said.tokens },
      },
    },
    inputTokens: countTokens(reading),
    outputTokens: said.tokens,
  };
}

const FINISH_REASONS = {
  end: 'complete',
  'max tokens': 'max_tokens',
  'stop sequence': 'complete',
} as const satisfies Record<Ending, string>;

const asksForTool = ({ tools = [], tool_results }: Request) => tools.length > 0 && tool_results === undefined;

function say(request: Request): GeneratedText {
  if (request.search_queries_only === true || asksForTool(request)) return { text: '', ending: 'end', tokens: 0 };
  return generateText({
    prompt: request.message,
    maxTokens: request.max_tokens ?? COMMAND_R_MAX_TOKENS,
    stopSequences: request.stop_sequences,
  });
}

function extras(request: Request, said: GeneratedText): Record<string, unknown> {
  if (request.search_queries_only === true) {
    return { is_search_required: true, search_queries: [{ text: request.message, generation_id: randomUUID() }] };
  }
  if (asksForTool(request)) return { tool_calls: (request.tools ?? []).slice(0, 1).map(callTool) };
  if (request.documents === undefined || request.documents.length === 0) return {};
  const end = Math.min(20, said.text.length);
  return {
    citations: [{ start: 0, end, text: said.text.slice(0, end), document_ids: ['doc_0'] }],
    documents: [{ id: 'doc_0', ...request.documents[0] }],
  };
}

/** A call of the tool with a value of the right type for each parameter. */
function callTool({ name, parameter_definitions = {} }: z.infer<typeof tool>): Record<string, unknown> {
  const value = (type: string) => (/^(int|float|number)/.test(type) ? 1 : /^bool/.test(type) ? true : 'simulated');
  const parameters = Object.entries(parameter_definitions).map(([key, { type }]) => [key, value(type)]);
  return { name, parameters: Object.fromEntries(parameters) };
}
