/** Converse, Bedrock's common shape for chat models. Sources: API_runtime_Converse and the words of its refusals. */
import { z } from 'zod';
import { type AwsError, validationError } from '../errors.ts';
import { fraction } from '../malformed.ts';
import type { FamilyName } from '../models.ts';
import { generateText } from '../texts.ts';
import { countTokens } from '../tokens.ts';
import { COMMAND_MAX_TOKENS } from './command.ts';
import { COMMAND_R_FIELDS, COMMAND_R_MAX_TOKENS } from './command-r.ts';
import { type ContentBlock, contentBlock, systemBlock, toolConfig } from './converse-blocks.ts';
import { checkTools, toolUseOf } from './converse-tools.ts';
import type { FamilyAnswer, FamilyContext } from './family.ts';

const opaque = z.record(z.string(), z.unknown());
const schema = z.strictObject({
  messages: z.array(z.strictObject({ role: z.enum(['user', 'assistant']), content: z.array(contentBlock) })).optional(),
  system: z.array(systemBlock).optional(),
  inferenceConfig: z
    .strictObject({
      maxTokens: z.int().min(1).optional(),
      temperature: z.number().min(0).max(1).optional(),
      topP: z.number().min(0).max(1).optional(),
      stopSequences: z.array(z.string().min(1)).max(2500).optional(),
    })
    .optional(),
  toolConfig: toolConfig.optional(),
  guardrailConfig: opaque.optional(),
  additionalModelRequestFields: opaque.optional(),
  additionalModelResponseFieldPaths: z.array(z.string()).max(10).optional(),
  promptVariables: opaque.optional(),
  requestMetadata: z.record(z.string(), z.string()).optional(),
  performanceConfig: opaque.optional(),
  outputConfig: opaque.optional(),
  serviceTier: opaque.optional(),
});
type Request = z.infer<typeof schema>;

/** The members of the answer but for `metrics`, which only the caller can measure. */
export function answerConverse(body: unknown, context: FamilyContext): FamilyAnswer {
  const request = parseConverse(body);
  const messages = request.messages ?? [];
  checkConversation(messages);
  checkTools(messages, request.toolConfig);
  checkModelFields(request, context);
  const config = request.inferenceConfig ?? {};
  const limit = context.maxTokens ?? OUTPUT_LIMITS[context.family] ?? 8192;
  if ((config.maxTokens ?? 1) > limit) {
    throw validationError(
      `The maximum tokens you requested exceeds the model limit of ${limit}. Try again with a maximum tokens value that is lower than ${limit}.`,
    );
  }
  const inputTokens = countTokens(textOf([...(request.system ?? []), ...messages.flatMap(({ content }) => content)]));
  const call = toolUseOf(messages, request.toolConfig);
  if (call !== undefined) {
    const outputTokens = countTokens(JSON.stringify(call));
    return {
      body: {
        output: { message: { role: 'assistant', content: [{ text: 'I need a tool for that.' }, call] } },
        stopReason: 'tool_use',
        usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
      },
      inputTokens,
      outputTokens,
    };
  }
  const said = generateText({
    prompt: textOf(messages.at(-1)?.content ?? []),
    maxTokens: config.maxTokens ?? limit,
    stopSequences: config.stopSequences,
  });
  return {
    body: {
      output: { message: { role: 'assistant', content: [{ text: said.text }] } },
      stopReason: STOP_REASONS[said.ending],
      usage: { inputTokens, outputTokens: said.tokens, totalTokens: inputTokens + said.tokens },
    },
    inputTokens,
    outputTokens: said.tokens,
  };
}

/** Output tokens of families that Converse serves beside the chat models. */
const OUTPUT_LIMITS: Partial<Record<FamilyName, number>> = {
  command: COMMAND_MAX_TOKENS,
  'command-r': COMMAND_R_MAX_TOKENS,
};

/** API_runtime_Message. */
const MAXIMUM_IMAGES = 20;

const STOP_REASONS = { end: 'end_turn', 'max tokens': 'max_tokens', 'stop sequence': 'stop_sequence' } as const;

/** What is there to read: texts, and what tools gave. */
function textOf(blocks: readonly ContentBlock[]): string {
  return blocks
    .flatMap(({ text, toolResult }) => [
      ...(text === undefined ? [] : [text]),
      ...(toolResult?.content ?? []).map((content) => content.text ?? JSON.stringify(content.json ?? {})),
    ])
    .join('\n');
}

function parseConverse(body: unknown): Request {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => {
    const place = issue.path.join('.') || 'the request';
    return `Value at '${place}' failed to satisfy constraint: ${issue.message}`;
  });
  const errors = faults.length === 1 ? '1 validation error' : `${faults.length} validation errors`;
  throw validationError(`${errors} detected: ${faults.join('; ')}`);
}

function checkConversation(messages: NonNullable<Request['messages']>): void {
  if (messages[0]?.role !== 'user') {
    throw validationError(
      'A conversation must start with a user message. Try again with a conversation that starts with a user message.',
    );
  }
  if (messages.flatMap(({ content }) => content).filter(({ image }) => image !== undefined).length > MAXIMUM_IMAGES) {
    throw validationError(`A conversation has at most ${MAXIMUM_IMAGES} images.`);
  }
  messages.forEach(({ role, content }, index) => {
    if (role !== (index % 2 === 0 ? 'user' : 'assistant')) {
      throw validationError(
        'A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.',
      );
    }
    if (content.length === 0) {
      throw validationError(
        `The content field in the Message object at messages.${index} is empty. Add a ContentBlock object to the content field and try again.`,
      );
    }
    if (role === 'assistant' && content.some(({ image }) => image !== undefined)) {
      throw validationError('Assistant messages cannot contain images.');
    }
    content.forEach((one, place) => {
      if (Object.keys(one).length !== 1) {
        throw validationError(
          `The ContentBlock object at messages.${index}.content.${place} must set exactly one key.`,
        );
      }
      if (one.text?.trim() === '') {
        throw validationError(
          `The text field in the ContentBlock object at messages.${index}.content.${place} is blank. Add text to the text field, and try again.`,
        );
      }
    });
  });
}

/** What a vendor's models take under `additionalModelRequestFields`; for others anything goes. */
const VENDOR_FIELDS: readonly { readonly models: RegExp; readonly schema: z.ZodType }[] = [
  {
    models: /^anthropic\./,
    schema: z.strictObject({
      top_k: z.int().min(0).max(500).optional(),
      thinking: opaque.optional(),
      anthropic_beta: z.array(z.string()).optional(),
      tools: z.array(opaque).optional(),
      tool_choice: opaque.optional(),
    }),
  },
  {
    models: /^amazon\.nova/,
    schema: z.strictObject({
      inferenceConfig: z.strictObject({ topK: z.int().min(1).max(128).optional() }).optional(),
    }),
  },
  { models: /^meta\./, schema: z.strictObject({}) },
];

const COMMAND_R_SCHEMA = z.strictObject(COMMAND_R_FIELDS);

/** What the service lets through and the model behind it refuses. */
function checkModelFields(request: Request, { family, modelName }: FamilyContext): void {
  const fields = request.additionalModelRequestFields ?? {};
  const vendor = VENDOR_FIELDS.find(({ models }) => models.test(modelName))?.schema;
  const parsed = (family === 'command-r' ? COMMAND_R_SCHEMA : vendor)?.safeParse(fields);
  const issue = parsed?.error?.issues[0];
  if (issue !== undefined) {
    const place = ['#', ...issue.path].join('/');
    const what =
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `extraneous key [${key}] is not permitted`).join(`${place}: `)
        : issue.message;
    throw modelRefusal(`Malformed input request: ${place}: ${what}, please reformat your input and try again.`);
  }
  const { temperature, topP } = request.inferenceConfig ?? {};
  if (family === 'command-r' && !fraction(0.01, 0.99).optional().safeParse(topP).success) {
    throw modelRefusal(
      `Malformed input request: #/p: ${topP} is not between 0.01 and 0.99, please reformat your input and try again.`,
    );
  }
  if (
    /^anthropic\.claude-(sonnet|opus|haiku)-4-[1-9]/.test(modelName) &&
    temperature !== undefined &&
    topP !== undefined
  ) {
    throw modelRefusal('`temperature` and `top_p` cannot both be specified for this model. Please use only one.');
  }
}

function modelRefusal(words: string): AwsError {
  return validationError(`The model returned the following errors: ${words}`);
}
