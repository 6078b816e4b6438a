/** Codecs and the simulator's families know nothing of each other; both are written from AWS's documents. Here they meet. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { answerCommand } from '../../simulator/families/command.ts';
import { answerCommandR } from '../../simulator/families/command-r.ts';
import { answerConverse } from '../../simulator/families/converse.ts';
import { DEFAULT_ANSWERS, type FamilyAnswer } from '../../simulator/families/family.ts';
import type { ChatMessage } from '../../src/calls/inputs/chat-inputs.ts';
import { readConversation } from '../../src/calls/kinds/conversation.ts';
import type {
  BedrockAnswer,
  BedrockCall,
  ChatRequest,
  ChatTool,
  Generation,
  TextRequest,
} from '../../src/integrations/codec.ts';
import { chatCodec, textCodec } from './support/codecs.ts';
import { type ChatInputs, chatInputs, type Family, spoilt, textRequest } from './support/drawn-requests.ts';
import { fieldRefused } from './support/refusal.ts';

// Thousands of runs take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });
const RUNS = { numRuns: 2_000 };
const FAMILIES = ['command', 'command-r', 'converse'] as const;
const CHATTING = ['command-r', 'converse'] as const;

/** As Bedrock would: over the wire everything is JSON, bytes are base64. Throws AwsError. */
function ask(family: Family, call: BedrockCall): BedrockAnswer {
  const sent = call.operation === 'InvokeModel' ? call.body : call.input;
  const body: unknown = JSON.parse(
    JSON.stringify(sent, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value)),
  );
  const context = { settings: DEFAULT_ANSWERS, family, modelName: 'arn:x', maxTokens: undefined };
  const answering = {
    command: answerCommand,
    'command-r': (given: unknown) => answerCommandR(given, context),
    // A limit of the model's own, which Converse's documents do not know.
    converse: (given: unknown) => answerConverse(given, { ...context, maxTokens: Number.MAX_SAFE_INTEGER }),
  } satisfies Record<Family, (given: unknown) => FamilyAnswer>;
  return { body: answering[family](body).body, tokens: {} };
}

const refusedBySimulator = (family: Family, call: BedrockCall): boolean => {
  try {
    ask(family, call);
    return false;
  } catch (error) {
    expect(error).toMatchObject({ name: 'ValidationException' });
    return true;
  }
};

describe.each(FAMILIES)('any text request to %s', (family) => {
  const codec = textCodec(family);

  it('that is valid is refused neither by the codec nor by the simulator, and its answer can be read', () => {
    fc.assert(
      fc.property(textRequest(family), (request) => {
        const { completions } = codec.decode(ask(family, codec.encode(request)));
        expect(completions).toHaveLength(request.maxResults ?? 1);
      }),
      RUNS,
    );
  });

  it('that is valid loses none of its values, and always says how many tokens', () => {
    fc.assert(
      fc.property(textRequest(family), (request) => {
        const call = codec.encode(request);
        const sent = call.operation === 'InvokeModel' ? call.body : { ...call.input.inferenceConfig };
        expect(JSON.stringify(call)).toContain(JSON.stringify(request.prompt));
        for (const [name, word] of Object.entries(WORDS[family])) {
          const value = request[name as keyof Generation];
          const given = Array.isArray(value) && value.length === 0 ? undefined : value;
          expect([name, sent[word]]).toEqual([name, name === 'maxTokens' ? (given ?? 1024) : given]);
        }
      }),
      RUNS,
    );
  });

  it('that is spoilt in one parameter does not get through the codec; the simulator would refuse it, too', () => {
    fc.assert(
      fc.property(textRequest(family), spoilt(family), (request, { name, value, bedrockRefuses }) => {
        expect(fieldRefused(() => codec.encode({ ...request, [name]: value } as TextRequest))).toBe(name);
        const wrong = withWord(family, codec.encode({ ...request, [name]: undefined }), name, value);
        if (bedrockRefuses && wrong !== undefined) expect(refusedBySimulator(family, wrong)).toBe(true);
      }),
      RUNS,
    );
  });

  it('without anything to complete does not get through the codec', () => {
    fc.assert(
      fc.property(textRequest(family), fc.stringMatching(/^\s{0,5}$/), (request, prompt) => {
        expect(fieldRefused(() => codec.encode({ ...request, prompt }))).toBe('prompt');
      }),
    );
  });
});

/** The family's own words, once more by hand. What is not here never reaches Bedrock. */
const WORDS: Readonly<Record<Family, Readonly<Partial<Record<keyof Generation, string>>>>> = {
  command: {
    maxTokens: 'max_tokens',
    temperature: 'temperature',
    topP: 'p',
    topK: 'k',
    stopWords: 'stop_sequences',
    maxResults: 'num_generations',
  },
  'command-r': {
    maxTokens: 'max_tokens',
    temperature: 'temperature',
    topP: 'p',
    topK: 'k',
    frequencyPenalty: 'frequency_penalty',
    presencePenalty: 'presence_penalty',
    seed: 'seed',
    stopWords: 'stop_sequences',
  },
  converse: { maxTokens: 'maxTokens', temperature: 'temperature', topP: 'topP', stopWords: 'stopSequences' },
};

/** The call with a value as it is, under the family's word or, where it has none, ours. */
function withWord(family: Family, call: BedrockCall, name: keyof Generation, value: unknown): BedrockCall | undefined {
  // JSON knows no NaN or Infinity.
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined;
  const word = WORDS[family][name] ?? name;
  if (call.operation === 'InvokeModel') return { ...call, body: { ...call.body, [word]: value } };
  return { ...call, input: { ...call.input, inferenceConfig: { ...call.input.inferenceConfig, [word]: value } } };
}

describe.each(CHATTING)('any conversation with %s', (family) => {
  const chat = chatCodec(family);

  it('that is valid is refused by nobody, its answer can be read, and a call of a tool can be answered', () => {
    fc.assert(
      fc.property(chatInputs(family), ({ messages, tools, documents, given }) => {
        const request = (more: Parameters<typeof readConversation>[0]): ChatRequest => {
          return { ...given, ...readConversation([...messages, ...more]), tools: tools as ChatTool[], documents };
        };
        const reply = chat.decode(ask(family, chat.encode(request([]))));
        const endsWithUser = messages.findLast(({ role }) => role !== 'system')?.role === 'user';
        expect(reply.toolCalls.length > 0).toBe(tools.length > 0 && endsWithUser);
        if (reply.toolCalls.length === 0) return;
        expect(reply.finishReason).toBe('TOOL_CALLS');
        const toolCalls = reply.toolCalls.map(({ id, name, parameters }) => {
          return { taskReferenceName: id, name, inputParameters: parameters };
        });
        const answered = toolCalls.map((call) => ({ ...call, output: { done: true } }));
        const next = request([
          { role: 'tool_call', toolCalls },
          { role: 'tool', toolCalls: answered },
        ]);
        const last = chat.decode(ask(family, chat.encode(next)));
        expect(last.toolCalls).toEqual([]);
        expect(['STOP', 'STOP_SEQUENCE', 'MAX_TOKENS']).toContain(last.finishReason);
      }),
      RUNS,
    );
  });

  it('that is spoilt in one parameter does not get through the codec', () => {
    fc.assert(
      fc.property(chatInputs(family), spoilt(family), ({ messages, tools, documents, given }, { name, value }) => {
        const request = { ...given, ...readConversation(messages), tools: tools as ChatTool[], documents };
        expect(fieldRefused(() => chat.encode({ ...request, [name]: value } as ChatRequest))).toBe(name);
      }),
      RUNS,
    );
  });

  it('that is invalid does not get through the codec', () => {
    const tool = { taskReferenceName: 'a', name: 'a', output: {} };
    type Spoil = (input: ChatInputs) => ChatInputs;
    const ends = (...more: readonly ChatMessage[]): Spoil => {
      return (input) => ({ ...input, messages: [...input.messages, ...more] });
    };
    const user: ChatMessage = { role: 'user', message: 'x' };
    const blank = fc.stringMatching(/^\s{0,4}$/);
    const anywhere = fc.oneof(
      blank.map((message) => ends({ role: 'user', message })),
      blank.map((message) => ends({ role: 'assistant', message }, user)),
      fc.constant(ends({ role: 'tool_call', toolCalls: [tool] })),
      fc.constant(ends({ role: 'tool', message: 'x' })),
      fc.webUrl().map((media) => ends({ role: 'user', media: [media] })),
      fc.constant(ends({ ...user, toolCalls: [tool] })),
      fc.constant<Spoil>((input) => ({ ...input, messages: [{ role: 'assistant', message: 'x' }] })),
      fc.constant<Spoil>((input) => ({ ...input, messages: [{ role: 'system', message: 'x' }] })),
      fc.constant<Spoil>((input) => ({ ...input, tools: [], messages: [user, { role: 'tool', toolCalls: [tool] }] })),
    );
    const spoilTools =
      (name: string): Spoil =>
      (input) => ({ ...input, tools: [...input.tools, { name }] });
    const own = {
      converse: fc.oneof(
        fc.string({ minLength: 1 }).map(
          (snippet): Spoil =>
            (input) => ({ ...input, documents: [{ snippet }] }),
        ),
        fc.stringMatching(/^[a-z]{65,80}$/).map(spoilTools),
        fc
          .string()
          .filter((name) => !/^[a-zA-Z0-9_-]+$/.test(name))
          .map(spoilTools),
      ),
      'command-r': fc.constantFrom<Spoil>(
        (input) => ({ ...input, messages: [{ ...user, media: ['data:image/png;base64,AAAA'] }] }),
        ends(user, { role: 'assistant', message: 'x' }),
        (input) => ({ ...input, messages: [user, { role: 'tool', toolCalls: [tool] }, user], tools: [{ name: 'a' }] }),
        (input) => ({ ...input, tools: [{ name: 'a', inputSchema: { properties: [] } }] }),
      ),
    };
    const spoiled = fc.oneof({ weight: 3, arbitrary: anywhere }, { weight: 2, arbitrary: own[family] });
    fc.assert(
      fc.property(chatInputs(family), spoiled, (input, spoil) => {
        const { messages, tools, documents, given } = spoil(input);
        const encode = () =>
          chat.encode({ ...given, ...readConversation(messages), tools: tools as ChatTool[], documents });
        expect(fieldRefused(encode)).toEqual(expect.any(String));
      }),
      RUNS,
    );
  });
});
