/** Requests drawn at random within the ranges of AWS's documents, written here once more by hand. */
import fc from 'fast-check';
import type { ChatMessage } from '../../../src/calls/inputs/chat-inputs.ts';
import type { Generation, TextRequest } from '../../../src/integrations/codec.ts';

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

/** How many stop words at most. */
const STOP_WORDS: Readonly<Record<Family, number>> = { command: 4, 'command-r': Infinity, converse: 2500 };

const NAMES = [
  'maxTokens',
  'temperature',
  'topP',
  'topK',
  'frequencyPenalty',
  'presencePenalty',
  'seed',
  'maxResults',
] as const;

/** Any of a family's parameters, each within its range; its ends come often. */
export function generation(family: Family): fc.Arbitrary<Generation> {
  const numbers = Object.entries(RANGES[family]).map(([name, [whole, min, max]]) => {
    const any = whole ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true, noDefaultInfinity: true });
    return [name, fc.oneof({ weight: 4, arbitrary: any }, { weight: 1, arbitrary: fc.constantFrom(min, max) })];
  });
  return fc.record(
    { ...Object.fromEntries(numbers), stopWords: fc.array(fc.string({ minLength: 1 }), { maxLength: 4 }) },
    { requiredKeys: [] },
  );
}

/** Any text to complete. */
export function textRequest(family: Family): fc.Arbitrary<TextRequest> {
  return fc.record({ prompt: words, given: generation(family) }).map(({ prompt, given }) => ({ prompt, ...given }));
}

export interface Spoilt {
  readonly name: keyof Generation;
  readonly value: unknown;
  /** Whether Bedrock itself would refuse it, under its own word. */
  readonly bedrockRefuses: boolean;
}

/** Any parameter with a value that the family does not take: out of its range, of another kind, or of one that it does not know. */
export function spoilt(family: Family): fc.Arbitrary<Spoilt> {
  const spoil = (name: keyof Generation, values: fc.Arbitrary<unknown>, bedrockRefuses = true) =>
    values.map((value): Spoilt => ({ name, value, bedrockRefuses }));
  const outside = Object.entries(RANGES[family]).map(([name, [whole, min, max]]) => {
    // Not -0, which is below 0 for the generator alone.
    const below = fc.double({ max: min, maxExcluded: true, noNaN: true }).filter((number) => number < min);
    const above = fc.double({ min: max, minExcluded: true, noNaN: true });
    const near = fc.constantFrom(min - (whole ? 1 : 0.001), max + (whole ? 1 : 0.001)).filter(Number.isSafeInteger);
    const others = fc.constantFrom<unknown>('1', true, [1], Number.NaN, ...(whole ? [1.5, 0.1] : []));
    const close = whole ? near : fc.constantFrom(min - 0.001, max + 0.001);
    return spoil(name as keyof Generation, fc.oneof(below, above, close, others));
  });
  const unknown = NAMES.filter((name) => RANGES[family][name] === undefined).map((name) =>
    spoil(name, fc.oneof(fc.integer(), fc.double())),
  );
  const most = STOP_WORDS[family];
  const tooMany = Number.isFinite(most)
    ? [
        spoil(
          'stopWords',
          fc.integer({ min: most + 1, max: most + 9 }).map((length) => Array(length).fill('x')),
        ),
      ]
    : [];
  const empty = fc.array(fc.string({ minLength: 1 }), { maxLength: 3 }).map((stop) => [...stop, '']);
  const noTexts = fc.constantFrom<unknown>('END', 5, [5], {});
  return fc.oneof(...outside, ...unknown, ...tooMany, spoil('stopWords', empty, false), spoil('stopWords', noTexts));
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
    // As long as Conductor lets it be, which is longer than Bedrock does.
    taskReferenceName: fc.oneof(fc.string(), fc.stringMatching(/^[a-z]{1,3}$/), fc.stringMatching(/^[a-z]{60,80}$/)),
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

const document = fc
  .record({ more: fc.dictionary(fc.string(), fc.string()), snippet: words })
  .map(({ more, snippet }) => ({ ...more, snippet }));

export interface ChatInputs {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly { readonly name: string; readonly inputSchema?: Readonly<Record<string, unknown>> }[];
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
      documents: isCohere ? fc.array(document, { maxLength: 3 }) : fc.constant([]),
      given: generation(family),
    })
    .map(({ start, middle, question, end: last, tools, documents, given }) => {
      const messages = [...start, ...middle.flat(), ...question, ...last];
      const usesTools = messages.some(({ role }) => role === 'tool');
      return { messages, tools: usesTools && tools.length === 0 ? [{ name: 'some' }] : tools, documents, given };
    });
}
