/** Requests drawn at random within the ranges of AWS's documents, written here once more by hand. */
import fc from 'fast-check';
import type { ChatMessage } from '../../../src/calls/chat-inputs.ts';
import type { Generation } from '../../../src/integrations/codec.ts';

export type Family = 'command' | 'command-r' | 'converse';

const MAXIMUM = Number.MAX_SAFE_INTEGER;

/** `whole`, lowest, highest. */
const RANGES: Readonly<Record<Family, Readonly<Record<string, readonly [boolean, number, number]>>>> = {
  command: {
    maxTokens: [true, 1, 4096],
    temperature: [false, 0, 5],
    topP: [false, 0, 1],
    topK: [false, 0, 500],
    maxResults: [true, 1, 5],
  },
  'command-r': {
    maxTokens: [true, 1, 4000],
    temperature: [false, 0, 1],
    topP: [false, 0.01, 0.99],
    topK: [false, 0, 500],
    frequencyPenalty: [false, 0, 1],
    presencePenalty: [false, 0, 1],
    seed: [true, 0, MAXIMUM],
    maxResults: [true, 1, 1],
  },
  converse: {
    maxTokens: [true, 1, MAXIMUM],
    temperature: [false, 0, 1],
    topP: [false, 0, 1],
    maxResults: [true, 1, 1],
  },
};

/** Any of a family's parameters, each within its range. */
export function generation(family: Family): fc.Arbitrary<Generation> {
  const numbers = Object.entries(RANGES[family]).map(([name, [whole, min, max]]) => [
    name,
    whole ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true, noDefaultInfinity: true }),
  ]);
  return fc.record(
    { ...Object.fromEntries(numbers), stopWords: fc.array(fc.string({ minLength: 1 }), { maxLength: 4 }) },
    { requiredKeys: [] },
  );
}

/** A parameter of the family's with a value outside of its range. */
export function outOfRange(family: Family): fc.Arbitrary<readonly [string, unknown]> {
  return fc.constantFrom(...Object.entries(RANGES[family])).chain(([name, [whole, min, max]]) => {
    const values = [
      fc.double({ max: min, maxExcluded: true, noNaN: true }).filter((number) => number < min),
      fc.double({ min: max, minExcluded: true, noNaN: true }),
      fc.constantFrom<unknown>('1', true, [1]),
      ...(whole ? [fc.constantFrom(1.5, 0.1)] : []),
    ];
    return fc.oneof(...values).map((value) => [name, value] as const);
  });
}

const words = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '');
const toolName = fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/);
const inputSchema = fc
  .dictionary(
    fc.stringMatching(/^[a-z]{1,8}$/),
    fc.record(
      { type: fc.constantFrom('string', 'integer', 'number', 'boolean', 'array', 'object'), description: fc.string() },
      { requiredKeys: ['type'] },
    ),
    { maxKeys: 4 },
  )
  .map((properties) => ({ type: 'object', properties, required: Object.keys(properties).slice(0, 1) }));
const tool = fc.record({ name: toolName, description: fc.string(), inputSchema }, { requiredKeys: ['name'] });

/** A task's reference name may be anything, or missing; what a tool gives, any JSON. */
const toolCall = fc.record(
  {
    taskReferenceName: fc.oneof(fc.string(), fc.stringMatching(/^[a-z]{1,3}$/)),
    name: toolName,
    inputParameters: fc.dictionary(fc.string(), fc.jsonValue()),
    output: fc.jsonValue(),
  },
  { requiredKeys: ['name'] },
);

/** Calls and results in the orders that histories tell them in. */
const exchange = fc.array(toolCall, { minLength: 1, maxLength: 3 }).chain((toolCalls): fc.Arbitrary<ChatMessage[]> => {
  const named = toolCalls.map((call, index) => ({ ...call, taskReferenceName: call.taskReferenceName || `t${index}` }));
  const distinct = named.filter(
    (call, index) => named.findIndex((other) => other.taskReferenceName === call.taskReferenceName) === index,
  );
  return fc.constantFrom<ChatMessage[]>(
    [
      { role: 'tool_call', toolCalls: distinct },
      { role: 'tool', toolCalls: distinct.toReversed() },
    ],
    distinct.flatMap((call): ChatMessage[] => [
      { role: 'tool_call', toolCalls: [call] },
      { role: 'tool', toolCalls: [call] },
    ]),
    [{ role: 'tool', toolCalls }],
  );
});

const user = words.map((message): ChatMessage[] => [{ role: 'user', message }]);
const assistant = words.map((message): ChatMessage[] => [{ role: 'assistant', message }]);
const system = words.map((message): ChatMessage[] => [{ role: 'system', message }]);
const picture = fc
  .record({
    format: fc.constantFrom('png', 'jpeg', 'jpg', 'gif', 'webp'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }),
  })
  .map(({ format, bytes }): ChatMessage[] => [
    { role: 'user', media: [`data:image/${format};base64,${Buffer.from(bytes).toString('base64')}`] },
  ]);

export interface ChatInputs {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly { readonly name: string }[];
  readonly documents: readonly Readonly<Record<string, string>>[];
  readonly given: Generation;
}

/** What a family should take: Command R documents, and tools after the last message alone; Converse images, and tools anywhere. */
export function chatInputs(family: 'command-r' | 'converse'): fc.Arbitrary<ChatInputs> {
  const isCohere = family === 'command-r';
  const parts = isCohere ? fc.oneof(user, assistant, system) : fc.oneof(user, assistant, system, picture, exchange);
  const end = isCohere ? fc.oneof(fc.constant([]), exchange) : parts;
  return fc
    .record({
      start: user,
      middle: fc.array(parts, { maxLength: 5 }),
      question: user,
      end,
      tools: fc.uniqueArray(tool, { selector: ({ name }) => name, maxLength: 3 }),
      documents: isCohere ? fc.array(fc.dictionary(fc.string(), fc.string()), { maxLength: 3 }) : fc.constant([]),
      given: generation(family),
    })
    .map(({ start, middle, question, end: last, tools, documents, given }) => {
      const messages = [...start, ...middle.flat(), ...question, ...last];
      const usesTools = messages.some(({ role }) => role === 'tool');
      return { messages, tools: usesTools && tools.length === 0 ? [{ name: 'some' }] : tools, documents, given };
    });
}
